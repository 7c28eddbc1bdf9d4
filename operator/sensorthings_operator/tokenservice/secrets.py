"""The Secrets with the tokens of connectors: written here, mounted by their pods, read by whoever may."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import SECRETS
from sensorthings_operator.desired.connector.feed import Connector, metadata

FIELD_MANAGER: Final = "sensorthings-tokens"

Values = Mapping[str, bytes]


class TokenSecrets:
    """Reads, writes and deletes them."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._written: dict[str, dict[str, str]] = {}
        """By uid of the connector: the uids of the Secrets that were written for it, by name."""

    def forget(self, uid: str) -> None:
        """The connector is gone."""
        self._written.pop(uid, None)

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
        known = self._written.get(connector.uid, {}).pop(name, "")
        if not known and await self._is_of_somebody_else(connector, name):
            raise ForeignSecretError(name)
        manifest = {
            "apiVersion": SECRETS.api_version,
            "kind": SECRETS.kind,
            "metadata": {**metadata(connector, name), **({"uid": known} if known else {})},
            "type": "Opaque",
            "data": {key: b64encode(value).decode() for key, value in values.items()},
        }
        try:
            live = await self._client.apply(manifest, field_manager=FIELD_MANAGER)
        except ApiError as error:
            if not known or error.status != HTTPStatus.CONFLICT:
                raise
            # The one that was written is gone, and another one may be in its place.
            await self.write(connector, name, values)
            return
        self._written.setdefault(connector.uid, {})[name] = live["metadata"]["uid"]

    async def delete(self, connector: Connector, name: str) -> None:
        """Delete it where it is the connector's own.

        Raises:
            ApiError: The API server refused.
        """
        self._written.get(connector.uid, {}).pop(name, None)
        live = await self._live(connector.namespace, name)
        if live is None or not _is_of(live, connector):
            return
        try:
            await self._client.delete(SECRETS, connector.namespace, name, uid=live["metadata"]["uid"])
        except NotFoundError:
            return

    async def _is_of_somebody_else(self, connector: Connector, name: str) -> bool:
        live = await self._live(connector.namespace, name)
        return live is not None and not _is_of(live, connector)

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
