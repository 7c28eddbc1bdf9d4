"""``examples/hamburg/play.py`` as a person calls it, against an exposed service in this process."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner, Result

import play
from tests.unit.cli.fakes import Broker, Service
from tests.unit.cli.secure import HOST, Authority, TokenEndpoint, WebSocketRoute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

app = typer.Typer()
app.command()(play.main)

BRIEF = ["--duration=1", "--rate=20", "--intersections=1", "--output=json"]


class City:
    """A service behind TLS whose writers need a token."""

    def __init__(self, service: Service, arguments: list[str], credentials: Path) -> None:
        self.service = service
        self.arguments = arguments
        self.credentials = credentials

    async def play(self, *arguments: str) -> Result:
        """Call the player in a thread: it has an event loop of its own."""
        result = await asyncio.to_thread(CliRunner().invoke, app, [*self.arguments, *BRIEF, *arguments])
        assert "Traceback" not in result.output
        assert "token-" not in result.output
        assert "s3cret" not in result.output
        return result


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    authority = Authority(tmp_path)
    tls = authority.server()
    async with contextlib.AsyncExitStack() as stack:
        endpoint = await stack.enter_async_context(TokenEndpoint(tls=tls))
        broker = await stack.enter_async_context(Broker())
        route = await stack.enter_async_context(WebSocketRoute(tls=tls, broker=broker.port))
        service = await stack.enter_async_context(Service(broker, tls=tls, writers={"token-1"}))
        arguments = [
            f"--url=https://{HOST}:{service.port}/FROST-Server/v1.1",
            f"--mqtt=wss://{HOST}:{route.port}/mqtt",
            f"--cacert={authority.file}",
            "--connect-to=127.0.0.1",
        ]
        yield City(service, arguments, endpoint.credentials(tmp_path, HOST))


async def test_a_token_writes_and_all_is_delivered(city: City) -> None:
    result = await city.play("--client-credentials", str(city.credentials))
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["exact"]
    assert report["acknowledged"] == report["subscribers"][0]["delivered"] > 10
    assert report["subscribers"][0]["mqtt"].startswith(f"wss://{HOST}:")
    posts = [
        headers["authorization"]
        for request, headers in zip(city.service.requests, city.service.headers, strict=True)
        if request.startswith("POST")
    ]
    assert set(posts) == {"Bearer token-1"}


async def test_without_a_token_it_says_what_was_refused_and_what_to_do(city: City) -> None:
    result = await city.play()
    assert result.exit_code == 1
    assert "POST Sensors is refused: the service answered 401" in result.stderr
    assert f"at https://{HOST}:{city.service.port}/FROST-Server/v1.1/Sensors" in result.stderr
    assert "--client-credentials FILE" in result.stderr


async def test_a_token_without_the_role_is_told_whose_it_is(city: City) -> None:
    city.service.readers, city.service.writers = {"token-1"}, set()
    result = await city.play("--client-credentials", str(city.credentials))
    assert result.exit_code == 1
    assert "POST Sensors is refused: the service answered 403" in result.stderr
    assert "token of client 'player' lacks a role" in result.stderr


async def test_refused_observations_are_counted_with_what_to_do(city: City) -> None:
    first = await city.play("--client-credentials", str(city.credentials))
    assert first.exit_code == 0, first.output
    city.service.writers = {"token-of-another"}
    result = await city.play("--client-credentials", str(city.credentials))
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["acknowledged"] == 0
    ((reason, count),) = report["failed"].items()
    assert count == report["sent"]
    assert reason.startswith("the service answered 401. The service does not accept the token of client 'player'")
    assert f"{count} POSTs failed: {reason}" in result.stderr


async def test_credentials_that_the_authorization_server_refuses(city: City, tmp_path: Path) -> None:
    wrong = json.loads(city.credentials.read_text()) | {"client_secret": "s3cret-of-another"}
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(wrong))
    result = await city.play("--client-credentials", str(file))
    assert result.exit_code == 1
    assert "gave no token to client 'player' (401, invalid_client" in result.stderr
    assert f"at {wrong['token_url']}" in result.stderr


async def test_credentials_are_not_sent_without_tls(city: City) -> None:
    result = await city.play("--client-credentials", str(city.credentials), "--url=http://192.0.2.1/FROST-Server/v1.1")
    assert result.exit_code == 1
    assert "not sent without TLS" in result.stderr
