"""Pods go under load where each module has two: killed, asked to end by a drain, evicted by the kubelet, rolled.

What was acknowledged stands in the database, once. What clients see meanwhile is counted, request by request and
Observation by Observation: these are the figures of docs/failure-modes.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence  # noqa: TC003 - a dataclass names one
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from localcluster import plan
from tests.e2e.clients import Stream, Subscriber, subscribers
from tests.e2e.conftest import NAME, Running, service_of_its_own
from tests.e2e.pressure import short_of_memory
from tests.e2e.services import kill, processes
from tests.e2e.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.kubernetes import Kubernetes
    from tests.e2e.services import Service

_STORAGE: Final = "64Mi"
_TOO_MUCH: Final = 128 * 1024 * 1024
"""Bytes: twice what a pod may write to its own disk."""
_LIMITS: Final = {"ephemeral-storage": _STORAGE}
_MQTT: Final[dict[str, Any]] = {"replicas": 2, "resources": {"requests": {"cpu": "20m"}, "limits": _LIMITS}}
# A pod that uses more memory than it asked for is the first to go when a node runs short of it.
_HTTP: Final[dict[str, Any]] = {
    "replicas": 2,
    "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {**_LIMITS, "memory": "768Mi"}},
}
_SUBSCRIBERS: Final = 4
_PACE: Final = 0.04
"""Seconds between two POSTs."""
_DISK_SECONDS: Final = 240.0
"""Until the kubelet acts on what a pod has on its disk: it looks once a minute or two."""


@pytest.fixture(scope="module")
def twice(kubernetes: Kubernetes) -> Iterator[Running]:
    """A service with two pods of each module."""
    with service_of_its_own(kubernetes) as service:
        http = service.start(http=_HTTP, mqtt=_MQTT)
        yield Running(service, http, http.create_datastream())


def _killed(service: Service, part: str) -> None:
    """As for want of memory: ended without a word, and started again in its pod."""
    kill(service.ready_pods(part)[0], b"java")


def _drained(service: Service, part: str) -> None:
    """As by kubectl drain: asked to end, in time."""
    service.kubernetes.evict(service.ready_pods(part)[0])


def _over_its_storage(service: Service, part: str) -> None:
    """By the kubelet, at once: the pod wrote more to the node's disk than it may."""
    there, pod = _uids(service, part), service.ready_pods(part)[0]
    ballast = processes(pod, b"java")[0] / "root/tmp/ballast"
    with ballast.open("wb") as file:
        file.truncate(0)
        file.write(b"\0" * _TOO_MUCH)
    _await_evicted(service, part, there, _DISK_SECONDS)


def _short_of_memory(service: Service, part: str) -> None:
    """By the kubelet: the node runs short of memory, and the pod uses more than it asked for.

    It has time to end, but is not on its way out for anybody else, so requests come until it has.
    """
    there = _uids(service, part)
    with short_of_memory(plan.find(NAME)):
        _await_evicted(service, part, there)


def _uids(service: Service, part: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in service.pods(part)}


def _await_evicted(service: Service, part: str, there: set[str], seconds: float = PATIENCE) -> None:
    """Wait until the kubelet has one of them go."""
    eventually(f"the kubelet evicts a pod of {part}", lambda: not there <= _uids(service, part), seconds)


def _rolled(service: Service, part: str) -> None:
    """By a change of settings, one after the other."""
    service.patch(**{part: {"settings": {"defaultTop": "51"}}})


@dataclass(frozen=True)
class _Case:
    """What happens to the pods of a part.

    Args:
        cause: makes it happen.
        part: whose pods.
        in_order: a pod is told to end, and requests that it has begun are answered.
        everyone: all pods go, one after the other.
    """

    cause: Callable[[Service, str], None]
    part: str
    in_order: bool = False
    everyone: bool = False


