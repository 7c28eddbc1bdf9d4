"""What the dashboard of autoscaling asks of Prometheus, and what the others ask as well; ``questions`` has the rest.

Plain text without Grafana's library: the dashboard is made of it, and the end-to-end tests put the same questions to a
real Prometheus. Sources of the names: ``metrics`` and ``observe.figures`` of the operator,
https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md,
https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/stats, and FROST-Server's documentation.
"""

from typing import Final

from dashboards.query import HERE, SERVICE, Query, Source, cpu, memory, pods, quantile
from dashboards.tier import HTTP, MQTT

_CADVISOR: Final = (Source.CADVISOR,)
_ENVOY: Final = (Source.ENVOY,)
_FROST: Final = (Source.FROST_SERVER,)
_OPERATOR: Final = (Source.OPERATOR,)

_CLIENTS: Final = 'envoy_listener_address=~"mqtts|wss"'
"""The listeners that clients connect to."""

CONNECTIONS: Final = Query(
    "MQTT connections by pod",
    f"sum by (pod, envoy_listener_address) (envoy_listener_downstream_cx_active{{{pods('mqtt')}, {_CLIENTS}}})",
    "{{pod}} {{envoy_listener_address}}",
    _ENVOY,
)
NEW_CONNECTIONS: Final = Query(
    "new MQTT connections",
    "sum by (envoy_listener_address) "
    f"(rate(envoy_listener_downstream_cx_total{{{pods('mqtt')}, {_CLIENTS}}}[$__rate_interval]))",
    "{{envoy_listener_address}}",
    _ENVOY,
)
REFUSED_CONNECTIONS: Final = (
    Query(
        "failed TLS handshakes",
        f"sum(rate(envoy_listener_ssl_connection_error{{{pods('mqtt')}, {_CLIENTS}}}[$__rate_interval]))",
        "failed handshakes",
        _ENVOY,
    ),
    Query(
        "connections beyond the limit of a pod",
        f"sum(rate(envoy_listener_downstream_global_cx_overflow{{{pods('mqtt')}, {_CLIENTS}}}[$__rate_interval]))",
        "too many",
        _ENVOY,
    ),
    Query(
        "connections that FROST-Server did not take",
        f'sum(rate(envoy_cluster_upstream_cx_connect_fail{{{pods("mqtt")}, envoy_cluster_name=~"mqtt|websocket"}}'
        "[$__rate_interval]))",
        "not taken by FROST-Server",
        _ENVOY,
    ),
)
MQTT_BYTES: Final = tuple(
    Query(
        f"bytes {words} clients",
        f'sum(rate(envoy_tcp_downstream_cx_{way}_bytes_total{{{pods("mqtt")}, envoy_tcp_prefix=~"mqtts|wss"}}'
        "[$__rate_interval]))",
        f"{words} clients",
        _ENVOY,
    )
    for way, words in (("rx", "from"), ("tx", "to"))
)
CERTIFICATE_DAYS: Final = Query(
    "days until the certificate expires",
    f"min(envoy_server_days_until_first_cert_expiring{{{pods('mqtt')}}})",
    "days",
    _ENVOY,
)

_BUS_PODS: Final = f'{HERE}, pod=~"${{service}}-bus-[0-9]+"'
BUS_CPU: Final = Query(
    "CPU of the bus",
    cpu(_BUS_PODS),
    "CPU",
    _CADVISOR,
)
BUS_MEMORY: Final = Query(
    "memory of the bus",
    memory(_BUS_PODS),
    "memory",
    _CADVISOR,
)

PASSES: Final = Query(
    "passes of the operator",
    "sum by (result) (rate(sensorthings_operator_passes_total[$__rate_interval]))",
    "{{result}}",
    _OPERATOR,
)
PASS_SECONDS: Final = tuple(
    Query(
        f"duration of a pass, {words}",
        quantile(share, "sensorthings_operator_pass_duration_seconds"),
        words,
        _OPERATOR,
    )
    for share, words in ((0.5, "median"), (0.95, "95th percentile"))
)
QUEUE_DEPTH: Final = Query(
    "services that wait for a pass", "max(sensorthings_operator_queue_depth)", "waiting", _OPERATOR
)
SERVICES: Final = Query("services that exist", "max(sensorthings_operator_services)", "services", _OPERATOR)
DRIFT_REPAIRS: Final = Query(
    "children brought back after a change",
    "sum by (kind) (increase(sensorthings_operator_drift_repairs_total[$__range]))",
    "{{kind}}",
    _OPERATOR,
    rare=True,
)
API_CALLS: Final = Query(
    "calls to the Kubernetes API",
    "sum by (verb, code) (rate(sensorthings_operator_api_calls_total[$__rate_interval]))",
    "{{verb}} {{code}}",
    _OPERATOR,
)
LAST_PASS: Final = Query(
    "seconds since the last pass",
    "time() - max(sensorthings_operator_last_pass_timestamp_seconds)",
    "last pass",
    _OPERATOR,
)

