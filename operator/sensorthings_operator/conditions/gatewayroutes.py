"""What RoutesProgrammed says where a Gateway leads to the service. Used by ``routes``."""

from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import addresses, envoygateway, gateway
from sensorthings_operator.desired.service import Service

PENDING: Final = "RoutesPending"
WAITING: Final = "RoutesWaiting"
REFUSED: Final = "RoutesRefused"
API_MISSING: Final = "GatewayAPIMissing"


class GatewayState(StrEnum):
    """What a Gateway's controller says of listeners or a route. The message of the Answer is in its own words."""

    TAKEN_UP = "TakenUp"
    PENDING = "Pending"
    REFUSED = "Refused"


def wanted(service: Service) -> tuple[tuple[str, str], ...]:
    """Kind and name of all that a Gateway's controller has to take up."""
    routes = addresses.gateway(service)
    kind = None if routes is None else gateway.listeners_kind(routes)
    listeners = () if kind is None else ((kind, service.name),)
    return (*listeners, *gateway.route_names(service), *envoygateway.policy_names(service))


def served(observed: Observed) -> Verdict | None:
    """Whether the cluster has what is needed."""
    missing = sorted({kind for kind, _ in wanted(observed.service)} & observed.missing_apis)
    if not missing:
        return None
    if set(missing) <= envoygateway.KINDS:
        what = (
            f"{envoygateway.API_VERSION}: take spec.exposure.gateway.envoyGateway out, unless the Gateway is one of "
            "Envoy Gateway; then install its CRDs"
        )
    else:
        what = (
            f"{gateway.API_VERSION}: install the Gateway API 1.5 or later (https://gateway-api.sigs.k8s.io/guides); "
            "the routes are made as soon as it is there"
        )
    return Verdict("False", API_MISSING, f"the cluster does not serve {', '.join(missing)} of {what}")


def made(observed: Observed) -> Verdict | None:
    """Whether listeners and routes are there, and the certificate that the listeners need."""
    if addresses.gateway(observed.service) is None:
        return None
    if not observed.gateway_routes.keys() >= set(wanted(observed.service)):
        return Verdict("False", WAITING, "the routes wait for the schema", expected=True)
    if observed.certificate is None or not observed.certificate.holds:
        return Verdict("False", WAITING, "the listeners wait for the certificate", expected=True)
    return None


def taken_up(observed: Observed) -> Verdict | None:
    """Whether the Gateway's controller has taken them up."""
    routes = addresses.gateway(observed.service)
    if routes is None:
        return None
    answers = {child: observed.gateway_routes[child] for child in wanted(observed.service)}
    for (kind, name), answer in answers.items():
        if answer.reason == GatewayState.REFUSED:
            return Verdict("False", REFUSED, f"{kind} {name} is not taken up: {answer.message}")
    pending = [f"{kind} {name}" for (kind, name), answer in answers.items() if not answer.holds]
    if not pending:
        return None
    if routes.class_name is not None:
        hint = f"does a controller serve the GatewayClass {routes.class_name}?"
    else:
        where = routes.namespace or observed.service.namespace
        hint = f"is there a Gateway {routes.name} in the namespace {where}, and does it allow listeners from here?"
    told = f"no controller has taken up {', '.join(pending)} yet. If this stays: {hint}"
    return Verdict("False", PENDING, told, expected=True)
