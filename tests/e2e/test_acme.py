"""A certificate as a city gets it: of an ACME server that proves the host by HTTP-01, through the service's own way in;
used for HTTPS, MQTT and WebSocket, and renewed while clients stay on.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
from rich.console import Console

from localcluster import addons, plan
from localcluster import cluster as local
from localcluster.addons import envoy_gateway, pebble
from localcluster.display import Display
from localcluster.installation import Installation
from tests.e2e.conftest import NAME, _connect, service_of_its_own
from tests.e2e.netns import inside
from tests.e2e.outside import Outside, next_result
from tests.e2e.renewal import renew, serial

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.kubernetes import Kubernetes

_RENEWAL_SECONDS = 240.0
"""The order takes twenty; the kubelet brings the Secret to the MQTT module's pods within a minute or two."""


@dataclass(frozen=True)
class _Way:
    """A way in.

    Args:
        host: a name that leads there.
        exposure: of the spec.
    """

    host: str
    exposure: dict[str, Any]

    @property
    def address(self) -> str:
        """Where the host leads, on this machine's loopback."""
        cluster = plan.find(NAME)
        return cluster.gateway if self.exposure["type"] == "Gateway" else cluster.edge


def _gateway(host: str, **routes: str) -> _Way:
    shared = {"name": envoy_gateway.GATEWAY, "namespace": envoy_gateway.GATEWAY_NAMESPACE}
    return _Way(f"{host}.{plan.GATEWAY_DOMAIN}", {"type": "Gateway", "gateway": {**shared, **routes}})


_WAYS: Final = {
    "ingress-nginx": _Way(f"acme.{plan.DOMAIN}", {"type": "IngressNginx"}),
    "Gateway": _gateway("acme"),
    "Gateway that ends TLS": _gateway("acme-terminated", mqttTLS="Terminate"),
}


@pytest.fixture(scope="module")
def acme(_standing: None) -> Kubernetes:
    """The cluster with ingress-nginx, a Gateway, cert-manager and an ACME server."""
    chosen = addons.choose(pebble.ADD_ON.name, envoy_gateway.ADD_ON.name)
    with Display(Console(stderr=True)) as display:
        endpoints = local.up(NAME, display, Installation(example=None, add_ons=chosen)).as_dict()
    return _connect(endpoints)


@pytest.fixture(scope="module")
def roots(acme: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What clients of this ACME server's certificates trust: its root is drawn at each of its starts."""
    spec = acme.get(f"/api/v1/namespaces/{pebble.NAMESPACE}/services/pebble")["spec"]
    context = ssl.create_default_context(cafile=str(plan.find(NAME).authority))
    with inside(acme.netns):
        plain = socket.create_connection((spec["clusterIP"], 15000), 10)
    with context.wrap_socket(plain, server_hostname="pebble.pebble.svc") as encrypted:
        encrypted.sendall(b"GET /roots/0 HTTP/1.0\r\nHost: pebble.pebble.svc\r\n\r\n")
        answer = b"".join(iter(lambda: encrypted.recv(65536), b""))
    file = tmp_path_factory.mktemp("roots") / "root.pem"
    file.write_bytes(answer.split(b"\r\n\r\n", 1)[1])
    return file


@pytest.mark.parametrize("way", _WAYS.values(), ids=list(_WAYS))
async def test_it_is_issued_used_and_renewed_while_clients_stay_on(
    acme: Kubernetes, roots: Path, way: _Way, measured: Callable[[str], None]
) -> None:
    def shown(port: int) -> str:
        return serial(way.host, way.address, port, roots)

    with service_of_its_own(acme) as service:
        began = time.monotonic()
        service.apply(host=way.host, exposure=way.exposure, certificate={"issuerRef": {"name": pebble.ISSUER}})
        await asyncio.to_thread(service.await_condition, "CertificateReady", "True", "CertificateIssued")
        measured(f"issued {time.monotonic() - began:.0f} s after the apply")
        await asyncio.to_thread(service.await_ready)
        client = Outside(service, way.address, roots)
        datastream = await client.datastream()
        async with client.subscribed("mqtt", datastream) as tcp, client.subscribed("mqtt-websocket", datastream) as ws:
            before = {port: shown(port) for port in (443, 8883)}
            await asyncio.to_thread(renew, acme, service.namespace, service.name)
            began, taken, sent = time.monotonic(), dict[int, float](), 0
            while len(taken) < len(before):
                assert time.monotonic() - began < _RENEWAL_SECONDS, f"still {before}, taken up {taken}"
                await client.observe(datastream, sent)
                assert [await next_result(each) for each in (tcp, ws)] == [sent, sent]
                sent += 1
                for port in before.keys() - taken.keys():
                    if await asyncio.to_thread(shown, port) != before[port]:
                        taken[port] = round(time.monotonic() - began, 1)
            measured(
                f"renewed: seconds until each port showed the new certificate {taken}; {sent} Observations POSTed "
                "meanwhile, none failed, each told of once to a subscriber by MQTT and one by WebSocket"
            )
            with suppress(TimeoutError):
                extra = await asyncio.wait_for(next_result(tcp), 2)
                pytest.fail(f"told of twice: {extra}")
        assert len(service.pods("mqtt")) == 1
        assert service.pods("mqtt")[0]["status"]["containerStatuses"][0]["restartCount"] == 0
