"""Routes through a Gateway: listeners for the service's host, and what leads from them to the modules.

Kinds are those of the Gateway API (https://gateway-api.sigs.k8s.io/reference/spec), v1 of its standard channel. Many
services share a Gateway, each by a ListenerSet in its own namespace: its certificate never leaves that, so nothing has
to be granted. MQTT is told apart by SNI, all of it on one port.
"""

from typing import Final

from sensorthings_operator.api.exposure import Gateway
from sensorthings_operator.desired import addresses, http, mqtt, reads, sidecar
from sensorthings_operator.desired.metadata import Manifest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

GROUP: Final = "gateway.networking.k8s.io"
API_VERSION: Final = f"{GROUP}/v1"
_HTTP: Final = "http"
_HTTPS: Final = "https"
_MQTTS: Final = "mqtts"
_REQUEST_TIMEOUT: Final = "300s"
"""A batch is answered when all of it is done, and one statement may take the database a minute."""
_NO_TIMEOUT: Final = "0s"


def build(service: Service, _: OperatorSettings) -> list[Manifest]:
    """Listeners and routes; nothing where the service is not reached through a Gateway."""
    routes = addresses.gateway(service)
    if routes is None or service.host_holder is not None:
        return []
    return [
        *_listeners(service, routes),
        *_grant(service, routes),
        _redirect(service, routes),
        _http_route(service, routes),
        _web_socket_route(service, routes),
        _mqtt_route(service, routes),
    ]


def listeners_kind(routes: Gateway) -> str | None:
    """Kind of what holds the service's own listeners; None where they are the Gateway's."""
    if routes.class_name is not None:
        return "Gateway"
    return "ListenerSet" if routes.listeners == "Own" else None


def route_names(service: Service) -> tuple[tuple[str, str], ...]:
    """Kind and name of the routes; none where the service is not reached through a Gateway."""
    if addresses.gateway(service) is None or service.host_holder is not None:
        return ()
    return (
        ("HTTPRoute", _redirect_name(service)),
        ("HTTPRoute", addresses.http_name(service)),
        ("HTTPRoute", _web_socket_name(service)),
        ("TLSRoute", addresses.mqtt_name(service)),
    )


def parent(service: Service, routes: Gateway) -> Manifest:
    """The parentRef of a route to all listeners that lead to the service's host."""
    kind = listeners_kind(routes)
    return _gateway(service, routes) if kind is None else {"group": GROUP, "kind": kind, "name": service.name}


def _parent_listener(service: Service, routes: Gateway, name: str) -> Manifest:
    """The parentRef of a route to one of them: by its name, or by its port where the Gateway's team named it."""
    if listeners_kind(routes) is not None:
        return {**parent(service, routes), "sectionName": name}
    port = {_HTTP: routes.http_port, _HTTPS: routes.https_port, _MQTTS: routes.mqtt_port}[name]
    return {**parent(service, routes), "port": port}


def _gateway(service: Service, routes: Gateway) -> Manifest:
    return {
        "group": GROUP,
        "kind": "Gateway",
        "name": routes.name,
        "namespace": routes.namespace or service.namespace,
    }


def _listeners(service: Service, routes: Gateway) -> list[Manifest]:
    kind = listeners_kind(routes)
    if kind is None:
        return []
    described = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata(service, http.COMPONENT, service.name)}
    listeners = [
        _listener(service, _HTTP, "HTTP", routes.http_port, "HTTPRoute"),
        _listener(service, _HTTPS, "HTTPS", routes.https_port, "HTTPRoute", tls=_terminate(service)),
        _listener(
            service,
            _MQTTS,
            "TLS",
            routes.mqtt_port,
            "TLSRoute",
            tls=_terminate(service) if routes.mqtt_tls == "Terminate" else {"mode": "Passthrough"},
        ),
    ]
    where = {"gatewayClassName": routes.class_name} if kind == "Gateway" else {"parentRef": _gateway(service, routes)}
    return [{**described, "spec": {**where, "listeners": listeners}}]


def _listener(  # noqa: PLR0913, PLR0917 - the fields in which listeners differ
    service: Service, name: str, protocol: str, port: int, route: str, tls: Manifest | None = None
) -> Manifest:
    allowed = {"namespaces": {"from": "Same"}, "kinds": [{"group": GROUP, "kind": route}]}
    encryption = {} if tls is None else {"tls": tls}
    return {
        "name": name,
        "protocol": protocol,
        "port": port,
        "hostname": service.spec.host,
        **encryption,
        "allowedRoutes": allowed,
    }


