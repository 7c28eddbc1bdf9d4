"""Verdicts about a service whose parts were not looked at: its spec is wrong, it is deleted, or passes over it fail."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from sensorthings_operator.conditions.chain import Verdict


class UnobservedReason(StrEnum):
    """Why no part was looked at; those of a spec that this release does not act on are beside their checks."""

    INVALID_SPEC = "InvalidSpec"
    RELEASE_WAITING = "ReleaseWaiting"
    RELEASE_GIVEN_UP = "ReleaseGivenUp"
    FAILED = "PassFailed"


def invalid_verdicts(reason: str, problems: Sequence[str]) -> dict[str, Verdict]:
    """The verdicts about a service whose spec can't be acted on."""
    told = "; ".join(problems)
    return {
        "Ready": Verdict("False", reason, told),
        "Reconciling": Verdict("False", "Settled", "nothing is on its way"),
        "Stalled": Verdict("True", reason, told),
    }


def release_verdicts(reason: str, left: Sequence[str]) -> dict[str, Verdict]:
    """The verdicts about a deleted service of which something may be left outside."""
    told = f"deleted, and may leave behind: {'; '.join(left)}"
    given_up = reason == UnobservedReason.RELEASE_GIVEN_UP
    return {
        "Ready": Verdict("False", reason, told),
        "Reconciling": Verdict("False" if given_up else "True", reason, told),
        "Stalled": Verdict("False", "NothingInTheWay", "nothing waits for somebody to act"),
    }


def failed_verdicts(cause: str, status: Mapping[str, Any]) -> dict[str, Verdict]:
    """The verdicts about a service over which passes fail, for a cause that may pass.

    Args:
        cause: Of the last failure, for people.
        status: As it stands. Clients are served as before, so Ready is judged only where nothing was said of it.
    """
    told = f"the operator can't finish a pass and tries again, at the latest after five minutes: {cause}"
    verdicts = {"Reconciling": Verdict("True", UnobservedReason.FAILED, told)}
    if any(condition["type"] == "Ready" for condition in status.get("conditions", ())):
        return verdicts
    return {"Ready": Verdict("Unknown", UnobservedReason.FAILED, told), **verdicts}
