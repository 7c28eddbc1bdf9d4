"""The finalizer of services that made something which owner references can't clean up. Used by the reconcile.

It stands on a service exactly while something of it may stand in the ingress controller's shared objects or in
Keycloak, and keeps the service from going before that is released.
"""

from collections.abc import Mapping
from typing import Any, Final

from sensorthings_operator.api.base import API_VERSION, GROUP
from sensorthings_operator.api.sensorthingsservice import KIND
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.desired.metadata import FIELD_MANAGER

FINALIZER: Final = f"{GROUP}/release"
_CONFLICT: Final = 409

Body = Mapping[str, Any]


def is_held(body: Body) -> bool:
    """Whether the finalizer stands on the service."""
    return FINALIZER in body["metadata"].get("finalizers", ())


async def hold(client: KubernetesClient, body: Body) -> Body:
    """Put the finalizer on the service; the service as it is afterwards.

    Raises:
        ApiError: The API server refused.
    """
    return await client.apply(_manifest(body, finalizers=[FINALIZER]), field_manager=FIELD_MANAGER)


async def drop(client: KubernetesClient, body: Body) -> Body | None:
    """Take the finalizer off the service; the service as it is afterwards, None where it is gone.

    Raises:
        ApiError: The API server refused.
    """
    try:
        return await client.apply(_manifest(body), field_manager=FIELD_MANAGER)
    except NotFoundError:
        return None
    except ApiError as error:
        # Applying by uid to what is gone already is a conflict: it would have been created.
        if error.status != _CONFLICT:
            raise
        return None


def _manifest(body: Body, **fields: Any) -> dict[str, Any]:
    identity = {key: body["metadata"][key] for key in ("name", "namespace", "uid")}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {**identity, **fields}}
