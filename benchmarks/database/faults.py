"""The primary of a pair is lost in several ways: how long nobody takes writes, and what of that time goes where."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from benchmarks.database.writing import Writing
from tests.e2e import pairs
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.services import Service

_LOOK_SECONDS: Final = 0.1
_CHANGE_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Fault:
    """What befalls the primary.

    Args:
        cause: makes it happen, to the service and its primary.
        seconds: the goal, from then until a POST is answered with 201 again.
    """

    cause: Callable[[Service, dict[str, Any]], None]
    seconds: float


FAULTS: Final = {
    "killed": Fault(pairs.killed, 10),
    "frozen": Fault(pairs.frozen, 30),
    "lost": Fault(pairs.lost, 30),
}
SWITCHOVER_SECONDS: Final = 3.0


@dataclass(frozen=True)
class Outage:
    """What a fault did; seconds since it.

    Args:
        detected: another pod was the leader in what the pods agree on.
        promoted: Patroni called that pod the primary.
        answered: a POST was answered with 201 again, after the longest pause.
        pause: the longest time without an acknowledgement.
        lost: Observations that were acknowledged, and are not there once.
        retried, given_up: POSTs that failed once, and that failed twice.
    """

    detected: float
    promoted: float
    answered: float
    pause: float
    lost: int
    retried: int
    given_up: int

    def __str__(self) -> str:
        return (
            f"another leader after {self.detected:.1f} s, primary after {self.promoted:.1f} s, 201 after "
            f"{self.answered:.1f} s; longest pause {self.pause:.1f} s; {self.lost} lost, {self.retried} sent twice, "
            f"{self.given_up} failed twice"
        )


class _Successor:
    """Looks for another leader and another primary than a pod, in a thread of its own."""

    def __init__(self, service: Service, former: str) -> None:
        self._service = service
        self._former = former
        self.leads: float | None = None
        self.is_primary: float | None = None

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(_CHANGE_SECONDS)

    def _look(self) -> None:
        service = self._service
        path = f"/api/v1/namespaces/{service.namespace}/configmaps/{service.name}-db-leader"
        while not self._ended.wait(_LOOK_SECONDS):
            leader = service.kubernetes.get(path)["metadata"].get("annotations", {}).get("leader", self._former)
            if self.leads is None and leader != self._former:
                self.leads = time.perf_counter()
            primaries = {pod["metadata"]["name"] for pod in service.pods("database") if pairs.role(pod) == "primary"}
            if self.is_primary is None and self.leads is not None and leader in primaries:
                self.is_primary = time.perf_counter()


def outage(service: Service, cause: Callable[[Service, dict[str, Any]], None]) -> Outage:
    """Let it happen under a stream of POSTs, and wait until the pair is one again."""
    pairs.await_pair(service)
    primary = pairs.primary(service)
    with Writing(service) as writing, _Successor(service, primary["metadata"]["name"]) as successor:
        begun = time.perf_counter()
        try:
            cause(service, primary)
            eventually("another primary", lambda: successor.is_primary, _CHANGE_SECONDS)
        finally:
            pairs.found(service, primary)
        pairs.await_pair(service)
    pause, answered = writing.pause(begun)
    return Outage(
        detected=(successor.leads or begun) - begun,
        promoted=(successor.is_primary or begun) - begun,
        answered=answered - begun,
        pause=pause,
        lost=writing.lost,
        retried=writing.client.retried,
        given_up=writing.client.given_up,
    )