REQUEST_SECONDS: Final = tuple(
    Query(
        f"duration of an HTTP request, {words}",
        quantile(share, "http_request_duration_seconds", pods("http")),
        words,
        _FROST,
    )
    for share, words in ((0.5, "median"), (0.95, "95th percentile"))
)
SQL_SECONDS: Final = Query(
    "duration of an SQL query, 95th percentile",
    quantile(0.95, "sql_query_duration_seconds", pods("(http|mqtt)")),
    "95th percentile",
    _FROST,
)
QUEUES: Final = (
    Query(
        "messages from the bus that wait",
        f"max by (pod) (message_bus_queue_fill{{{pods('mqtt')}}})",
        "{{pod}} from the bus",
        _FROST,
    ),
    Query(
        "messages to subscribers that wait",
        f"max by (pod) (mqtt_manager_queue_fill{{{pods('mqtt')}}})",
        "{{pod}} to subscribers",
        _FROST,
    ),
)
OVERRUNS: Final = (
    Query(
        "messages of the bus that were dropped",
        f"sum by (pod) (rate(message_bus_queue_overruns_total{{{pods('(http|mqtt)')}}}[$__rate_interval]))",
        "{{pod}} bus",
        _FROST,
    ),
    Query(
        "messages to subscribers that were dropped",
        f"sum by (pod) (rate(mqtt_manager_queue_overruns_total{{{pods('mqtt')}}}[$__rate_interval]))",
        "{{pod}} subscribers",
        _FROST,
    ),
)
SESSIONS: Final = Query("MQTT sessions", f"sum by (pod) (moquette_open_sessions{{{pods('mqtt')}}})", "{{pod}}", _FROST)

NAMESPACES: Final = Query("namespaces with a service", "sensorthings_condition", "", _OPERATOR)
"""Its label ``namespace`` is offered for the variable of that name."""
SERVICE_NAMES: Final = Query("services of a namespace", f"sensorthings_condition{{{HERE}}}", "", _OPERATOR)
"""Its label ``service`` is offered for the variable of that name."""


def condition(type_: str) -> Query:
    """1 where a condition holds, 0 where it does not, or is not known."""
    series = f'sensorthings_condition{{{SERVICE}, type="{type_}", status="True"}}'
    return Query(f"condition {type_}", f"max({series}) or vector(0)", type_, _OPERATOR)


READY: Final = condition("Ready")
STALLED: Final = condition("Stalled")
BUS_CONNECTED: Final = condition("BusConnected")
CONDITIONS: Final = Query(
    "conditions that hold",
    f'max by (type) (sensorthings_condition{{{SERVICE}, status="True"}})'
    f' or 0 * max by (type) (sensorthings_condition{{{SERVICE}, status!="True"}})',
    "{{type}}",
    _OPERATOR,
)


def queries() -> tuple[Query, ...]:
    """Every query of the dashboard of autoscaling, those of the variables included."""
    return (
        NAMESPACES,
        SERVICE_NAMES,
        READY,
        STALLED,
        BUS_CONNECTED,
        CONDITIONS,
        *HTTP.all(),
        *MQTT.all(),
        CONNECTIONS,
        NEW_CONNECTIONS,
        *REFUSED_CONNECTIONS,
        *MQTT_BYTES,
        CERTIFICATE_DAYS,
        BUS_CPU,
        BUS_MEMORY,
        PASSES,
        *PASS_SECONDS,
        QUEUE_DEPTH,
        SERVICES,
        DRIFT_REPAIRS,
        API_CALLS,
        LAST_PASS,
        *REQUEST_SECONDS,
        SQL_SECONDS,
        *QUEUES,
        *OVERRUNS,
        SESSIONS,
    )
