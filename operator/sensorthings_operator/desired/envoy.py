"""Envoy's configuration as TLS in front of the MQTT module: a pure function of where things are.

Used by ``sidecar``, which says where they are in a pod; the tests run the same configuration elsewhere. What the fields
mean stands in https://www.envoyproxy.io/docs/envoy/latest/api-v3/api.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

MAX_CONNECTIONS: Final = 2000
"""Clients of one pod, by TCP and WebSocket together; those beyond are closed before their handshake."""
MAX_HEAP_BYTES: Final = 160 * 2**20
"""Beyond 95 % of it no client is let in. With so many clients that all stopped reading, 145 MiB were measured."""

READY_PATH: Final = "/ready"
"""Answers 200 while Envoy runs."""
METRICS_PATH: Final = "/stats/prometheus"
CERTIFICATE_PATH: Final = "/certificate"
"""Answers 200 once a TLS handshake succeeds: Envoy runs without a usable certificate too, and resets every client."""

_SECRET: Final = "certificate"  # noqa: S105 - a name
_IDLE_SECONDS: Final = 7200
"""A client is silent for 1.5 times its keep-alive at most, which then may be 80 minutes; without one the gate waits
for ever for clients whose network is gone."""
_HANDSHAKE_SECONDS: Final = 10
_BUFFER_BYTES: Final = 16 * 2**10
"""Of a connection in each direction: what a subscriber does not read waits in FROST-Server, not here."""
_STATS: Final = (
    *(f"listener.{name}.{part}" for name in ("mqtts", "wss", "ws") for part in ("downstream_", "ssl", "server_ssl_")),
    *(f"cluster.{name}.upstream_cx_" for name in ("mqtt", "websocket")),
    # The health of a cluster is read from these by Envoy itself: without them it counts as unhealthy.
    "cluster.certificate.membership_",
    "tcp.",
    "sds.",
    "server.",
    "overload.",
)
"""Prefixes of the metrics that are kept."""

Config = dict[str, Any]


@dataclass(frozen=True)
class Address:
    """A TCP socket."""

    host: str
    port: int

    @property
    def config(self) -> Config:
        """Envoy's ``Address``."""
        return {"socket_address": {"address": self.host, "port_value": self.port}}


@dataclass(frozen=True)
class Layout:
    """Where Envoy finds and puts things."""

    mqtts: Address
    """Listens for MQTT in TLS."""
    wss: Address
    """Listens for MQTT over WebSocket in TLS."""
    status: Address
    """Listens for probes and Prometheus."""
    mqtt: Address
    """MQTT in plain: the gate's."""
    websocket: Address
    """MQTT over WebSocket in plain: the gate's."""
    secret_file: str
    """File with what ``secret`` makes. Its folder is watched."""
    certificate_folder: str
    """Folder of ``tls.crt`` and ``tls.key``, swapped as kubelet swaps a Secret's. It is watched."""
    socket_folder: str
    """Folder that Envoy writes its sockets to."""
    plain_websocket: Address | None = None
    """Listens for MQTT over WebSocket without TLS, where a Gateway ends it for the whole host."""


def secret(layout: Layout) -> Config:
    """The file that leads to the certificate: one secret, or Envoy refuses it."""
    folder = layout.certificate_folder
    certificate = {
        "certificate_chain": {"filename": f"{folder}/tls.crt"},
        "private_key": {"filename": f"{folder}/tls.key"},
        "watched_directory": {"path": folder},
    }
    typed = _typed("transport_sockets.tls.v3.Secret", name=_SECRET, tls_certificate=certificate)
    return {"resources": [typed]}


def bootstrap(layout: Layout) -> Config:
    """Envoy's bootstrap configuration."""
    return {
        "node": {"id": "mqtt", "cluster": "sensorthings"},
        # Whoever reaches it may stop Envoy and read the certificate: a socket that only this container has.
        "admin": {"address": _pipe(layout, "admin", mode=0o600)},
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": [{"prefix": prefix} for prefix in _STATS]}}},
        "overload_manager": _overload_manager(),
        "static_resources": {
            "listeners": [
                _tls_listener(layout, "mqtts", layout.mqtts, "mqtt", protocol="mqtt"),
                _tls_listener(layout, "wss", layout.wss, "websocket", protocol="http/1.1"),
                *_plain_listeners(layout),
                _certificate_listener(layout),
                _status_listener(layout),
            ],
            "clusters": [
                _gate_cluster("mqtt", layout.mqtt),
                _gate_cluster("websocket", layout.websocket),
                _certificate_cluster(layout),
                _cluster("admin", _pipe(layout, "admin")),
            ],
        },
    }


def _typed(type_: str, **fields: Any) -> Config:
    return {"@type": f"type.googleapis.com/envoy.extensions.{type_}", **fields}


def _extension(name: str, type_: str, **fields: Any) -> Config:
    return {"name": name, "typed_config": _typed(type_, **fields)}


def _pipe(layout: Layout, name: str, **fields: Any) -> Config:
    return {"pipe": {"path": f"{layout.socket_folder}/{name}.sock", **fields}}


def _overload_manager() -> Config:
    def action(name: str, threshold: float) -> Config:
        trigger = {"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": threshold}}
        return {"name": f"envoy.overload_actions.{name}", "triggers": [trigger]}

    return {
        "refresh_interval": "1s",
        "resource_monitors": [
            _extension(
                "envoy.resource_monitors.global_downstream_max_connections",
                "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                max_active_downstream_connections=MAX_CONNECTIONS,
            ),
            _extension(
                "envoy.resource_monitors.fixed_heap",
                "resource_monitors.fixed_heap.v3.FixedHeapConfig",
                max_heap_size_bytes=MAX_HEAP_BYTES,
            ),
        ],
        "actions": [action("shrink_heap", 0.85), action("stop_accepting_connections", 0.95)],
    }


