"""Finalizers of custom resources that made something which owner references can't clean up.

One stands exactly while something of the resource may stand outside, such as in the ingress controller's shared objects
or in Keycloak, and keeps the resource from going before that is released. Used by the reconcile and the token service.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sensorthings_operator.api.base import API_VERSION, GROUP
from sensorthings_operator.api.sensorthingsservice import KIND
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.desired.metadata import FIELD_MANAGER

_CONFLICT: Final = 409

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Finalizer:
    """One finalizer of one kind."""

    kind: str
    name: str
    field_manager: str

    def is_held(self, body: Body) -> bool:
        """Whether it stands on the resource."""
        return self.name in body["metadata"].get("finalizers", ())

    async def hold(self, client: KubernetesClient, body: Body) -> Body:
        """Put it on the resource; the resource as it is afterwards.

        Raises:
            ApiError: The API server refused.
        """
        return await client.apply(self._manifest(body, finalizers=[self.name]), field_manager=self.field_manager)

    async def drop(self, client: KubernetesClient, body: Body) -> Body | None:
        """Take it off the resource; the resource as it is afterwards, None where it is gone.

        Raises:
            ApiError: The API server refused.
        """
        try:
            return await client.apply(self._manifest(body), field_manager=self.field_manager)
        except NotFoundError:
            return None
        except ApiError as error:
            # Applying by uid to what is gone already is a conflict: it would have been created.
            if error.status != _CONFLICT:
                raise
            return None

    def _manifest(self, body: Body, **fields: Any) -> dict[str, Any]:
        identity = {key: body["metadata"][key] for key in ("name", "namespace", "uid")}
        return {"apiVersion": API_VERSION, "kind": self.kind, "metadata": {**identity, **fields}}


RELEASE: Final = Finalizer(KIND, f"{GROUP}/release", FIELD_MANAGER)
"""Of services."""
