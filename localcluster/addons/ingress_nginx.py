"""ingress-nginx: the way in for HTTP, WebSocket and MQTT over TLS.

Its Service and the ConfigMap `tcp-services` are shared: every service that is exposed adds its port to both. Here they
are applied server-side with our own ports and no key, so that applying them again takes nothing away.
"""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from localcluster import parts, reach
from localcluster.addons.base import AddOn, await_answer, await_rollout
from localcluster.errors import LocalClusterError
from localcluster.plan import INGRESS_ADDRESS
from localcluster.rendering import manifests

if TYPE_CHECKING:
    from localcluster.addons.base import Context

NAMESPACE = "ingress-nginx"
CLASS = "nginx"
_NAME = "ingress-nginx"
_DEPLOYMENT = "ingress-nginx-controller"


def _apply(context: Context) -> None:
    objects = manifests("ingress-nginx.yaml", image=context.image(_NAME), address=INGRESS_ADDRESS)
    context.kubectl.apply(objects)
    reach.open_edge(context.cluster)


def _settle(context: Context) -> None:
    """Until it answers the host: with 404, because no Ingress has this name."""
    await_rollout(context.kubectl, NAMESPACE, _DEPLOYMENT)
    remedy = f"See `kubectl -n {NAMESPACE} logs deployment/{_DEPLOYMENT}`."
    await_answer(
        f"ingress-nginx answers at {context.cluster.edge}",
        lambda: _status(context.cluster.edge) == 404,
        remedy=remedy,
    )


def _status(address: str) -> int:
    connection = HTTPConnection(address, 80, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": "nobody.invalid"})
        return connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise LocalClusterError(f"{type(error).__name__}: {error}") from None
    finally:
        connection.close()


ADD_ON = AddOn(name=_NAME, images=(_NAME,), parts=(parts.INGRESS_NGINX,), apply=_apply, settle=_settle)
