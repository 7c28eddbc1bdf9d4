"""Whether a condition is good, on its way, or asks for somebody. Used by ``assembly``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.cli.status.model import Condition, State

if TYPE_CHECKING:
    from sensorthings_operator.cli.status.snapshot import Object

SUMMARY: Final = ("Ready", "Reconciling", "Stalled")
"""The conditions of kstatus, about the whole service; the others are about parts."""

_WAITING_ENDINGS: Final = (
    "Starting",
    "Forming",
    "Waiting",
    "Awaited",
    "Updating",
    "Issuing",
    "Pending",
    "NotAsked",
    "Progressing",
)
_WAITING: Final = {"RollingOut"}
_FAILING_ENDINGS: Final = ("Failing",)
"""What works still, but not for long, such as a certificate whose renewal fails."""
_OFF_ENDINGS: Final = ("ScaledToZero",)
_OFF: Final = {"Hibernated", "Paused"}


def conditions(service: Object) -> tuple[Condition, ...]:
    """The conditions of a service, judged."""
    generation = service["metadata"].get("generation", 0)
    return tuple(_condition(each, generation) for each in service.get("status", {}).get("conditions", ()))


def _condition(written: dict[str, Any], generation: int) -> Condition:
    type_, status, reason = written["type"], written["status"], written.get("reason", "")
    return Condition(
        type=type_,
        status=status,
        reason=reason,
        message=written.get("message", ""),
        since=written.get("lastTransitionTime"),
        outdated=written.get("observedGeneration", generation) < generation,
        state=_state(type_, status, reason),
    )


def _state(type_: str, status: str, reason: str) -> State:
    if type_ == "Reconciling":
        return State.WAITING if status == "True" else State.OFF if reason in _OFF else State.OK
    if type_ == "Stalled":
        return {"True": State.TROUBLE, "False": State.OK}.get(status, State.UNKNOWN)
    if status == "True":
        return State.TROUBLE if reason.endswith(_FAILING_ENDINGS) else State.OK
    return not_true(reason) if status == "False" else State.UNKNOWN


def not_true(reason: str) -> State:
    """The state of a condition that is False, by its reason: what was asked for, and what starts, asks for nobody."""
    if reason in _OFF or reason.endswith(_OFF_ENDINGS):
        return State.OFF
    if reason in _WAITING or reason.endswith(_WAITING_ENDINGS):
        return State.WAITING
    return State.TROUBLE
