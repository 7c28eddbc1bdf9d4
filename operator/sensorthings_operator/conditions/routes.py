"""RoutesProgrammed: what comes to the host from outside reaches the modules."""

from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions import gatewayroutes, references
from sensorthings_operator.conditions.chain import Chain, Verdict
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import addresses, ingress


class RoutesReason(StrEnum):
    """Why the routes are or are not there; apply/tcpservices answers with those about the port of MQTT."""

    READY = "RoutesReady"
    WAITING = gatewayroutes.WAITING
    PENDING = gatewayroutes.PENDING
    REFUSED = gatewayroutes.REFUSED
    API_MISSING = gatewayroutes.API_MISSING
    HOST_TAKEN = "HostTaken"
    PORT_TAKEN = "MQTTPortTaken"
    PORT_REFUSED = "MQTTPortRefused"
    SHARED_MISSING = "TCPServicesMissing"
    SHARED_FORBIDDEN = "TCPServicesForbidden"


NEEDS_SOMEBODY: Final = frozenset(RoutesReason) - {RoutesReason.READY, RoutesReason.WAITING, RoutesReason.PENDING}
"""Reasons that do not go away by waiting."""


def _applies(observed: Observed) -> bool:
    return observed.service.spec.exposure.type != "None"


def _host_is_ours(observed: Observed) -> Verdict | None:
    holder = observed.service.host_holder
    if holder is None:
        return None
    other = "/".join(holder)
    told = (
        f"{observed.service.spec.host} belongs to the service {other}, which is older: give spec.host another name, or "
        f"take it from {other}"
    )
    return Verdict("False", RoutesReason.HOST_TAKEN, told)


def _port_is_ours(observed: Observed) -> Verdict | None:
    """Comes first: where it is not, somebody has to act, and nobody has to about what is on its way."""
    answer = observed.mqtt_port
    if answer is None or answer.holds or answer.reason == RoutesReason.WAITING:
        return None
    return Verdict("False", answer.reason, answer.message)


def _made(observed: Observed) -> Verdict | None:
    if addresses.exposed(observed.service) is None:
        return None
    if observed.mqtt_port is None or not observed.ingresses.keys() >= set(ingress.names(observed.service)):
        return Verdict("False", RoutesReason.WAITING, "the routes wait for the schema", expected=True)
    if not observed.mqtt_port.holds:
        return Verdict("False", RoutesReason.WAITING, observed.mqtt_port.message, expected=True)
    return None


def _taken_up(observed: Observed) -> Verdict | None:
    pending = [name for name in ingress.names(observed.service) if not observed.ingresses[name]]
    routes = addresses.exposed(observed.service)
    if not pending or routes is None:
        return None
    return Verdict(
        "False",
        RoutesReason.PENDING,
        f"no ingress controller has given an address to Ingress {', '.join(pending)} yet; ingress-nginx does so within "
        f"a minute. If this stays: is one running for the IngressClass {routes.class_name}, and has its Service an "
        "address?",
        expected=True,
    )


def _ready(observed: Observed) -> Verdict:
    spec, service = observed.service.spec, observed.service
    routes = addresses.exposed(service) or addresses.gateway(service)
    port = "" if routes is None else f", MQTT at port {routes.mqtt_port} and path {routes.web_socket_path}"
    return Verdict("True", RoutesReason.READY, f"{spec.host} leads to the service: HTTPS at {spec.root_path}{port}")


ROUTES_PROGRAMMED: Final = Chain(
    "RoutesProgrammed",
    (
        _host_is_ours,
        _port_is_ours,
        references.ingress_class,
        _made,
        _taken_up,
        gatewayroutes.served,
        references.gateway,
        gatewayroutes.made,
        gatewayroutes.taken_up,
        _ready,
    ),
    applies=_applies,
)
