"""Pods go under load where each module has two: one is killed, or asked to end as by a drain.

What was acknowledged stands in the database, once. What clients see meanwhile is counted, request by request and
Observation by Observation: the figures stand at the end of a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.e2e.clients import Stream, subscribers
from tests.e2e.conftest import Running, service_of_its_own
from tests.e2e.services import kill
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.kubernetes import Kubernetes
    from tests.e2e.services import Service

_TIER: Final[dict[str, Any]] = {"replicas": 2, "resources": {"requests": {"cpu": "20m"}}}
_SUBSCRIBERS: Final = 4
_PACE: Final = 0.04
"""Seconds between two POSTs."""


@pytest.fixture(scope="module")
def twice(kubernetes: Kubernetes) -> Iterator[Running]:
    """A service with two pods of each module."""
    with service_of_its_own(kubernetes) as service:
        http = service.start(http=_TIER, mqtt=_TIER)
        yield Running(service, http, http.create_datastream())


def _killed(service: Service, part: str) -> None:
    """As for want of memory: ended without a word, and started again in its pod."""
    kill(service.ready_pods(part)[0], b"java")


def _drained(service: Service, part: str) -> None:
    """As by kubectl drain: asked to end, in time."""
    service.kubernetes.evict(service.ready_pods(part)[0])


_CAUSES: Final = {"killed": _killed, "drained": _drained}


@pytest.mark.parametrize("part", ["http", "mqtt"])
@pytest.mark.parametrize("cause", list(_CAUSES))
def test_what_was_acknowledged_is_there(twice: Running, part: str, cause: str, measured: Callable[[str], None]) -> None:
    service, http, datastream = twice.service, twice.http, twice.http.create_datastream()
    before = {pod["metadata"]["uid"]: _restarts(pod) for pod in service.await_pods(part, 2)}
    there = [service.subscriber(datastream, reconnect=True) for _ in range(_SUBSCRIBERS)]
    with subscribers(*there), Stream(http, datastream, pace=_PACE) as stream:
        stream.await_acknowledged(30)
        _CAUSES[cause](service, part)
        _await_change(service, part, before)
        service.await_pods(part, 2)
        stream.await_acknowledged(60)
        # Whoever lost its pod is at another one by now.
        after = stream.sent
        stream.await_acknowledged(60)
        wanted = {number for number in stream.acknowledged if number > after}
        for subscriber in there:
            subscriber.await_results(wanted)
    missed = sorted(len(stream.acknowledged - set(subscriber.results)) for subscriber in there)
    doubled = sum(sum(each.results.values()) - len(each.results) for each in there)
    measured(
        f"{stream.sent} POSTs, {len(stream.failed)} failed {_span(stream)}, {len(stream.acknowledged)} acknowledged; "
        f"not told to the {_SUBSCRIBERS} subscribers: {missed}, told again: {doubled}"
    )
    stored = http.results(datastream)
    assert not {number: stored[number] for number in stream.acknowledged if stored[number] != 1}
    if part == "mqtt" or cause == "drained":
        assert stream.failed == []
    if part == "http" and cause == "drained":
        assert missed == [0] * _SUBSCRIBERS
    service.await_ready()


def _restarts(pod: dict[str, Any]) -> int:
    return sum(each["restartCount"] for each in pod["status"]["containerStatuses"])


def _await_change(service: Service, part: str, before: dict[str, int]) -> None:
    """Wait until a pod is another one, or began anew."""

    def changed() -> bool:
        now = {pod["metadata"]["uid"]: _restarts(pod) for pod in service.ready_pods(part)}
        return len(now) == len(before) and now != before

    eventually(f"another pod of {part}", changed)


def _span(stream: Stream) -> str:
    if not stream.failed:
        return ""
    times = [when for when, _ in stream.failed]
    return f"(within {times[-1] - times[0] + _PACE:.1f} s: {stream.failed[0][1].text or stream.failed[0][1].status})"
