"""HTTPS, MQTT over TLS and secure WebSocket on loopback, with certificates of a CA that the test makes."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from sensorthings_operator.cli.access import Access, read_credentials
from sensorthings_operator.cli.addresses import BrokerUrl, ServiceUrl
from sensorthings_operator.cli.errors import AnswerError, SensorThingsError
from sensorthings_operator.cli.sensorthings import SensorThings
from sensorthings_operator.cli.subscription import Subscription
from sensorthings_operator.cli.tls import Authority as Trusted
from tests.unit.cli.fakes import Broker, Service
from tests.unit.cli.secure import HOST, Authority, TokenEndpoint, WebSocketRoute

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

LOOPBACK = ip_address("127.0.0.1")
SCHEMES = ["https", "mqtts", "wss"]


@pytest.fixture
def city(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def here(city: Authority) -> Access:
    """As ``--cacert city.crt --connect-to 127.0.0.1``."""
    return Access(Trusted.read(city.file), LOOPBACK)


async def reach(scheme: str, port: int, access: Access, host: str = HOST) -> None:
    """Read, or subscribe, once."""
    root = f"{scheme}://{host}:{port}"
    if scheme == "https":
        async with SensorThings(ServiceUrl.parse(f"{root}/FROST-Server/v1.1"), access=access) as session:
            await session.read("Things(1)")
    else:
        async with Subscription(BrokerUrl.parse(root), ["v1.1/a"], access=access):
            pass


async def attempt(scheme: str, tls: ssl.SSLContext | None, access: Access, host: str = HOST) -> None:
    """Read, or subscribe, once, at a server with this TLS."""
    async with (
        Broker(tls=tls if scheme == "mqtts" else None) as broker,
        Service(broker, tls=tls) as service,
        WebSocketRoute(tls=tls, broker=broker.port) as route,
    ):
        service.add("Things", {"name": "a"})
        await reach(scheme, {"https": service.port, "mqtts": broker.port, "wss": route.port}[scheme], access, host)


async def test_https_keeps_the_name_and_connects_to_the_address(city: Authority, here: Access) -> None:
    async with Broker() as broker, Service(broker, tls=city.server()) as fake:
        for number in range(3):
            fake.add("Things", {"name": str(number)})
        url = ServiceUrl.parse(f"https://{HOST}:{fake.port}/FROST-Server/v1.1")
        async with SensorThings(url, access=here) as session:
            assert len([thing async for thing in session.collect("Things")]) == 3
        assert {headers["host"] for headers in fake.headers} == {f"{HOST}:{fake.port}"}


async def test_mqtts_delivers(city: Authority, here: Access) -> None:
    async with Broker(tls=city.server()) as broker:
        url = BrokerUrl.parse(f"mqtts://{HOST}:{broker.port}")
        async with Subscription(url, ["v1.1/a"], access=here) as subscription:
            broker.publish("v1.1/a", b"1")
            assert (await anext(subscription)).payload == b"1"
        assert broker.logins == [()]


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_websocket_delivers_and_names_the_host(city: Authority, here: Access, scheme: str) -> None:
    tls = city.server() if scheme == "wss" else None
    async with Broker() as broker, WebSocketRoute(tls=tls, broker=broker.port) as route:
        url = BrokerUrl.parse(f"{scheme}://{HOST}:{route.port}/mqtt")
        async with Subscription(url, ["v1.1/a"], access=here) as subscription:
            broker.publish("v1.1/a", b"1")
            assert (await anext(subscription)).payload == b"1"
        (headers,) = route.headers
        assert headers["host"] == f"{HOST}:{route.port}"
        assert headers["origin"] == f"{'https' if tls else 'http'}://{HOST}:{route.port}"


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_each_way_works(city: Authority, here: Access, scheme: str) -> None:
    await attempt(scheme, city.server(), here)


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_another_ca_is_named(city: Authority, tmp_path: Path, scheme: str) -> None:
    other = Trusted.read(Authority(tmp_path, "other").file)
    with pytest.raises(SensorThingsError, match=rf"certificate of '{HOST}' is not of a CA in .*other\.crt") as refused:
        await attempt(scheme, city.server(), Access(other, LOOPBACK))
    assert "--cacert" in refused.value.remedy
    assert refused.value.where.startswith(f"{scheme}://{HOST}:")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_machine_does_not_trust_a_private_ca(city: Authority, scheme: str) -> None:
    with pytest.raises(SensorThingsError, match="of a CA that this machine does not trust") as refused:
        await attempt(scheme, city.server(), Access(connect_to=LOOPBACK))
    assert "--cacert FILE" in refused.value.remedy


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
async def test_a_certificate_for_another_name(city: Authority, here: Access, scheme: str, host: str) -> None:
    with pytest.raises(SensorThingsError, match=f"certificate is not valid for '{host}'") as refused:
        await attempt(scheme, city.server("www.city.example"), here, host)
    assert "--connect-to" in refused.value.remedy


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_an_expired_certificate(city: Authority, here: Access, scheme: str) -> None:
    with pytest.raises(SensorThingsError, match=f"certificate of '{HOST}' has expired") as refused:
        await attempt(scheme, city.server(days=-1), here)
    assert "sensorthings status" in refused.value.remedy


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_certificate_that_is_not_valid_yet(city: Authority, here: Access, scheme: str) -> None:
    with pytest.raises(SensorThingsError, match="is not valid yet") as refused:
        await attempt(scheme, city.server(days=30), here)
    assert "clock" in refused.value.remedy


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_controller_answers_with_a_certificate_of_its_own(city: Authority, here: Access, scheme: str) -> None:
    with pytest.raises(SensorThingsError, match="is self-signed, and not trusted") as refused:
        await attempt(scheme, city.server(self_signed=True), here)
    assert "ingress controller" in refused.value.remedy


@pytest.mark.parametrize("scheme", ["https", "wss"])
async def test_a_port_without_tls(here: Access, scheme: str) -> None:
    with pytest.raises(SensorThingsError, match="speaks no TLS") as refused:
        await attempt(scheme, None, here)
    assert "http://" in refused.value.remedy


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_server_that_hangs_up_on_the_handshake(here: Access, scheme: str) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(SensorThingsError, match="closed during the TLS handshake") as refused:
            await reach(scheme, port, here)
    assert "sensorthings status" in refused.value.remedy


async def test_the_token_goes_with_every_request_and_with_the_mqtt_connection(city: Authority, tmp_path: Path) -> None:
    tls = city.server()
    async with (
        TokenEndpoint(tls=tls) as endpoint,
        Broker(tls=tls) as broker,
        Service(broker, tls=tls, readers={"token-1"}, writers={"token-1"}) as fake,
    ):
        credentials = read_credentials(endpoint.credentials(tmp_path, HOST))
        access = Access(Trusted.read(city.file), LOOPBACK, credentials)
        url = ServiceUrl.parse(f"https://{HOST}:{fake.port}/FROST-Server/v1.1")
        async with SensorThings(url, access=access) as session:
            await session.create("Things", {"name": "a"})
            await session.read("Things(1)")
        assert [headers["authorization"] for headers in fake.headers] == ["Bearer token-1"] * 2
        assert endpoint.requests[0]["host"] == f"{HOST}:{endpoint.port}"
        async with Subscription(BrokerUrl.parse(f"mqtts://{HOST}:{broker.port}"), ["v1.1/a"], access=access):
            assert broker.logins == [("player", "token-2")]


async def test_without_credentials_a_refusal_asks_for_them(city: Authority, here: Access) -> None:
    async with Broker() as broker, Service(broker, tls=city.server(), writers={"token-1"}) as fake:
        url = ServiceUrl.parse(f"https://{HOST}:{fake.port}/FROST-Server/v1.1")
        async with SensorThings(url, access=here) as session:
            with pytest.raises(AnswerError, match="POST Things is refused: the service answered 401") as refused:
                await session.create("Things", {"name": "a"})
    assert "--client-credentials FILE" in refused.value.remedy


@pytest.mark.parametrize(
    ("readers", "status", "remedy"),
    [(set[str](), 401, "does not accept the token of client 'player'"), ({"token-1"}, 403, "lacks a role")],
)
async def test_a_refused_token_says_whose_and_what_to_do(
    city: Authority, tmp_path: Path, readers: set[str], status: int, remedy: str
) -> None:
    tls = city.server()
    async with (
        TokenEndpoint(tls=tls) as endpoint,
        Broker() as broker,
        Service(broker, tls=tls, readers=readers, writers=set()) as fake,
    ):
        credentials = read_credentials(endpoint.credentials(tmp_path, HOST))
        access = Access(Trusted.read(city.file), LOOPBACK, credentials)
        async with SensorThings(
            ServiceUrl.parse(f"https://{HOST}:{fake.port}/FROST-Server/v1.1"), access=access
        ) as session:
            with pytest.raises(AnswerError, match=f"POST Things is refused: the service answered {status}") as refused:
                await session.create("Things", {"name": "a"})
    assert remedy in refused.value.remedy
    assert "token-1" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


async def test_a_token_that_mqtt_refuses(city: Authority, tmp_path: Path) -> None:
    tls = city.server()
    async with TokenEndpoint(tls=tls) as endpoint, Broker(tls=tls, connack=4) as broker:
        credentials = read_credentials(endpoint.credentials(tmp_path, HOST))
        access = Access(Trusted.read(city.file), LOOPBACK, credentials)
        with pytest.raises(SensorThingsError, match="connection is refused: Bad user name or password") as refused:
            await Subscription(BrokerUrl.parse(f"mqtts://{HOST}:{broker.port}"), ["v1.1/a"], access=access).__aenter__()
    assert "does not accept the token of client 'player'" in refused.value.remedy
    assert "token-1" not in str(refused.value)


async def test_credentials_do_not_leave_the_machine_without_tls(tmp_path: Path) -> None:
    access = Access(credentials=read_credentials(TokenEndpoint(port=80).credentials(tmp_path)))
    with pytest.raises(SensorThingsError, match="not sent without TLS"):
        SensorThings(ServiceUrl.parse(f"http://{HOST}/v1.1"), access=access)
    with pytest.raises(SensorThingsError, match="not sent without TLS"):
        Subscription(BrokerUrl.parse(f"ws://{HOST}/mqtt"), ["a"], access=access)
