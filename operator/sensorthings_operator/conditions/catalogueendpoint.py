"""CatalogueServed: harvesters reach the descriptions. Asked for by the spec, needed by no client of the service."""

from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict, pod_problem, troubled
from sensorthings_operator.conditions.gatewayroutes import GatewayState
from sensorthings_operator.conditions.observed import Answer, Observed
from sensorthings_operator.desired import addresses, catalogue


class EndpointReason(StrEnum):
    """Why harvesters do or do not reach them."""

    READY = "EndpointReady"
    WAITING = "EndpointWaiting"
    STARTING = "EndpointStarting"
    REFUSED = "EndpointRefused"
    ROUTE_PENDING = "EndpointRoutePending"
    ROUTE_REFUSED = "EndpointRouteRefused"
    HOST_TAKEN = "HostTaken"


def _asked_for(observed: Observed) -> bool:
    return catalogue.endpoint.wanted(observed.service) is not None


def _paused(observed: Observed) -> Verdict | None:
    if observed.service.spec.paused:
        return Verdict("Unknown", "Paused", "spec.paused is true: what is served stays as it is", expected=True)
    return None


def _hibernated(observed: Observed) -> Verdict | None:
    if observed.service.spec.hibernated:
        return Verdict("False", "Hibernated", "hibernated: nothing serves the descriptions", expected=True)
    return None


def _host_is_ours(observed: Observed) -> Verdict | None:
    if observed.service.host_holder is None:
        return None
    other = "/".join(observed.service.host_holder)
    told = f"{observed.service.spec.host} belongs to the service {other}: nothing leads here (see RoutesProgrammed)"
    return Verdict("False", EndpointReason.HOST_TAKEN, told)


def _refused(observed: Observed) -> Verdict | None:
    name = addresses.catalogue_name(observed.service)
    for problem in observed.apply_problems:
        if problem.name == name:
            return Verdict("False", EndpointReason.REFUSED, f"{problem.kind} {name}: {problem.message}")
    return None


def _has_pods(observed: Observed) -> Verdict | None:
    workload = observed.catalogue_pods
    if workload is None:
        told = "nothing is described yet that could be served (see CatalogueSynced)"
        return Verdict("False", EndpointReason.WAITING, told, expected=True)
    if workload.available > 0:
        return None
    problem = pod_problem(observed, catalogue.COMPONENT)
    if problem is not None:
        return troubled(problem)
    return Verdict("False", EndpointReason.STARTING, "no pod serves the descriptions yet", expected=True)


def _has_route(observed: Observed) -> Verdict | None:
    kind, found = catalogue.endpoint.route_kind(observed.service), observed.catalogue_route
    which = f"{kind} {addresses.catalogue_name(observed.service)}"
    if found is None:
        return Verdict("False", EndpointReason.WAITING, f"{which} waits for the schema", expected=True)
    if isinstance(found, Answer):
        if found.reason == GatewayState.REFUSED:
            return Verdict("False", EndpointReason.ROUTE_REFUSED, f"{which} is not taken up: {found.message}")
        found = found.holds
    if found:
        return None
    told = f"no controller has taken up {which} yet. If this stays, see RoutesProgrammed"
    return Verdict("False", EndpointReason.ROUTE_PENDING, told, expected=True)


def _ready(observed: Observed) -> Verdict:
    endpoint, host = catalogue.endpoint.wanted(observed.service), observed.service.spec.host
    path = "" if endpoint is None else endpoint.path
    return Verdict("True", EndpointReason.READY, f"harvesters find the descriptions at {path}/ of {host}")


CATALOGUE_SERVED: Final = Chain(
    "CatalogueServed",
    (_paused, _hibernated, _host_is_ours, _refused, _has_pods, _has_route, _ready),
    applies=_asked_for,
    needed=False,
)
