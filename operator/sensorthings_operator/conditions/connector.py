"""What the status of a Connector says: pure verdicts over what was observed of it.

``TokenIssued`` is the token service's own, by ``token``; the operator writes the others, and reads that one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.observed import ApplyProblem, PodProblem, Workload
from sensorthings_operator.desired.connector.feed import Connector

SERVICE_FOUND: Final = "ServiceFound"
TOKEN_ISSUED: Final = "TokenIssued"  # noqa: S105 - the type of a condition
PODS_AVAILABLE: Final = "PodsAvailable"


class ConnectorReason(StrEnum):
    """Why a part of a connector is or is not as it should be."""

    SERVICE_FOUND = "ServiceFound"
    SERVICE_MISSING = "ServiceMissing"
    SERVICE_INVALID = "ServiceInvalid"
    NOT_ALLOWED = "NotAllowed"
    TOKEN_ISSUED = "TokenIssued"  # noqa: S105 - a reason
    TOKEN_NOT_NEEDED = "TokenNotNeeded"  # noqa: S105 - a reason
    RENEWAL_FAILING = "RenewalFailing"
    SUSPENDED = "Suspended"
    REVOKED = "Revoked"
    NOT_ASKED = "TokenServiceNotSeen"
    RUNNING = "PodRunning"
    SCHEDULED = "Scheduled"
    STARTING = "PodStarting"
    READY = "ConnectorReady"


_NEEDS_SOMEBODY: Final = frozenset(
    {
        ConnectorReason.SERVICE_MISSING,
        ConnectorReason.SERVICE_INVALID,
        ConnectorReason.NOT_ALLOWED,
        ConnectorReason.REVOKED,
    }
)
"""Reasons that do not go away by waiting."""


@dataclass(frozen=True)
class ObservedConnector:
    """What was seen of a connector."""

    connector: Connector
    service: Verdict
    token: Verdict | None
    """What the token service says; None where it has said nothing yet."""
    workload: Workload | None = None
    """Its Deployment."""
    scheduled: bool = False
    """Whether its CronJob is there."""
    pod_problems: tuple[PodProblem, ...] = ()
    apply_problems: tuple[ApplyProblem, ...] = ()
    restarts: int = 0


def found(where: str) -> Verdict:
    """The service is there, and the connector may feed it."""
    return Verdict("True", ConnectorReason.SERVICE_FOUND, f"feeds {where}")


def missing(where: str) -> Verdict:
    """There is no such service."""
    told = f"there is no {where}: make it, or make another connector with the right spec.serviceRef"
    return Verdict("False", ConnectorReason.SERVICE_MISSING, told)


def invalid(where: str) -> Verdict:
    """Its service has a spec that can't be read."""
    return Verdict("False", ConnectorReason.SERVICE_INVALID, f"the spec of {where} can't be acted on: see its status")


def not_allowed(refusal: str) -> Verdict:
    """The service does not let it in."""
    return Verdict("False", ConnectorReason.NOT_ALLOWED, refusal)


def suspended(told: str) -> Verdict:
    """No token, because the spec says so."""
    return Verdict("False", ConnectorReason.SUSPENDED, told, expected=True)


def evaluate(observed: ObservedConnector) -> dict[str, Verdict]:
    """Every condition that the operator writes."""
    parts = {SERVICE_FOUND: observed.service}
    if observed.connector.spec.container is not None:
        parts[PODS_AVAILABLE] = _pods(observed)
    judged = {**parts, TOKEN_ISSUED: _token(observed)} if observed.service.holds else parts
    stalled = _stalled(observed, judged)
    ready = _ready(observed, judged)
    return {"Ready": ready, "Reconciling": _reconciling(ready, stalled), "Stalled": stalled, **parts}


def _token(observed: ObservedConnector) -> Verdict:
    if observed.token is not None:
        return observed.token
    told = "the token service has not looked at this connector yet"
    return Verdict("Unknown", ConnectorReason.NOT_ASKED, told, expected=True)


def _pods(observed: ObservedConnector) -> Verdict:
    spec, workload = observed.connector.spec, observed.workload
    if spec.suspend:
        return suspended("spec.suspend is true: no pod runs")
    if not observed.service.holds:
        return Verdict("False", observed.service.reason, observed.service.message)
    if observed.pod_problems:
        problem = observed.pod_problems[0]
        return Verdict("False", problem.reason, f"pod {problem.pod}: {problem.message}")
    if spec.schedule is not None and observed.scheduled:
        return Verdict("True", ConnectorReason.SCHEDULED, f"runs by the schedule {spec.schedule} (UTC)")
    if workload is not None and workload.settled and workload.available >= workload.wanted:
        return Verdict("True", ConnectorReason.RUNNING, "its pod runs")
    return Verdict("False", ConnectorReason.STARTING, "its pod is starting", expected=True)


def _stalled(observed: ObservedConnector, parts: Mapping[str, Verdict]) -> Verdict:
    if observed.apply_problems:
        told = "; ".join(f"{problem.kind} {problem.name}: {problem.message}" for problem in observed.apply_problems)
        return Verdict("True", observed.apply_problems[0].reason, told)
    for type_, verdict in parts.items():
        if verdict.reason in _NEEDS_SOMEBODY:
            return Verdict("True", verdict.reason, f"{type_}: {verdict.message}")
    return Verdict("False", "NothingInTheWay", "nothing waits for somebody to act")


def _ready(observed: ObservedConnector, parts: Mapping[str, Verdict]) -> Verdict:
    if observed.apply_problems:
        problem = observed.apply_problems[0]
        return Verdict("False", problem.reason, f"{problem.kind} {problem.name}: {problem.message}")
    for type_, verdict in parts.items():
        if not verdict.holds:
            return Verdict("False", verdict.reason, f"{type_}: {verdict.message}", expected=verdict.expected)
    return Verdict("True", ConnectorReason.READY, "it runs, and has its token")


def _reconciling(ready: Verdict, stalled: Verdict) -> Verdict:
    if ready.holds or stalled.holds or ready.reason == ConnectorReason.SUSPENDED:
        return Verdict("False", "Settled", "nothing is on its way")
    return Verdict("True", ready.reason, ready.message)
