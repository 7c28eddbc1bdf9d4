"""Policies of Envoy Gateway on the service's listeners and routes: how long a connection may be idle, how much one
client may ask for.

Fields: https://gateway.envoyproxy.io/docs/api/extension_types. A changed ClientTrafficPolicy closes the connections of
its listener once they had time to go by themselves; a changed BackendTrafficPolicy closes none.
"""

from typing import Final

from sensorthings_operator.api.exposure import EnvoyGateway, Gateway
from sensorthings_operator.desired import addresses, gateway, http, mqtt
from sensorthings_operator.desired.metadata import Manifest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

API_VERSION: Final = "gateway.envoyproxy.io/v1alpha1"
KINDS: Final = frozenset({"ClientTrafficPolicy", "BackendTrafficPolicy"})
_EVERYBODY: Final = ("0.0.0.0/0", "::/0")


def build(service: Service, _: OperatorSettings) -> list[Manifest]:
    """The policies; nothing where the spec says nothing about Envoy Gateway."""
    routes = addresses.gateway(service)
    if routes is None or routes.envoy_gateway is None or service.host_holder is not None:
        return []
    return [
        *_idle_timeouts(service, routes, routes.envoy_gateway),
        _towards_http(service, routes.envoy_gateway),
    ]


def policy_names(service: Service) -> tuple[tuple[str, str], ...]:
    """Kind and name of the policies."""
    routes = addresses.gateway(service)
    if routes is None or routes.envoy_gateway is None or service.host_holder is not None:
        return ()
    own = gateway.listeners_kind(routes) is not None
    timeouts = (addresses.http_name(service), addresses.mqtt_name(service)) if own else ()
    return (
        *(("ClientTrafficPolicy", name) for name in timeouts),
        ("BackendTrafficPolicy", addresses.http_name(service)),
    )


def _idle_timeouts(service: Service, routes: Gateway, wanted: EnvoyGateway) -> list[Manifest]:
    """On the service's own listeners alone: others share those of a Gateway."""
    kind = gateway.listeners_kind(routes)
    if kind is None:
        return []
    timeout = {"idleTimeout": f"{wanted.idle_timeout_seconds}s"}
    parts = (
        (http.COMPONENT, addresses.http_name(service), "https", "http"),
        (mqtt.COMPONENT, addresses.mqtt_name(service), "mqtts", "tcp"),
    )
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "ClientTrafficPolicy",
            "metadata": metadata(service, component, name),
            "spec": {
                "targetRefs": [{"group": gateway.GROUP, "kind": kind, "name": service.name, "sectionName": listener}],
                "timeout": {protocol: timeout},
            },
        }
        for component, name, listener, protocol in parts
    ]


def _towards_http(service: Service, wanted: EnvoyGateway) -> Manifest:
    rules = [*_limits_of_addresses(wanted), *_limits_of_tokens(wanted)]
    limits = {"rateLimit": {"type": "Local", "local": {"rules": rules}}} if rules else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "BackendTrafficPolicy",
        "metadata": metadata(service, http.COMPONENT, addresses.http_name(service)),
        "spec": {
            "targetRefs": [{"group": gateway.GROUP, "kind": "HTTPRoute", "name": addresses.http_name(service)}],
            "timeout": {"http": {"connectionIdleTimeout": f"{http.EDGE_IDLE_SECONDS}s"}},
            **limits,
        },
    }


def _limits_of_addresses(wanted: EnvoyGateway) -> list[Manifest]:
    if wanted.requests_per_minute is None:
        return []
    each = [{"sourceCIDR": {"type": "Distinct", "value": everybody}} for everybody in _EVERYBODY]
    return [_limit(selector, wanted.requests_per_minute) for selector in each]


def _limits_of_tokens(wanted: EnvoyGateway) -> list[Manifest]:
    if wanted.requests_per_minute_per_token is None:
        return []
    # A request without the header is not counted.
    selector = {"headers": [{"name": "Authorization", "type": "Distinct"}]}
    return [_limit(selector, wanted.requests_per_minute_per_token)]


def _limit(selector: Manifest, requests: int) -> Manifest:
    return {"clientSelectors": [selector], "limit": {"requests": requests, "unit": "Minute"}}
