"""Events beside the passes: in line, one after the other, given up rather than waited for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import aiohttp
import pytest

from sensorthings_operator.apply.events import Events
from sensorthings_operator.clients.errors import ApiError
from tests.unit.operator.fake_api import FakeApi
from tests.unit.operator.samples import body
from tests.unit.operator.virtual_time import on_virtual_time

if TYPE_CHECKING:
    from sensorthings_operator.clients.kubernetes import KubernetesClient

_AIR = body()["metadata"]
_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _tell(events: Events, reason: str, note: str = "told") -> None:
    events.tell(_AIR, warning=True, reason=reason, note=note, now=_NOON)


@asynccontextmanager
async def _at_work(api: FakeApi) -> AsyncIterator[Events]:
    events = Events(cast("KubernetesClient", api), instance="test")
    task = asyncio.create_task(events.run())
    yield events
    assert not task.done(), "it never ends"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@on_virtual_time
async def test_an_event_names_its_service_and_fits() -> None:
    api = FakeApi()
    async with _at_work(api) as events:
        _tell(events, "SecretUnusable", "x" * 5000)
        await events.drain(1)
    (event,) = api.events
    assert event["type"] == "Warning"
    assert len(event["note"]) == 1024
    assert event["regarding"] == {
        "apiVersion": "sensorthings.city/v1alpha1",
        "kind": "SensorThingsService",
        **{field: _AIR[field] for field in ("name", "namespace", "uid")},
    }
    assert event["eventTime"] == "2026-01-01T12:00:00.000000Z"


@on_virtual_time
async def test_nobody_waits_for_them_and_they_come_one_after_the_other_in_their_order() -> None:
    api = FakeApi()
    async with _at_work(api) as events:
        for number in range(5):
            _tell(events, f"Reason{number}")
        assert api.events == [], "nothing is sent while a pass tells"
        await asyncio.sleep(0.25)
        assert api.running == 1
        await events.drain(10)
    assert [event["reason"] for event in api.events] == [f"Reason{number}" for number in range(5)]


@on_virtual_time
@pytest.mark.parametrize(
    "error",
    [ApiError(403, "Forbidden", "is being terminated"), aiohttp.ClientConnectionError("refused"), TimeoutError()],
    ids=repr,
)
async def test_one_that_can_not_be_told_is_logged_and_the_next_one_is_sent(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    api = FakeApi()
    errors = [error]
    api.fails = lambda *_: errors.pop() if errors else None
    async with _at_work(api) as events:
        _tell(events, "First")
        _tell(events, "Second")
        await events.drain(10)
    assert [event["reason"] for event in api.events] == ["Second"]
    assert "Event First can't be told" in caplog.text


@on_virtual_time
async def test_a_line_that_never_moves_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    api = FakeApi()
    events = Events(cast("KubernetesClient", api), instance="test")
    for number in range(1001):
        _tell(events, f"Reason{number}")
    assert "Event Reason1000 can't be told: too many wait already" in caplog.text
    assert caplog.text.count("can't be told") == 1


@on_virtual_time
async def test_a_stop_waits_for_them_no_longer_than_it_may(caplog: pytest.LogCaptureFixture) -> None:
    api = FakeApi()
    async with _at_work(api) as events:
        for number in range(100):
            _tell(events, f"Reason{number}")
        began = asyncio.get_running_loop().time()
        await events.drain(1)
        assert asyncio.get_running_loop().time() - began == pytest.approx(1)
    sent = len(api.events)
    assert 5 <= sent <= 10
    assert "Events are given up at the stop" in caplog.text
    await asyncio.sleep(10)
    assert len(api.events) == sent
