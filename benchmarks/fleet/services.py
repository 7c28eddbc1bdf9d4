"""The services of the fleet: small ones, on a bus and a database run elsewhere, and what the operator makes of them."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator import desired
from sensorthings_operator.api.parse import parse_service
from sensorthings_operator.desired.metadata import secret_digest
from sensorthings_operator.desired.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensorthings_operator.desired.settings import OperatorSettings

Manifest = dict[str, Any]
NAMESPACES: Final = tuple(f"fleet-{number}" for number in range(10))


@dataclass(frozen=True)
class Credentials:
    """Of the database that all of them are on."""

    username: str
    password: str

    def data(self) -> dict[str, str]:
        """As a Secret holds them."""
        values = {"username": self.username, "password": self.password}
        return {name: b64encode(value.encode()).decode() for name, value in values.items()}


def names(count: int) -> Iterator[tuple[str, str]]:
    """Namespaces and names, spread evenly."""
    for number in range(count):
        yield NAMESPACES[number % len(NAMESPACES)], f"service-{number}"


def service(namespace: str, name: str) -> Manifest:
    """One SensorThingsService."""
    return {
        "apiVersion": "sensorthings.city/v1alpha1",
        "kind": "SensorThingsService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "version": "2.0.0",
            "bus": {"type": "External", "external": {"host": "127.0.0.1"}},
            "database": {
                "type": "External",
                "external": {
                    "primary": {"host": "127.0.0.1"},
                    "credentialsSecretRef": {"name": secret_name(name)},
                    "tls": {"mode": "disable"},
                },
            },
            "exposure": {"type": "None"},
            "auth": {"type": "None", "none": {"allowAnonymousWrite": True}},
        },
    }


def secret_name(name: str) -> str:
    """Of the Secret with a service's credentials."""
    return f"{name}-database"


def secret(namespace: str, name: str, credentials: Credentials) -> Manifest:
    """That Secret."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secret_name(name), "namespace": namespace},
        "data": credentials.data(),
    }


def children(live: Manifest, credentials: Credentials, settings: OperatorSettings) -> list[Manifest]:
    """What the operator makes of a service, in its order."""
    metadata = live["metadata"]
    spec = parse_service(live, unknown_fields="ignore").spec
    known = Service(metadata["name"], metadata["namespace"], uid=metadata["uid"], generation=1, spec=spec)
    digest = secret_digest(known, credentials.data())
    return desired.children(replace(known, secret_digests={secret_name(known.name): digest}), settings)
