"""``sensorthings observe`` as a person calls it: what it writes, and what it ends with."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner, Result

from sensorthings_operator.cli.observe import observe
from sensorthings_operator.desired.delivery import MARK
from tests.unit.cli.fakes import Broker, Service
from tests.unit.cli.secure import HOST, Authority, TokenEndpoint, WebSocketRoute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

app = typer.Typer()
app.command()(observe)


@contextlib.asynccontextmanager
async def service(datastreams: int = 3) -> AsyncIterator[tuple[Service, Broker]]:
    async with Broker() as broker, Service(broker) as fake:
        for number in range(1, datastreams + 1):
            unit = {"name": "Status", "symbol": "-", "definition": "1=red,3=green"}
            thing = {"@iot.id": 1, "name": "9001"}
            fake.add("Datastreams", {"name": f"Signal K{number}", "unitOfMeasurement": unit, "Thing": thing})
        yield fake, broker


async def run(fake: Service, broker: Broker, *arguments: str) -> Result:
    """Call the command in a thread: it has an event loop of its own."""
    addresses = ["--url", fake.url, "--mqtt", broker.url]
    return await asyncio.to_thread(CliRunner().invoke, app, [*addresses, *arguments])


async def publish(broker: Broker, topics: int, *messages: tuple[str, object]) -> None:
    """Publish once so many topics are subscribed to."""
    await broker.until_subscribed(topics)
    for topic, payload in messages:
        broker.publish(topic, json.dumps(payload).encode())


def topic(number: int) -> str:
    return f"v1.1/Datastreams({number})/Observations"


async def test_all_datastreams_of_all_pages_are_observed() -> None:
    async with service(3) as (fake, broker):
        messages = [(topic(n), {"result": 3, "phenomenonTime": "2026-03-01T12:00:00Z"}) for n in (1, 2, 3)]
        result, _ = await asyncio.gather(run(fake, broker, "--count", "3"), publish(broker, 3, *messages))
    assert result.exit_code == 0, result.output
    heading, *lines = result.stdout.splitlines()
    assert heading.split() == ["received", "latency", "thing", "datastream", "phenomenonTime", "result"]
    assert [line[line.index("Signal") :].split()[1] for line in lines] == ["K1", "K2", "K3"]
    assert all(line.endswith("3 (green)") for line in lines)
    assert "Subscribed to 3 Datastreams" in result.stderr


async def test_the_operators_own_datastream_is_left_out_unless_it_is_asked_for() -> None:
    async with service(1) as (fake, broker):
        own = {
            "name": "check",
            "properties": {**MARK, "featureOfInterest": 1},
            "Thing": {"@iot.id": 2, "name": "check"},
        }
        fake.add("Datastreams", own)
        messages = [(topic(n), {"result": n, "phenomenonTime": "2026-03-01T12:00:00Z"}) for n in (1, 2)]
        result, _ = await asyncio.gather(run(fake, broker, "--count", "1"), publish(broker, 1, *messages))
        assert "Subscribed to v1.1/Datastreams(1)/Observations" in result.stderr, result.output
        broker.subscribed.clear()
        result, _ = await asyncio.gather(run(fake, broker, "2", "--count", "1"), publish(broker, 1, *messages))
        assert "Subscribed to v1.1/Datastreams(2)/Observations" in result.stderr, result.output


async def test_json_is_one_object_a_line() -> None:
    async with service() as (fake, broker):
        messages = [(topic(2), {"result": 1}), (topic(2), {"result": 3})]
        result, _ = await asyncio.gather(
            run(fake, broker, "2", "--count", "2", "--output", "json"), publish(broker, 1, *messages)
        )
    assert result.exit_code == 0, result.output
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(r["datastream"], r["thing"], r["result"]) for r in records] == [
        ("Signal K2", "9001", 1),
        ("Signal K2", "9001", 3),
    ]


async def test_topic_needs_no_http() -> None:
    async with service() as (fake, broker):
        result, _ = await asyncio.gather(
            run(fake, broker, "--topic", "v1.1/Things", "--count", "1"),
            publish(broker, 1, ("v1.1/Things", {"name": "9001"})),
        )
        assert fake.requests == []
    assert result.exit_code == 0, result.output
    assert '{"name":"9001"}' in result.stdout


async def test_nothing_within_the_timeout() -> None:
    async with service() as (fake, broker):
        result = await run(fake, broker, "--timeout", "0.1")
    assert result.exit_code == 3
    assert "Nothing arrived within 0.1 s" in result.stderr


async def test_less_than_count_within_the_timeout() -> None:
    async with service() as (fake, broker):
        result, _ = await asyncio.gather(
            run(fake, broker, "1", "--count", "2", "--timeout", "1"), publish(broker, 1, (topic(1), {"result": 1}))
        )
    assert result.exit_code == 3
    assert "1 of 2 arrived" in result.stderr


async def test_something_within_the_timeout_is_enough_without_count() -> None:
    async with service() as (fake, broker):
        result, _ = await asyncio.gather(
            run(fake, broker, "1", "--timeout", "1"), publish(broker, 1, (topic(1), {"result": 1}))
        )
    assert result.exit_code == 0, result.output


async def test_unknown_datastream_says_how_to_list_them() -> None:
    async with service() as (fake, broker):
        result = await run(fake, broker, "99")
    assert result.exit_code == 1
    assert "There is no Datastream '99'" in result.stderr
    assert f"{fake.url}/Datastreams?$select=id,name" in result.stderr
    assert "Traceback" not in result.output


async def test_service_without_datastreams() -> None:
    async with service(0) as (fake, broker):
        result = await run(fake, broker)
    assert result.exit_code == 1
    assert "There is no Datastream to observe" in result.stderr


async def test_refused_subscription() -> None:
    async with service() as (fake, broker):
        broker.refused.add(topic(2))
        result = await run(fake, broker)
    assert result.exit_code == 1
    assert f"subscription to {topic(2)} is refused" in result.stderr


async def test_lost_connection() -> None:
    async def hang_up(broker: Broker) -> None:
        await publish(broker, 1)
        await broker.hang_up()

    async with service() as (fake, broker):
        result, _ = await asyncio.gather(run(fake, broker, "1"), hang_up(broker))
    assert result.exit_code == 1
    assert "connection is lost" in result.stderr
    assert broker.url in result.stderr


async def test_an_exposed_service_that_asks_readers_for_a_token(tmp_path: Path) -> None:
    city = Authority(tmp_path)
    tls = city.server()
    async with (
        TokenEndpoint(tls=tls) as endpoint,
        Broker() as broker,
        WebSocketRoute(tls=tls, broker=broker.port) as route,
        Service(broker, tls=tls, readers={"token-1"}) as fake,
    ):
        fake.add("Datastreams", {"name": "Signal K1", "Thing": {"@iot.id": 1, "name": "9001"}})
        arguments = [
            f"--url=https://{HOST}:{fake.port}/FROST-Server/v1.1",
            f"--mqtt=wss://{HOST}:{route.port}/mqtt",
            f"--cacert={city.file}",
            "--connect-to=127.0.0.1",
            f"--client-credentials={endpoint.credentials(tmp_path, HOST)}",
            "--count=1",
        ]
        result, _ = await asyncio.gather(
            asyncio.to_thread(CliRunner().invoke, app, arguments), publish(broker, 1, (topic(1), {"result": 3}))
        )
        assert broker.logins == [("player", "token-2")]
    assert result.exit_code == 0, result.output
    assert "Signal K1" in result.stdout
    assert f"at wss://{HOST}:{route.port}/mqtt" in result.stderr
    assert not {"token-1", "token-2", "s3cret"} & set(result.output.split())


async def test_a_service_of_another_ca_ends_with_1(tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    async with Broker() as broker, Service(broker, tls=Authority(tmp_path).server()) as fake:
        address = f"https://{HOST}:{fake.port}/FROST-Server/v1.1"
        arguments = ["--url", address, "--cacert", str(other.file), "--connect-to", "127.0.0.1"]
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert result.exit_code == 1
    assert f"certificate of '{HOST}' is not of a CA in {other.file}" in result.stderr
    assert f"at {address}/Datastreams" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cacert", "/no/such/file"],
        ["--cacert", __file__],
        ["--connect-to", "iot.city.example"],
        ["--client-credentials", "/no/such/file"],
        ["--client-credentials", __file__],
        ["1", "--topic", "v1.1/Things"],
        ["--url", "http://127.0.0.1:8080"],
        ["--mqtt", "http://127.0.0.1"],
        ["--count", "0"],
        ["--timeout", "-1"],
        ["--output", "yaml"],
    ],
)
def test_wrong_call_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2
