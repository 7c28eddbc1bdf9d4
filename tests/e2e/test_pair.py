"""A managed database grows from one instance to two, and its instances fail under a steady stream of POSTs.

What was acknowledged stands in the database, once: so no primary acknowledged anything that its successor does not
know, and there were never two.
"""

from __future__ import annotations

import time
from collections.abc import Callable  # noqa: TC003 - a dataclass names one
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.e2e import pairs
from tests.e2e.clients import Answer, Stream
from tests.e2e.conftest import Running, service_of_its_own
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.kubernetes import Kubernetes
    from tests.e2e.services import Service

_PACE: Final = 0.04
"""Seconds between two POSTs."""


@dataclass
class _Timed(Stream):
    """Keeps when each POST was acknowledged."""

    times: list[float] = field(default_factory=list)

    def _request(self) -> Answer:
        answer = super()._request()
        if answer.status == 201:
            self.times.append(time.monotonic())
        return answer

    def pause(self, since: float) -> float:
        """The longest time from one acknowledgement to the next, seconds, of those that came after ``since``."""
        return max((after - before for before, after in pairwise(self.times) if after > since), default=0.0)


@pytest.fixture(scope="module")
def grown(kubernetes: Kubernetes) -> Iterator[Running]:
    """A service whose single database became a pair under a stream of POSTs; the stream is kept for the first test."""
    with service_of_its_own(kubernetes) as service:
        http = service.start(database=pairs.of_instances(1))
        yield Running(service, http, http.create_datastream())


def test_one_grows_into_two_with_all_it_has(grown: Running, measured: Callable[[str], None]) -> None:
    service, http, datastream = grown.service, grown.http, grown.datastream
    with _Timed(http, datastream, pace=_PACE) as stream:
        stream.await_acknowledged(100)
        (single,) = service.ready_pods("database")
        begun = time.monotonic()
        service.patch(database=pairs.of_instances(2))
        service.await_condition("InstancesAvailable", "True", seconds=pairs.PATIENCE)
        service.await_ready(pairs.PATIENCE)
        took = time.monotonic() - begun
        stream.await_acknowledged(100)
    assert len(service.pods("database")) == 2
    assert pairs.primary(service)["metadata"]["name"] == single["metadata"]["name"], "the one that had the data"
    _nothing_lost(grown, datastream, stream)
    pairs.await_pair(service)
    measured(f"Ready as a pair after {took:.0f} s; {_told(stream, begun)}")


def _rolled(service: Service, primary: dict[str, Any]) -> None:
    """Both pods, by a change of the spec."""
    resources = {"requests": {"cpu": "20m"}, "limits": {"cpu": "3"}}
    service.patch(database=pairs.of_instances(2, resources=resources))


@dataclass(frozen=True)
class _Case:
    """What happens to the pair.

    Args:
        cause: makes it happen, to the service and its primary.
        within: seconds after which POSTs are acknowledged again, at the latest.
        moves: another pod is the primary afterwards, for certain.
    """

    cause: Callable[[Service, dict[str, Any]], None]
    within: float
    moves: bool = True


# The limits are loose: what is measured is printed, and the machine has other things to do.
_CASES: Final = {
    "PostgreSQL of the primary killed": _Case(pairs.killed, 30),
    "primary drained": _Case(pairs.drained, 30),
    "pods rolled": _Case(_rolled, 60, moves=False),
    # Its successor of the same name may be back before anybody misses it.
    "primary's pod deleted by force": _Case(pairs.deleted, 60, moves=False),
    "primary's machine lost": _Case(pairs.lost, 60),
    "primary frozen": _Case(pairs.frozen, 90),
    "both pods killed": _Case(pairs.all_killed, 120, moves=False),
}


@pytest.mark.parametrize("case", _CASES.values(), ids=list(_CASES))
def test_nothing_acknowledged_is_lost(grown: Running, case: _Case, measured: Callable[[str], None]) -> None:
    service, http, datastream = grown.service, grown.http, grown.http.create_datastream()
    pairs.await_pair(service)
    primary = pairs.primary(service)
    with _Timed(http, datastream, pace=_PACE) as stream:
        stream.await_acknowledged(100)
        begun = time.monotonic()
        try:
            case.cause(service, primary)
            _await_change(service, primary, case)
        finally:
            pairs.found(service, primary)
        pairs.await_pair(service)
        took = time.monotonic() - begun
        stream.await_acknowledged(100)
    measured(f"{_told(stream, begun)}; all as before after {took:.0f} s")
    _nothing_lost(grown, datastream, stream)
    assert stream.pause(begun) < case.within
    if case.moves:
        assert pairs.primary(service)["metadata"]["name"] != primary["metadata"]["name"]


def _await_change(service: Service, primary: dict[str, Any], case: _Case) -> None:
    """Wait until another pod is the primary, or the one that was it began anew."""

    def began_anew(pod: dict[str, Any]) -> bool:
        now = {each["restartCount"] for each in pod["status"].get("containerStatuses", [])}
        before = {each["restartCount"] for each in primary["status"]["containerStatuses"]}
        return bool(pod["metadata"]["uid"] != primary["metadata"]["uid"] or now != before)

    def changed() -> bool:
        name = primary["metadata"]["name"]
        pods = service.ready_pods("database")
        moved = any(pairs.role(pod) == "primary" and pod["metadata"]["name"] != name for pod in pods)
        same = [pod for pod in pods if pod["metadata"]["name"] == name]
        return moved if case.moves else bool(same) and began_anew(same[0])

    eventually("the primary is another one, or began anew", changed, pairs.PATIENCE)


def _told(stream: _Timed, since: float) -> str:
    return (
        f"{stream.sent} POSTs, {len(stream.failed)} failed, {len(stream.acknowledged)} acknowledged, "
        f"longest pause {stream.pause(since):.1f} s"
    )


def _nothing_lost(running: Running, datastream: int, stream: Stream) -> None:
    stored = running.http.results(datastream)
    assert not {number: stored[number] for number in stream.acknowledged if stored[number] != 1}
    assert max(stored.values()) == 1
