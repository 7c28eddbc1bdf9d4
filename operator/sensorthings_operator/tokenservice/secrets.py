"""The Secrets with the tokens of connectors: written here, mounted by their pods, read by whoever may."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

from sensorthings_operator.clients.errors import NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import SECRETS
from sensorthings_operator.desired.connector.feed import Connector, metadata

FIELD_MANAGER: Final = "sensorthings-tokens"

Values = Mapping[str, bytes]


class TokenSecrets:
    """Reads, writes and deletes them."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client

    async def read(self, connector: Connector, name: str) -> dict[str, bytes]:
        """What a connector's Secret holds; nothing where it is not there, or not the connector's own.

        Raises:
            ApiError: The API server could not be asked.
        """
        live = await self._live(connector.namespace, name)
        if live is None or not _is_of(live, connector):
            return {}
        return {key: b64decode(value) for key, value in (live.get("data") or {}).items()}

    async def write(self, connector: Connector, name: str, values: Values) -> None:
        """Bring it to these values, and to no others.

        Raises:
            ForeignSecretError: Somebody else has one of that name.
            ApiError: The API server refused.
        """
        live = await self._live(connector.namespace, name)
        if live is not None and not _is_of(live, connector):
            raise ForeignSecretError(name)
        manifest = {
            "apiVersion": SECRETS.api_version,
            "kind": SECRETS.kind,
            "metadata": metadata(connector, name),
            "type": "Opaque",
            "data": {key: b64encode(value).decode() for key, value in values.items()},
        }
        await self._client.apply(manifest, field_manager=FIELD_MANAGER)

    async def delete(self, connector: Connector, name: str) -> None:
        """Delete it where it is the connector's own.

        Raises:
            ApiError: The API server refused.
        """
        live = await self._live(connector.namespace, name)
        if live is None or not _is_of(live, connector):
            return
        try:
            await self._client.delete(SECRETS, connector.namespace, name, uid=live["metadata"]["uid"])
        except NotFoundError:
            return

    async def _live(self, namespace: str, name: str) -> dict[str, Any] | None:
        try:
            return await self._client.get(SECRETS, namespace, name)
        except NotFoundError:
            return None


class ForeignSecretError(Exception):
    """There is a Secret of that name that was not made for the connector."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Secret {name} exists and was not made for this connector: rename or delete it")


def _is_of(live: Mapping[str, Any], connector: Connector) -> bool:
    return any(owner["uid"] == connector.uid for owner in live["metadata"].get("ownerReferences", ()))
