"""BusConnected: the message bus takes connections from the modules."""

from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict, pod_problem, troubled
from sensorthings_operator.conditions.observed import Observed


def _external(observed: Observed) -> Verdict | None:
    if observed.service.spec.bus.type == "External":
        return Verdict("Unknown", "BusExternal", "the bus is run elsewhere and is not looked at")
    return None


def _hibernated(observed: Observed) -> Verdict | None:
    if observed.service.spec.hibernated:
        return Verdict("False", "Hibernated", "hibernated: the bus runs no pod", expected=True)
    return None


def _ready(observed: Observed) -> Verdict | None:
    if observed.bus is not None and observed.bus.ready > 0:
        return Verdict("True", "BusReady", "the bus takes connections")
    return None


def _starting(observed: Observed) -> Verdict:
    problem = pod_problem(observed, "bus")
    if problem is not None:
        return troubled(problem)
    return Verdict("False", "BusStarting", "the bus is starting", expected=True)


BUS_CONNECTED: Final = Chain("BusConnected", (_external, _hibernated, _ready, _starting))
