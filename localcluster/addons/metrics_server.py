"""metrics-server: what pods use, for the HorizontalPodAutoscaler and `kubectl top`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from localcluster import parts
from localcluster.addons.base import AddOn, await_answer, await_rollout
from localcluster.rendering import manifests

if TYPE_CHECKING:
    from localcluster.addons.base import Context

_NAMESPACE = "kube-system"
_NAME = "metrics-server"


def _apply(context: Context) -> None:
    context.kubectl.apply(manifests("metrics-server.yaml", image=context.image(_NAME)))


def _settle(context: Context) -> None:
    """Until it says what the node uses: it has to scrape the kubelet twice for that."""
    await_rollout(context.kubectl, _NAMESPACE, _NAME)

    def has_nodes() -> bool:
        answer = context.kubectl.run("get", "--raw=/apis/metrics.k8s.io/v1beta1/nodes", timeout=10)
        return bool(json.loads(answer)["items"])

    remedy = (
        f"See `kubectl -n {_NAMESPACE} logs deployment/{_NAME}` and `kubectl get apiservice v1beta1.metrics.k8s.io`."
    )
    await_answer("metrics-server knows what the node uses", has_nodes, remedy=remedy)


ADD_ON = AddOn(name=_NAME, images=(_NAME,), parts=(parts.METRICS_SERVER,), apply=_apply, settle=_settle)
