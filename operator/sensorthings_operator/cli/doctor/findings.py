"""What a check found, and its form as JSON: a stable object, whose keys are an interface. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    PROBLEM = "problem"
    SKIPPED = "skipped"
    """Not looked at, for a reason that the message says."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what it is about, how it ended, what was seen; and what to do where there is a problem."""

    check: str
    state: State
    message: str
    remedy: str = ""


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(check, State.OK, message)


def problem(check: str, message: str, remedy: str) -> Finding:
    """Somebody has to do something."""
    return Finding(check, State.PROBLEM, message, remedy)


def skipped(check: str, why: str) -> Finding:
    """Not looked at."""
    return Finding(check, State.SKIPPED, why)


def record(service: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """The JSON object that ``--output json`` writes."""
    return {"service": service, "ok": well(findings), "checks": [asdict(each) for each in findings]}


def well(findings: Sequence[Finding]) -> bool:
    """Whether nothing is wrong, as far as was looked."""
    return not any(each.state is State.PROBLEM for each in findings)
