"""Tokens by client credentials: when they are fetched, what is sent, and what a refusal says."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from sensorthings_operator.cli.access import Access, read_credentials
from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.tls import Authority as Trusted
from sensorthings_operator.cli.tokens import Tokens
from tests.unit.cli.secure import Authority, TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextlib.asynccontextmanager
async def tokens(endpoint: TokenEndpoint, folder: Path, clock: Clock, **changed: str) -> AsyncIterator[Tokens]:
    credentials = read_credentials(endpoint.credentials(folder, **changed))
    async with Tokens(Access(credentials=credentials), credentials, clock=clock, timeout=5) as fetched:
        yield fetched


async def renewed() -> None:
    """Wait for the renewal that runs beside the test."""
    await asyncio.wait([task for task in asyncio.all_tasks() if task.get_name() == "token"], timeout=5)


async def test_one_token_serves_until_most_of_its_life_is_over(tmp_path: Path) -> None:
    clock = Clock()
    async with TokenEndpoint(lives=100) as endpoint, tokens(endpoint, tmp_path, clock) as current:
        assert [await current.current() for _ in range(3)] == ["token-1"] * 3
        clock.now += 69
        assert await current.current() == "token-1"
        assert endpoint.given == 1
        assert endpoint.requests == [
            {"login": "player:s3cret", "host": f"127.0.0.1:{endpoint.port}", "grant": "client_credentials"}
        ]


async def test_the_next_token_is_fetched_beside_the_requests_that_use_the_old_one(tmp_path: Path) -> None:
    clock = Clock()
    async with TokenEndpoint(lives=100) as endpoint, tokens(endpoint, tmp_path, clock) as current:
        await current.current()
        endpoint.held = asyncio.Event()
        clock.now += 71
        assert [await current.current() for _ in range(3)] == ["token-1"] * 3
        endpoint.held.set()
        await renewed()
        assert await current.current() == "token-2"
        assert endpoint.given == 2


async def test_an_expired_token_is_never_given_out(tmp_path: Path) -> None:
    clock = Clock()
    async with TokenEndpoint(lives=100) as endpoint, tokens(endpoint, tmp_path, clock) as current:
        await current.current()
        clock.now += 100
        assert await asyncio.gather(*(current.current() for _ in range(20))) == ["token-2"] * 20
        assert endpoint.given == 2


async def test_a_failed_renewal_is_no_harm_while_the_token_lives(tmp_path: Path) -> None:
    clock = Clock()
    async with TokenEndpoint(lives=100) as endpoint, tokens(endpoint, tmp_path, clock) as current:
        await current.current()
        endpoint.answers = [(503, ""), (503, "")]
        clock.now += 80
        assert await current.current() == "token-1"
        await renewed()
        # Not asked again at once, for each request.
        assert [await current.current() for _ in range(3)] == ["token-1"] * 3
        assert len(endpoint.requests) == 2
        clock.now += 21
        with pytest.raises(SensorThingsError, match="503"):
            await current.current()
        with pytest.raises(SensorThingsError, match="503"):
            await current.current()
        assert len(endpoint.requests) == 3
        clock.now += 6
        assert await current.current() == "token-2"


async def test_a_server_that_does_not_say_how_long_is_asked_within_the_minute(tmp_path: Path) -> None:
    clock = Clock()
    async with TokenEndpoint(lives=None) as endpoint, tokens(endpoint, tmp_path, clock) as current:
        assert await current.current() == "token-1"
        clock.now += 60
        assert await current.current() == "token-2"


async def test_the_login_is_form_encoded(tmp_path: Path) -> None:
    async with TokenEndpoint() as endpoint, tokens(endpoint, tmp_path, Clock(), client_secret="a:b/ü") as current:
        with pytest.raises(SensorThingsError):
            await current.current()
        assert endpoint.requests[0]["login"] == "player:a%3Ab%2F%C3%BC"


async def test_a_refused_client_is_told_without_its_secret(tmp_path: Path) -> None:
    async with TokenEndpoint() as endpoint, tokens(endpoint, tmp_path, Clock(), client_secret="wr0ng") as current:
        with pytest.raises(SensorThingsError, match="gave no token to client 'player'") as refused:
            await current.current()
    said = str(refused.value)
    assert "401, invalid_client: Invalid client credentials" in said
    assert "wr0ng" not in said
    assert "Service accounts" in said
    assert f"127.0.0.1:{endpoint.port}/realms/city" in said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {"error": "Realm does not exist"}), "404, Realm does not exist.*Check token_url"),
        ((404, "<html>"), r"\(404\).*Check token_url"),
        ((200, "<html>"), "holds no access_token.*token endpoint"),
        ((200, "[]"), "holds no access_token"),
        ((200, {"access_token": 7}), "holds no access_token"),
        ((302, ""), r"\(302\)"),
    ],
)
async def test_odd_answers(tmp_path: Path, answer: tuple[int, object], said: str) -> None:
    async with TokenEndpoint(answers=[answer]) as endpoint, tokens(endpoint, tmp_path, Clock()) as current:
        with pytest.raises(SensorThingsError, match=f"(?s){said}"):
            await current.current()


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    async with TokenEndpoint() as endpoint:
        pass
    async with tokens(endpoint, tmp_path, Clock()) as current:
        with pytest.raises(SensorThingsError, match=r"(?s)authorization server cannot be reached.*Check token_url"):
            await current.current()


async def test_the_token_endpoint_is_verified_by_the_same_ca(tmp_path: Path) -> None:
    city, other = Authority(tmp_path), Authority(tmp_path, "other")
    async with TokenEndpoint(tls=city.server("localhost")) as endpoint:
        credentials = read_credentials(endpoint.credentials(tmp_path, "localhost"))
        async with Tokens(Access(Trusted.read(city.file), credentials=credentials), credentials) as right:
            assert await right.current() == "token-1"
        async with Tokens(Access(Trusted.read(other.file), credentials=credentials), credentials) as wrong:
            with pytest.raises(SensorThingsError, match=r"not of a CA in .*other\.crt") as refused:
                await wrong.current()
        assert refused.value.where == credentials.token_url


async def test_a_secret_does_not_leave_the_machine_without_tls(tmp_path: Path) -> None:
    endpoint = TokenEndpoint(port=80)
    credentials = read_credentials(endpoint.credentials(tmp_path, "id.city.example"))
    with pytest.raises(SensorThingsError, match="not sent without TLS"):
        Tokens(Access(credentials=credentials), credentials)