# Those of MQTT first, and of HTTP those first that go in order: who went without a word may leave connections behind in
# the node's connection tracking, and a client that comes to one of their ports later waits in vain.
_CASES: Final = {
    "killed MQTT": _Case(_killed, "mqtt"),
    "drained MQTT": _Case(_drained, "mqtt", in_order=True),
    "MQTT over its storage": _Case(_over_its_storage, "mqtt"),
    "rolled MQTT": _Case(_rolled, "mqtt", in_order=True, everyone=True),
    "drained HTTP": _Case(_drained, "http", in_order=True),
    "rolled HTTP": _Case(_rolled, "http", in_order=True, everyone=True),
    "killed HTTP": _Case(_killed, "http"),
    "HTTP over its storage": _Case(_over_its_storage, "http"),
    "node short of memory": _Case(_short_of_memory, "http"),
}


@pytest.mark.parametrize("case", _CASES.values(), ids=list(_CASES))
def test_what_was_acknowledged_is_there(twice: Running, case: _Case, measured: Callable[[str], None]) -> None:
    service, http, datastream = twice.service, twice.http, twice.http.create_datastream()
    before = {pod["metadata"]["uid"]: _restarts(pod) for pod in service.await_pods(case.part, 2)}
    there = [service.subscriber(datastream, reconnect=True) for _ in range(_SUBSCRIBERS)]
    with subscribers(*there), Stream(http, datastream, pace=_PACE) as stream:
        _await_told(stream, there)
        first = stream.sent
        stream.await_acknowledged(30)
        case.cause(service, case.part)
        _await_change(service, case.part, before, everyone=case.everyone)
        service.await_pods(case.part, 2)
        _await_told(stream, there)
        after = stream.sent
        stream.await_acknowledged(60)
        wanted = {number for number in stream.acknowledged if number > after}
        for subscriber in there:
            subscriber.await_results(wanted)
        last = max(wanted)
    # FROST-Server knows of a subscription only after it was acknowledged: what was POSTed until then does not count,
    # nor what was POSTed last and nobody waited for.
    due = {number for number in stream.acknowledged if first < number <= last}
    missed = sorted(len(due - set(subscriber.results)) for subscriber in there)
    doubled = sum(sum(each.results.values()) - len(each.results) for each in there)
    measured(
        f"{stream.sent} POSTs, {len(stream.failed)} failed {_span(stream)}, {len(stream.acknowledged)} acknowledged; "
        f"not told to the {_SUBSCRIBERS} subscribers: {missed}, told again: {doubled}"
    )
    stored = http.results(datastream)
    assert not {number: stored[number] for number in stream.acknowledged if stored[number] != 1}
    if case.part == "mqtt" or case.in_order:
        assert stream.failed == []
    if case.part == "http" and case.in_order:
        assert missed == [0] * _SUBSCRIBERS
    service.await_ready()


def _restarts(pod: dict[str, Any]) -> int:
    return sum(each["restartCount"] for each in pod["status"]["containerStatuses"])


def _await_change(service: Service, part: str, before: dict[str, int], *, everyone: bool) -> None:
    """Wait until a pod is another one, or began anew; ``everyone``: until all are others, and the old ones gone."""

    def changed() -> bool:
        running = service.running_pods(part)
        if everyone:
            return not {pod["metadata"]["uid"] for pod in running} & before.keys()
        # One on its way out goes on telling its subscribers, who lose it only then.
        if any("deletionTimestamp" in pod["metadata"] for pod in running):
            return False
        now = {pod["metadata"]["uid"]: _restarts(pod) for pod in service.ready_pods(part)}
        return len(now) == len(before) and now != before

    eventually(f"another pod of {part}", changed)


def _await_told(stream: Stream, there: Sequence[Subscriber]) -> None:
    """Wait until each subscriber is told of what is POSTed from now on: it is, or is again, at a pod that knows it."""
    mark = stream.sent
    eventually("all subscribers are told", lambda: all(max(each.results, default=0) > mark for each in there))


def _span(stream: Stream) -> str:
    if not stream.failed:
        return ""
    times = [when for when, _ in stream.failed]
    return f"(within {times[-1] - times[0] + _PACE:.1f} s: {stream.failed[0][1].text or stream.failed[0][1].status})"
