"""A service behind a real Gateway, Envoy Gateway's: HTTPS, MQTT over TLS and WebSocket at one name, two services on the
same ports told apart by SNI, and open connections that others' changes leave alone.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from contextlib import suppress
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pytest
from rich.console import Console

from localcluster import addons, plan
from localcluster import cluster as local
from localcluster.addons import cert_manager, envoy_gateway
from localcluster.display import Display
from localcluster.installation import Installation
from tests.e2e.conftest import NAME, _connect, service_of_its_own
from tests.e2e.databases import PRIMARY, STANDBY, ExternalDatabase
from tests.e2e.outside import Outside, next_result
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.kubernetes import Kubernetes
    from tests.e2e.services import Service

_DRAINED_SECONDS: Final = 15.0
"""After which Envoy has closed what it drains: 10 s on this Gateway."""


@pytest.fixture(scope="module")
def gateway(_standing: None) -> Kubernetes:
    """The cluster with Envoy Gateway and cert-manager."""
    chosen = addons.choose(cert_manager.ADD_ON.name, envoy_gateway.ADD_ON.name)
    with Display(Console(stderr=True)) as display:
        endpoints = local.up(NAME, display, Installation(example=None, add_ons=chosen)).as_dict()
    return _connect(endpoints)


def _exposed(host: str, **routes: Any) -> dict[str, Any]:
    shared = {"name": envoy_gateway.GATEWAY, "namespace": envoy_gateway.GATEWAY_NAMESPACE}
    return {
        "host": f"{host}.{plan.GATEWAY_DOMAIN}",
        "exposure": {"type": "Gateway", "gateway": {**shared, **routes}},
        "certificate": {"issuerRef": {"name": cert_manager.ISSUER}},
    }


def _outside(service: Service) -> Outside:
    return Outside(service, plan.find(NAME).gateway, plan.find(NAME).authority)


async def test_the_oldest_service_goes_and_leaves_the_others_clients_alone(gateway: Kubernetes) -> None:
    """Before any other service is there: Envoy's listeners begin with the oldest one's."""
    with service_of_its_own(gateway) as oldest, service_of_its_own(gateway) as younger:
        oldest.apply(**_exposed("oldest"))
        await asyncio.to_thread(oldest.await_ready)
        younger.apply(**_exposed("younger", mqttTLS="Terminate"))
        await asyncio.to_thread(younger.await_ready)
        bikes = _outside(younger)
        datastream = await bikes.datastream()
        async with bikes.subscribed("mqtt", datastream) as tcp, bikes.subscribed("mqtt-websocket", datastream) as ws:
            await asyncio.to_thread(oldest.delete)
            await asyncio.to_thread(
                eventually, "its listeners are gone", lambda: _handshake(f"oldest.{plan.GATEWAY_DOMAIN}") == ""
            )
            await asyncio.sleep(_DRAINED_SECONDS)
            await bikes.observe(datastream, 5)
            assert [await next_result(each) for each in (tcp, ws)] == [5, 5]


@pytest.fixture(scope="module")
def lights(gateway: Kubernetes) -> Iterator[Outside]:
    """A service that is Ready, passed through to its sidecar."""
    with service_of_its_own(gateway) as service:
        service.apply(**_exposed("lights"))
        service.await_ready()
        yield _outside(service)


async def test_one_name_for_everything(lights: Outside) -> None:
    datastream = await lights.datastream()
    async with lights.subscribed("mqtt", datastream) as tcp, lights.subscribed("mqtt-websocket", datastream) as ws:
        await lights.observe(datastream, 3)
        assert [await next_result(each) for each in (tcp, ws)] == [3, 3]


def test_plain_http_is_told_to_come_back_encrypted(lights: Outside) -> None:
    connection = HTTPConnection(plan.find(NAME).gateway, 80, timeout=10)
    connection.request("GET", "/FROST-Server/v1.1", headers={"Host": f"lights.{plan.GATEWAY_DOMAIN}"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (
        301,
        f"https://lights.{plan.GATEWAY_DOMAIN}/FROST-Server/v1.1",
    )
    connection.close()
    assert lights.endpoint("sensorthings").startswith("https://")


def _handshake(host: str | None) -> str:
    """The names of the certificate that port 8883 shows for a name; empty where it shows none."""
    context = ssl.create_default_context(cafile=str(plan.find(NAME).authority))
    context.check_hostname = False
    plain = socket.create_connection((plan.find(NAME).gateway, 8883), 10)
    try:
        with context.wrap_socket(plain, server_hostname=host) as encrypted:
            shown: dict[str, Any] = dict(encrypted.getpeercert() or {})
            return ",".join(name for _, name in shown.get("subjectAltName", ()))
    except (ssl.SSLError, ConnectionError):
        return ""
    finally:
        plain.close()


def test_mqtt_is_refused_without_tls_and_to_strangers(lights: Outside) -> None:
    host = lights.service.body["spec"]["host"]
    assert _handshake(host) == host
    assert _handshake(f"nobody.{plan.GATEWAY_DOMAIN}") == ""
    assert _handshake(None) == ""
    with socket.create_connection((plan.find(NAME).gateway, 8883), 10) as plain:
        plain.settimeout(15)
        plain.sendall(bytes.fromhex("101000044d5154540402003c000474657374"))
        with suppress(ConnectionError):
            assert plain.recv(4) == b""


async def test_two_services_share_the_ports_and_leave_each_others_clients_alone(
    lights: Outside, gateway: Kubernetes, measured: Callable[[str], None]
) -> None:
    """The second comes, changes how its TLS ends, and goes, while the first one's clients stay connected."""
    datastream = await lights.datastream()
    async with lights.subscribed("mqtt", datastream) as tcp, lights.subscribed("mqtt-websocket", datastream) as ws:
        with service_of_its_own(gateway) as service:
            bikes = _outside(service)
            service.apply(**_exposed("bikes"))
            await asyncio.to_thread(service.await_ready)
            theirs = await bikes.datastream()
            async with bikes.subscribed("mqtt", theirs) as subscriber:
                await bikes.observe(theirs, 7)
                assert await next_result(subscriber) == 7
            service.apply(**_exposed("bikes", mqttTLS="Terminate"))
            await asyncio.to_thread(service.await_ready)
            assert _container_names(service) == {"frost-mqtt", "mqtt-gate"}
            async with (
                bikes.subscribed("mqtt", theirs) as subscriber,
                bikes.subscribed("mqtt-websocket", theirs) as web,
            ):
                await bikes.observe(theirs, 8)
                assert [await next_result(each) for each in (subscriber, web)] == [8, 8]
            await asyncio.to_thread(service.delete)
        await asyncio.to_thread(
            eventually, "its listeners are gone", lambda: _handshake(f"bikes.{plan.GATEWAY_DOMAIN}") == ""
        )
        await lights.observe(datastream, 5)
        assert [await next_result(each) for each in (tcp, ws)] == [5, 5]
    measured("open connections by MQTT and WebSocket survived another service's coming, change and end")


