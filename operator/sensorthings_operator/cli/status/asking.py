"""What asks for somebody in a service, and what to do; else what it rests in. Pure; called by ``assembly``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sensorthings_operator.cli.arrival import instant
from sensorthings_operator.cli.status.judging import SUMMARY
from sensorthings_operator.cli.status.model import Condition, Part, Remedy, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sensorthings_operator.cli.status.snapshot import Object

_PATIENCE: Final = timedelta(seconds=60)
"""How long the operator may take to look at a service, and to let one go."""
_MOST_OF_A_PART: Final = 3


@dataclass(frozen=True, slots=True)
class Situation:
    """A service with its conditions and parts, at one time."""

    service: Object
    conditions: Sequence[Condition]
    parts: Sequence[Part]
    now: datetime

    def condition(self, type_: str) -> Condition | None:
        """A condition by its type."""
        return next((each for each in self.conditions if each.type == type_), None)

    @property
    def ready(self) -> bool:
        """Ready is True about the spec that stands, and the service is to stay."""
        ready = self.condition("Ready")
        leaves = "deletionTimestamp" in self.service["metadata"]
        return ready is not None and ready.status == "True" and not ready.outdated and not leaves

    @property
    def resting(self) -> State:
        """The state of a service that is not ready, and asks for nobody."""
        ready = self.condition("Ready")
        return ready.state if ready and ready.state in {State.OFF, State.UNKNOWN} else State.WAITING

    def older(self, time: str | None) -> bool:
        """Whether a time is further back than patience reaches."""
        known = instant(time)
        return known is not None and self.now - known > _PATIENCE


def what_to_do(situation: Situation) -> Iterator[Remedy]:
    """What asks for somebody, the most telling first."""
    yield from _of_the_operator(situation)
    told: set[str] = set()
    parts = [each for each in situation.conditions if each.type not in SUMMARY]
    whole = [each for type_ in ("Stalled", "Ready") if (each := situation.condition(type_))]
    for condition in (*parts, *whole):
        if condition.state is State.TROUBLE and (condition.type not in SUMMARY or condition.reason not in told):
            told.add(condition.reason)
            yield Remedy(condition.type, condition.reason, condition.message)
    for part in situation.parts:
        if part.condition is None or part.condition.state is not State.TROUBLE:
            yield from [_split(about, trouble) for about, trouble in _troubles(part)][:_MOST_OF_A_PART]


def _of_the_operator(situation: Situation) -> Iterator[Remedy]:
    metadata = situation.service["metadata"]
    ready = situation.condition("Ready")
    look = (
        "look at the operator's pod and its log (kubectl get pods -A -l app.kubernetes.io/name=sensorthings-operator)"
    )
    if situation.older(metadata.get("deletionTimestamp")):
        held = ", ".join(metadata.get("finalizers", ())) or "none"
        yield Remedy("Deletion", "DeletionWaits", f"it is being deleted, and its finalizers wait ({held}): {look}")
    elif ready is None and situation.older(metadata.get("creationTimestamp")):
        yield Remedy("Operator", "NotSeen", f"no operator has looked at it: {look}")


def _troubles(part: Part) -> Iterator[tuple[str, str]]:
    for workload in part.workloads:
        yield from ((f"{workload.kind} {workload.name}", trouble) for trouble in workload.troubles)
        for pod in workload.pods:
            if pod.state is State.TROUBLE:
                yield from ((f"Pod {pod.name}", trouble) for trouble in pod.troubles)
    for scaler in part.autoscalers:
        yield from ((f"HorizontalPodAutoscaler {scaler.name}", trouble) for trouble in scaler.troubles)
    for route in part.routes:
        yield from ((f"{route.kind} {route.name}", trouble) for trouble in route.troubles)
    for certificate in part.certificates:
        yield from ((f"Certificate {certificate.name}", trouble) for trouble in certificate.troubles)


def _split(about: str, trouble: str) -> Remedy:
    reason, _, message = trouble.partition(": ")
    return Remedy(about, reason, message)
