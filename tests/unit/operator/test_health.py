"""Liveness is whether passes end, readiness whether everything was listed."""

import socket
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import aiohttp
import pytest

from sensorthings_operator import health
from sensorthings_operator.health import Health


@pytest.fixture
async def answers() -> AsyncIterator[tuple[Health, str]]:
    """A Health, and where it is served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    state = Health(lambda: state.ready, interval_seconds=60)
    runner = await health.serve(state, port=port)
    yield state, f"http://127.0.0.1:{port}"
    await runner.cleanup()


async def _status(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status


async def test_ready_is_said_once_everything_is_listed(answers: tuple[Health, str]) -> None:
    state, url = answers
    assert await _status(f"{url}/readyz") == 503
    assert await _status(f"{url}/livez") == 200, "listing is no reason to be restarted"
    state.ready = True
    assert await _status(f"{url}/readyz") == 200


class Clock:
    """Not the event loop's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.monotonic()
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr("sensorthings_operator.health.time", clock)


async def test_a_pass_that_hangs_ends_the_life(answers: tuple[Health, str], monkeypatch: pytest.MonkeyPatch) -> None:
    state, url = answers
    clock = Clock(monkeypatch)
    hanging, other = object(), object()
    state.pass_started(hanging)
    clock.now += 299
    state.pass_started(other)
    assert await _status(f"{url}/livez") == 200
    clock.now += 2
    state.pass_finished(other)
    assert state.trouble() == "a pass has been running for 301 s"
    assert await _status(f"{url}/livez") == 503
    state.pass_finished(hanging)
    assert await _status(f"{url}/livez") == 200


async def test_passes_that_do_not_come_end_it_too(answers: tuple[Health, str], monkeypatch: pytest.MonkeyPatch) -> None:
    state, url = answers
    clock = Clock(monkeypatch)
    clock.now += 10_000
    assert await _status(f"{url}/livez") == 200, "none is due while another one acts"
    state.ready = True
    clock.now += 359
    assert await _status(f"{url}/livez") == 200
    clock.now += 2
    assert state.trouble() == "no pass was finished for 361 s"
    assert await _status(f"{url}/livez") == 503
    state.pass_started("late")
    state.pass_finished("late")
    assert await _status(f"{url}/livez") == 200


async def test_metrics_are_served(answers: tuple[Health, str]) -> None:
    _, url = answers
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        text = await answer.text()
    for name in ("passes_total", "queue_depth", "services", "pass_duration_seconds_bucket"):
        assert f"sensorthings_operator_{name}" in text
