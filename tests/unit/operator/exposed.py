"""Services that ingress-nginx leads to, for tests."""

from typing import Any

from sensorthings_operator.desired.service import Service
from tests.unit.operator.samples import service

HOST = "iot.hamburg.example"


def exposed(port: int | None = None, *, routes: dict[str, Any] | None = None, **fields: Any) -> Service:
    """A service with a host and a certificate; ``routes`` is its spec.exposure.ingressNginx."""
    given = {**(routes or {}), **({} if port is None else {"mqttPort": port})}
    exposure = {"type": "IngressNginx", **({"ingressNginx": given} if given else {})}
    spec = {"host": HOST, "exposure": exposure, "certificate": {"issuerRef": {"name": "city-ca"}}}
    return service(spec, **fields)
