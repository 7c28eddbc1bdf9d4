"""The clients in Keycloak of a connector and of its devices: each logs in by its secret, for one service alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sensorthings_operator.desired.connector.feed import EVERYTHING, REVOKED_ANNOTATION, ROTATE_ANNOTATION, Feed
from sensorthings_operator.desired.keycloak import Mapper, RealmClient, client_of, mappers_for

CLIENT_PREFIX: Final = "connector-"
TOKEN_SECONDS: Final = 300
"""How long a token is good, whatever the realm says: Keycloak's access.token.lifespan of the client."""


@dataclass(frozen=True)
class ConnectorClient(RealmClient):
    """One client; ``namespace``, ``name`` and ``uid`` are the connector's."""

    service_client: str
    """clientId of the service that its tokens are for."""
    asked_roles: tuple[str, ...]
    device: str = ""
    """Name of the device; empty for the connector itself."""
    asked_rotation: str = ""
    """What its secret is to be made anew for, once."""

    @property
    def client_id(self) -> str:
        """What Keycloak calls clientId."""
        return client_id(self.namespace, self.name, self.device)

    @property
    def representation(self) -> dict[str, Any]:
        """What is kept of its ClientRepresentation: it logs in by its secret."""
        of = f"Device {self.device} of connector" if self.device else "Connector"
        return {
            **super().representation,
            "name": f"{of} {self.namespace}/{self.name}",
            "serviceAccountsEnabled": True,
        }

    @property
    def attributes(self) -> Mapping[str, str]:
        """What is kept of its attributes, beside the mark."""
        return {"access.token.lifespan": str(TOKEN_SECONDS)}

    @property
    def rotation(self) -> str:
        """Another text has its secret made anew."""
        return self.asked_rotation

    @property
    def roles(self) -> Mapping[str, str]:
        """None of its own."""
        return {}

    @property
    def mappers(self) -> Mapping[str, Mapper]:
        """Put the roles into its tokens that were asked for."""
        return mappers_for(self.service_client, self.asked_roles)


def client_id(namespace: str, name: str, device: str = "") -> str:
    """What Keycloak calls clientId. A name of Kubernetes has no dot, so that no device's is another connector's."""
    return f"{CLIENT_PREFIX}{namespace}-{name}{f'.{device}' if device else ''}"


def clients(feed: Feed, annotations: Mapping[str, str]) -> tuple[ConnectorClient, ...]:
    """The clients whose tokens are minted: the connector's own, then those of its devices, without what is revoked."""
    connector = feed.connector
    revoked = {name.strip() for name in annotations.get(REVOKED_ANNOTATION, "").split(",")}
    if connector.spec.suspend or EVERYTHING in revoked:
        return ()
    devices = [device.name for device in connector.spec.devices if not device.suspend and device.name not in revoked]
    return tuple(
        ConnectorClient(
            connector.namespace,
            connector.name,
            connector.uid,
            service_client=client_of(feed.service).client_id,
            asked_roles=tuple(sorted(connector.spec.roles)),
            device=device,
            asked_rotation=annotations.get(ROTATE_ANNOTATION, ""),
        )
        for device in ("", *devices)
    )
