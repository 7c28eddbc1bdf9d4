"""PortalAvailable: the live map page can be opened. Asked for by the spec, needed by no client of the service."""

from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict, pod_problem, troubled
from sensorthings_operator.conditions.gatewayroutes import GatewayState
from sensorthings_operator.conditions.observed import Answer, Observed
from sensorthings_operator.desired import addresses, portal


class PortalReason(StrEnum):
    """Why the page can or can't be opened."""

    READY = "PortalReady"
    WAITING = "PortalWaiting"
    STARTING = "PortalStarting"
    NONE_WANTED = "PortalScaledToZero"
    REFUSED = "PortalRefused"
    ROUTE_PENDING = "PortalRoutePending"
    ROUTE_REFUSED = "PortalRouteRefused"
    HOST_TAKEN = "HostTaken"


def _asked_for(observed: Observed) -> bool:
    return portal.wanted(observed.service) is not None


def _paused(observed: Observed) -> Verdict | None:
    if observed.service.spec.paused:
        return Verdict("Unknown", "Paused", "spec.paused is true: the page stays as it is", expected=True)
    return None


def _hibernated(observed: Observed) -> Verdict | None:
    if observed.service.spec.hibernated:
        return Verdict("False", "Hibernated", "hibernated: nothing serves the page", expected=True)
    return None


def _host_is_ours(observed: Observed) -> Verdict | None:
    if observed.service.host_holder is None:
        return None
    other = "/".join(observed.service.host_holder)
    told = (
        f"{observed.service.spec.host} belongs to the service {other}: the page has no address (see RoutesProgrammed)"
    )
    return Verdict("False", PortalReason.HOST_TAKEN, told)


def _refused(observed: Observed) -> Verdict | None:
    name = addresses.portal_name(observed.service)
    for problem in observed.apply_problems:
        if problem.name == name:
            return Verdict("False", PortalReason.REFUSED, f"{problem.kind} {name}: {problem.message}")
    return None


def _has_pods(observed: Observed) -> Verdict | None:
    workload = observed.portal
    if workload is None:
        return Verdict("False", PortalReason.WAITING, "what serves the page is not made yet", expected=True)
    if workload.wanted == 0:
        return Verdict("False", PortalReason.NONE_WANTED, "spec.portal.replicas is 0", expected=True)
    if workload.available > 0:
        return None
    problem = pod_problem(observed, portal.COMPONENT)
    if problem is not None:
        return troubled(problem)
    return Verdict("False", PortalReason.STARTING, "no pod serves the page yet", expected=True)


def _has_route(observed: Observed) -> Verdict | None:
    kind, found = portal.route_kind(observed.service), observed.portal_route
    which = f"{kind} {addresses.portal_name(observed.service)}"
    if found is None:
        return Verdict("False", PortalReason.WAITING, f"{which} waits for the schema", expected=True)
    if isinstance(found, Answer):
        if found.reason == GatewayState.REFUSED:
            return Verdict("False", PortalReason.ROUTE_REFUSED, f"{which} is not taken up: {found.message}")
        found = found.holds
    if found:
        return None
    told = f"no controller has taken up {which} yet. If this stays, see RoutesProgrammed"
    return Verdict("False", PortalReason.ROUTE_PENDING, told, expected=True)


def _ready(observed: Observed) -> Verdict:
    page, host = portal.wanted(observed.service), observed.service.spec.host
    path = "" if page is None else page.path
    return Verdict("True", PortalReason.READY, f"the live map is at {path}/ of {host}")


PORTAL_AVAILABLE: Final = Chain(
    "PortalAvailable",
    (_paused, _hibernated, _host_is_ours, _refused, _has_pods, _has_route, _ready),
    applies=_asked_for,
    needed=False,
)
