"""Connectors for tests, and JWTs as Keycloak writes them, unsigned."""

from base64 import urlsafe_b64encode
from typing import Any

import orjson

from sensorthings_operator.api.parse import parse_connector
from sensorthings_operator.desired.connector.feed import Connector, Feed
from sensorthings_operator.desired.service import Service
from tests.unit.api.examples import CONNECTOR, Manifest, patched
from tests.unit.operator.samples import service

CONNECTOR_UID = "22222222-2222-2222-2222-222222222222"
KEYCLOAK = {"auth": {"type": "Keycloak", "keycloak": {"realm": "city"}, "none": None}}


def body(spec: Manifest | None = None, **metadata: Any) -> Manifest:
    """A Connector as the API server gives it: of a service air in hamburg, with a container that runs all the time."""
    described = {
        "name": "loader",
        "namespace": "hamburg",
        "uid": CONNECTOR_UID,
        "generation": 1,
        "resourceVersion": "1",
        **metadata,
    }
    plain = {"serviceRef": {"name": "air"}, "container": {"image": "localhost/loader:1"}}
    return {**CONNECTOR, "metadata": described, "spec": patched(plain, spec or {})}


def connector(spec: Manifest | None = None, **fields: Any) -> Connector:
    """A connector as the builders see it."""
    given = {key: value for key, value in body(spec)["spec"].items() if value is not None}
    parsed = parse_connector({"spec": given}, unknown_fields="refuse").spec
    identity = {"name": "loader", "namespace": "hamburg", "uid": CONNECTOR_UID, "generation": 1}
    return Connector(**{**identity, "spec": parsed, **fields})


def feed(spec: Manifest | None = None, of: Service | None = None, **fields: Any) -> Feed:
    """It, and a service that takes tokens."""
    return Feed(connector(spec, **fields), of or keycloak_service())


def keycloak_service(spec: Manifest | None = None, **fields: Any) -> Service:
    """A service that takes the tokens of a realm."""
    return service({**KEYCLOAK, **(spec or {})}, **fields)


def jwt(client_id: str, service_client: str, roles: list[str], issued: float, seconds: float = 300) -> str:
    """A token of a client with roles of a service's."""
    claims = {
        "iat": int(issued),
        "exp": int(issued + seconds),
        "azp": client_id,
        "aud": service_client,
        "resource_access": {service_client: {"roles": roles}},
    }
    parts = [urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in ({"alg": "none"}, claims)]
    return ".".join([*parts, "signature"])