def _terminate(service: Service) -> Manifest:
    certificate = {"group": "", "kind": "Secret", "name": addresses.certificate_secret_name(service)}
    return {"mode": "Terminate", "certificateRefs": [certificate]}


def _grant(service: Service, routes: Gateway) -> list[Manifest]:
    """Lets the Gateway's team name the service's certificate in listeners of theirs, from their own namespace."""
    theirs = routes.namespace
    if routes.listeners != "Gateway" or theirs in (None, service.namespace):
        return []
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "ReferenceGrant",
            "metadata": metadata(service, http.COMPONENT, addresses.certificate_secret_name(service)),
            "spec": {
                "from": [{"group": GROUP, "kind": "Gateway", "namespace": theirs}],
                "to": [{"group": "", "kind": "Secret", "name": addresses.certificate_secret_name(service)}],
            },
        }
    ]


def _redirect_name(service: Service) -> str:
    return f"{addresses.http_name(service)}-redirect"


def _web_socket_name(service: Service) -> str:
    return f"{addresses.mqtt_name(service)}-websocket"


def _redirect(service: Service, routes: Gateway) -> Manifest:
    redirect = {"scheme": "https", "port": routes.https_port, "statusCode": 301}
    rule = {"filters": [{"type": "RequestRedirect", "requestRedirect": redirect}]}
    return _route(service, routes, "HTTPRoute", http.COMPONENT, _redirect_name(service), _HTTP, rule)


def _http_route(service: Service, routes: Gateway) -> Manifest:
    path = {"path": {"type": "PathPrefix", "value": service.spec.root_path}}
    everything = _http_rule([path], addresses.http_name(service))
    # A match by method goes before one without, as the Gateway API orders them.
    read_from = addresses.http_name(service) if service.reads_at_primary else reads.name(service)
    reading = [_http_rule([{**path, "method": method} for method in reads.METHODS], read_from)]
    rules = [*(reading if reads.is_wanted(service) else []), everything]
    return _route(service, routes, "HTTPRoute", http.COMPONENT, addresses.http_name(service), _HTTPS, *rules)


def _http_rule(matches: list[Manifest], name: str) -> Manifest:
    return {
        "matches": matches,
        "timeouts": {"request": _REQUEST_TIMEOUT},
        "backendRefs": [backend(name, http.SERVICE_PORT)],
    }


def _web_socket_route(service: Service, routes: Gateway) -> Manifest:
    """A route of its own: limits on requests are not meant for connections that stay."""
    path = {"type": "ReplaceFullPath", "replaceFullPath": addresses.WEBSOCKET_PATH}
    rewrite = {"filters": [{"type": "URLRewrite", "urlRewrite": {"path": path}}]}
    rule = {
        "matches": [{"path": {"type": "Exact", "value": routes.web_socket_path}}],
        **({} if routes.web_socket_path == addresses.WEBSOCKET_PATH else rewrite),
        # A subscriber may hear nothing for long; whether it is alive is the MQTT keep alive's to say.
        "timeouts": {"request": _NO_TIMEOUT},
        "backendRefs": [backend(addresses.mqtt_name(service), addresses.WEBSOCKET_PORT)],
    }
    return _route(service, routes, "HTTPRoute", mqtt.COMPONENT, _web_socket_name(service), _HTTPS, rule)


def _mqtt_route(service: Service, routes: Gateway) -> Manifest:
    port = addresses.MQTTS_PORT if sidecar.is_wanted(service) else addresses.MQTT_PORT
    rule = {"backendRefs": [backend(addresses.mqtt_name(service), port)]}
    return _route(service, routes, "TLSRoute", mqtt.COMPONENT, addresses.mqtt_name(service), _MQTTS, rule)


def https_route(service: Service, routes: Gateway, component: str, name: str, rule: Manifest) -> Manifest:
    """A route from the service's host, by HTTPS."""
    return _route(service, routes, "HTTPRoute", component, name, _HTTPS, rule)


def _route(  # noqa: PLR0913, PLR0917 - the fields in which routes differ
    service: Service, routes: Gateway, kind: str, component: str, name: str, listener: str, *rules: Manifest
) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": metadata(service, component, name),
        "spec": {
            "parentRefs": [_parent_listener(service, routes, listener)],
            "hostnames": [service.spec.host],
            "rules": list(rules),
        },
    }


def backend(name: str, port: int) -> Manifest:
    """The backendRef to a Service of the same namespace."""
    return {"group": "", "kind": "Service", "name": name, "port": port, "weight": 1}