def _listener(name: str, address: Config, chain: Config, **fields: Any) -> Config:
    return {
        "name": name,
        "stat_prefix": name,
        "address": address,
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        "filter_chains": [chain],
        **fields,
    }


def _unlimited() -> Config:
    """A pod that is full is neither taken out of its Service nor restarted for it: probes always get through."""
    return {"bypass_overload_manager": True}


def _tls(layout: Layout, protocol: str) -> Config:
    sds = {"path_config_source": {"path": layout.secret_file}, "resource_api_version": "V3"}
    context = {
        # Its ciphers of TLS 1.2 are those with forward secrecy and authenticated encryption by Envoy's own default.
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "alpn_protocols": [protocol],
        "tls_certificate_sds_secret_configs": [{"name": _SECRET, "sds_config": sds}],
    }
    return {
        "transport_socket": _extension(
            "envoy.transport_sockets.tls", "transport_sockets.tls.v3.DownstreamTlsContext", common_tls_context=context
        ),
        "transport_socket_connect_timeout": f"{_HANDSHAKE_SECONDS}s",
    }


def _tls_listener(layout: Layout, name: str, address: Address, cluster: str, *, protocol: str) -> Config:
    proxy = _tcp_proxy(
        name,
        cluster,
        # The gate hears of a client after its handshake, and closes one that then says nothing.
        upstream_connect_mode="ON_DOWNSTREAM_TLS_HANDSHAKE",
        max_early_data_bytes=_BUFFER_BYTES,
    )
    chain = {"filters": [proxy], **_tls(layout, protocol)}
    return _listener(name, address.config, chain, traffic_direction="INBOUND")


def _plain_listeners(layout: Layout) -> list[Config]:
    if layout.plain_websocket is None:
        return []
    chain = {"filters": [_tcp_proxy("ws", "websocket")]}
    return [_listener("ws", layout.plain_websocket.config, chain, traffic_direction="INBOUND")]


def _tcp_proxy(name: str, cluster: str, **fields: Any) -> Config:
    return _extension(
        "envoy.filters.network.tcp_proxy",
        "filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=name,
        cluster=cluster,
        idle_timeout=f"{_IDLE_SECONDS}s",
        **fields,
    )


def _certificate_listener(layout: Layout) -> Config:
    """Takes handshakes of Envoy's own check, with the certificate of the others."""
    echo = _extension("envoy.filters.network.echo", "filters.network.echo.v3.Echo")
    chain = {"filters": [echo], **_tls(layout, "mqtt")}
    return _listener("certificate", _pipe(layout, "certificate", mode=0o600), chain, **_unlimited())


def _status_listener(layout: Layout) -> Config:
    def route(path: str) -> Config:
        method = {"name": ":method", "string_match": {"exact": "GET"}}
        return {"match": {"path": path, "headers": [method]}, "route": {"cluster": "admin", "timeout": "5s"}}

    manager = _extension(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="status",
        common_http_protocol_options={"idle_timeout": "60s"},
        request_headers_timeout="5s",
        route_config={
            "virtual_hosts": [{"name": "status", "domains": ["*"], "routes": [route(READY_PATH), route(METRICS_PATH)]}]
        },
        http_filters=[
            _health(CERTIFICATE_PATH, ["certificate"]),
            _extension("envoy.filters.http.router", "filters.http.router.v3.Router"),
        ],
    )
    return _listener("status", layout.status.config, {"filters": [manager]}, **_unlimited())


def _health(path: str, clusters: Iterable[str]) -> Config:
    return _extension(
        "envoy.filters.http.health_check",
        "filters.http.health_check.v3.HealthCheck",
        pass_through_mode=False,
        headers=[{"name": ":path", "string_match": {"exact": path}}],
        cluster_min_healthy_percentages={cluster: {"value": 100} for cluster in clusters},
    )


def _cluster(name: str, address: Config, **fields: Any) -> Config:
    endpoint = {"endpoint": {"address": address}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        **fields,
    }


def _health_check(*, every: str) -> Config:
    """Connects and closes; more often until it succeeds."""
    return {
        "timeout": "2s",
        "interval": every,
        "unhealthy_interval": "0.5s",
        # Of a cluster that no client has used yet.
        "no_traffic_interval": "0.5s",
        "no_traffic_healthy_interval": every,
        "healthy_threshold": 1,
        "unhealthy_threshold": 1,
        "tcp_health_check": {},
    }


def _gate_cluster(name: str, address: Address) -> Config:
    return _cluster(
        name,
        address.config,
        per_connection_buffer_limit_bytes=_BUFFER_BYTES,
        circuit_breakers={
            "thresholds": [{"max_connections": MAX_CONNECTIONS, "max_pending_requests": MAX_CONNECTIONS}]
        },
    )


def _certificate_cluster(layout: Layout) -> Config:
    return _cluster(
        "certificate",
        _pipe(layout, "certificate"),
        transport_socket=_extension(
            "envoy.transport_sockets.tls", "transport_sockets.tls.v3.UpstreamTlsContext", common_tls_context={}
        ),
        health_checks=[_health_check(every="10s")],
    )
