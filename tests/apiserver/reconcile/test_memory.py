"""What others have in the cluster costs the operator no memory: it asks for labelled objects only, and for no Secrets.

It fails where the watches have no label selector: tried once, the operator had 15 % more after its restart, since what
a list takes at its largest stays with the process. While they come one by one it had 2 % more.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import TYPE_CHECKING, Final

from sensorthings_operator.clients.connection import from_kubeconfig
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import resource_of
from tests.apiserver.conftest import CRDS, client_of
from tests.apiserver.reconcile.cluster import Cluster
from tests.apiserver.reconcile.conftest import SETTINGS, account_kubeconfig, install_chart
from tests.apiserver.reconcile.process import OperatorProcess
from tests.apiserver.reconcile.walk import Walk

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.controlplane import ControlPlane
    from tests.apiserver.conftest import Kubectl
    from tests.unit.api.examples import Manifest

_OF_EACH_KIND: Final = 2500
_THEIRS: Final = "theirs"
_VALUE: Final = "x" * 1024
_MOST_GROWTH: Final = 1.05
_LONGEST_SECONDS: Final = 40.0
_PASSES: Final = 10


def _foreign(kind: str, number: int) -> Manifest:
    described = {"name": f"theirs-{number}", "namespace": _THEIRS}
    field = "stringData" if kind == "Secret" else "data"
    return {"apiVersion": "v1", "kind": kind, "metadata": described, field: {"key": _VALUE}}


async def _create_theirs(kubeconfig: Path) -> None:
    async with KubernetesClient(from_kubeconfig(kubeconfig)) as client:

        async def create(manifest: Manifest) -> None:
            await client.create(resource_of(manifest), _THEIRS, manifest)

        manifests = [_foreign(kind, number) for kind in ("ConfigMap", "Secret") for number in range(_OF_EACH_KIND)]
        await asyncio.gather(*(create(manifest) for manifest in manifests))


def _resident(walk: Walk) -> float:
    """Mebibytes, after some passes over the service at rest."""
    walk.settle()

    def measure() -> float:
        walk.force_pass()
        return walk.operator.rss_mebibytes()

    return median(measure() for _ in range(_PASSES))


def test_five_thousand_objects_of_others_cost_no_memory(
    rough: ControlPlane, rough_kubectl: Kubectl, tmp_path: Path
) -> None:
    for name in ("ours", _THEIRS):
        rough_kubectl("create", "namespace", name)
    rough_kubectl("apply", "--server-side", f"--filename={CRDS}")
    install_chart(rough_kubectl)
    account = account_kubeconfig(rough_kubectl, rough.kubeconfig, tmp_path)
    with OperatorProcess(tmp_path, account, SETTINGS) as operator, client_of(rough.kubeconfig) as client:
        walk = Walk(Cluster(client, "ours"), operator)
        walk.external()
        walk.becomes_ready()
        operator.restart()
        before = _resident(walk)

        began = time.monotonic()
        asyncio.run(_create_theirs(rough.kubeconfig))
        assert time.monotonic() - began < _LONGEST_SECONDS
        came = _resident(walk)
        operator.restart()
        found = _resident(walk)

        told = {"before": before, "while they came": came, "after a restart": found}
        assert max(came, found) < _MOST_GROWTH * before, told
        walk.end()
        assert operator.stop() == 0