def _container_names(service: Service) -> set[str]:
    """Of what runs for long in the MQTT module's pod."""
    (pod,) = service.await_pods("mqtt", 1)
    spec = pod["spec"]
    sidecars = (each for each in spec.get("initContainers", ()) if each.get("restartPolicy") == "Always")
    return {each["name"] for each in (*spec["containers"], *sidecars)}


def test_what_is_referred_to_and_does_not_exist_is_told_of(gateway: Kubernetes) -> None:
    with service_of_its_own(gateway) as service:
        lost = _exposed("lost", name="nowhere")
        service.apply(**{**lost, "certificate": {"issuerRef": {"name": "nobody"}}})
        assert "there is no ClusterIssuer nobody" in service.await_condition(
            "CertificateReady", "False", "IssuerMissing"
        )
        told = service.await_condition("RoutesProgrammed", "False", "GatewayMissing")
        assert "there is no Gateway nowhere in the namespace gateways" in told
        service.apply(**_exposed("lost"))
        service.await_ready()


def test_a_host_belongs_to_the_older_service(lights: Outside, gateway: Kubernetes) -> None:
    with service_of_its_own(gateway) as service:
        service.apply(**_exposed("lights"))
        told = service.await_condition("RoutesProgrammed", "False", "HostTaken")
        assert f"{lights.service.namespace}/{lights.service.name}" in told
        lights.service.await_ready()


@pytest.fixture
def pair(gateway: Kubernetes) -> Iterator[ExternalDatabase]:
    """A primary and a standby that streams from it, with a role and a database ``city``."""
    made = ExternalDatabase(gateway, f"pair-{uuid4().hex[:8]}")
    made.scale(1)
    for role in ("city login", "replicator login replication"):
        made.sql(f"create role {role} password 'right'")
    made.sql("create database city owner city")
    made.sql("create extension postgis", "city")
    made.scale(1, STANDBY)
    yield made
    gateway.run("delete", "namespace", made.namespace, "--wait=false")


def _sessions(pair: ExternalDatabase, server: str, service: Service, part: str) -> int:
    """Connections that the pods of a part have to a server."""
    (pod,) = service.await_pods(part, 1)
    there = pair.sql("select client_addr from pg_stat_activity where client_addr is not null", server=server)
    return there.split().count(pod["status"]["podIP"])


async def test_reads_go_to_a_standby_and_to_the_primary_where_there_is_none(
    gateway: Kubernetes, pair: ExternalDatabase, measured: Callable[[str], None]
) -> None:
    with service_of_its_own(gateway) as service:
        behind = _outside(service)
        data = {"username": "city", "password": "right"}
        metadata = {"name": "credentials", "namespace": service.namespace}
        gateway.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
        external = {
            "primary": {"host": pair.host()},
            "replicas": [{"host": pair.host(STANDBY)}],
            "name": "city",
            "credentialsSecretRef": {"name": "credentials"},
            "tls": {"mode": "disable"},
        }
        small = {"requests": {"cpu": "20m"}}
        service.apply(
            **_exposed("reads"),
            http={"resources": small, "readReplicas": 1},
            database={"type": "External", "external": external, "maxStandbyLagSeconds": 5},
        )
        await asyncio.to_thread(service.await_ready)
        assert service.condition("ReadsAvailable")["status"] == "True"
        datastream = await behind.datastream()
        began = time.monotonic()
        await behind.observe(datastream, 4)
        path = f"Datastreams({datastream})/Observations?$select=result"
        while not (await behind.call("GET", path))[1]["value"]:
            assert time.monotonic() - began < 10
        measured(f"an Observation is read from the standby {time.monotonic() - began:.2f} s after its POST began")
        assert _sessions(pair, STANDBY, service, "http-read") > 0
        assert _sessions(pair, PRIMARY, service, "http-read") == 0
        assert _sessions(pair, PRIMARY, service, "http") > 0
        assert _sessions(pair, STANDBY, service, "http") == 0
        await _reads_leave_a_standby_that_is_late(pair, service, behind, measured)
        await asyncio.to_thread(pair.scale, 0, STANDBY)
        statuses = [(await behind.call("GET", path))[0] for _ in range(20)]
        measured(f"reads after the standby went: {statuses}")
        assert statuses[-1] == 200


async def _reads_leave_a_standby_that_is_late(
    pair: ExternalDatabase, service: Service, behind: Outside, measured: Callable[[str], None]
) -> None:
    datastream = await behind.datastream()
    path = f"Datastreams({datastream})/Observations?$select=result"
    pair.sql("select pg_wal_replay_pause()", server=STANDBY)
    began = time.monotonic()
    await behind.observe(datastream, 5)
    answers: set[int] = set()
    read: Any = None
    while not read:
        status, answer, _ = await behind.call("GET", path)
        # What the standby has not replayed is not there for who reads.
        answers.add(status)
        read = (answer or {}).get("value")
        assert time.monotonic() - began < 120
    measured(f"reads left a standby that does not replay after {time.monotonic() - began:.0f} s; statuses {answers}")
    assert read == [{"result": 5}]
    await asyncio.to_thread(service.await_condition, "ReadsAvailable", "True", "ReadsAtPrimary")
    pair.sql("select pg_wal_replay_resume()", server=STANDBY)
    began = time.monotonic()
    await asyncio.to_thread(service.await_condition, "ReadsAvailable", "True", "ReadsReady", 180)
    measured(f"and came back {time.monotonic() - began:.0f} s after it went on")


async def test_limits_of_envoy_gateway_hold(gateway: Kubernetes) -> None:
    with service_of_its_own(gateway) as service:
        busy = _outside(service)
        service.apply(**_exposed("busy", envoyGateway={"requestsPerMinute": 20}))
        await asyncio.to_thread(service.await_ready)
        statuses = [(await _status(busy)) for _ in range(30)]
        assert statuses[:15] == [200] * 15
        assert 429 in statuses[20:]
        service.apply(**_exposed("busy", envoyGateway={"requestsPerMinutePerToken": 20}))
        deadline = time.monotonic() + 60
        while 429 not in [await _status(busy, token="first") for _ in range(25)]:
            assert time.monotonic() < deadline, "a token has no limit"
        assert await _status(busy, token="second") == 200, "each has its own"
        assert [await _status(busy) for _ in range(30)] == [200] * 30, "and who has none is not counted"


async def _status(behind: Outside, token: str = "") -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        behind.access.http(timeout=20) as session,
        session.get(f"{behind.endpoint('sensorthings')}", headers=headers) as answer,
    ):
        return answer.status
