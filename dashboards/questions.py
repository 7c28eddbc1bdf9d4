"""What the dashboards beside that of autoscaling ask of Prometheus, dashboard by dashboard.

Plain text without Grafana's library, as ``asked``. Names are those of the operator's ``metrics`` and ``observe``, and
of the gate's ``internal/status/metrics.go``.
"""

from typing import Final

from dashboards import asked
from dashboards.query import HERE, SERVICE, Query, Source, pods, quantile

_OPERATOR: Final = (Source.OPERATOR,)
_GATE: Final = (Source.GATE,)
_ENVOY: Final = (Source.ENVOY,)
_MQTT: Final = pods("mqtt")


def _holding(labels: str, by: str) -> str:
    """1 for each condition that holds, 0 for each that does not, or is not known."""
    selected = f"sensorthings_condition{{{labels}, status"
    return f'max by ({by}) ({selected}="True"}}) or 0 * max by ({by}) ({selected}!="True"}})'


def _ready(labels: str) -> str:
    return f'sensorthings_condition{{{labels}type="Ready", status="True"}}'


CITY_SERVICES: Final = Query(
    "services of the city",
    f'count(max by (service) (sensorthings_condition{{{HERE}, type="Ready"}}))',
    "services",
    _OPERATOR,
)
CITY_READY: Final = Query(
    "services of the city that are ready",
    f"sum(max by (service) ({_ready(f'{HERE}, ')})) or vector(0)",
    "ready",
    _OPERATOR,
)
CITY_STALLED: Final = Query(
    "services of the city that stand still",
    f'sum(max by (service) (sensorthings_condition{{{HERE}, type="Stalled", status="True"}})) or vector(0)',
    "stalled",
    _OPERATOR,
)
CITY_PODS_MISSING: Final = Query(
    "pods that are wanted and not ready",
    f'max by (service, tier) (sensorthings_replicas{{{HERE}, state="wanted"}})'
    f' - max by (service, tier) (sensorthings_replicas{{{HERE}, state="ready"}})',
    "{{service}} {{tier}}",
    _OPERATOR,
)
CITY_READINESS: Final = Query(
    "services of the city over time", _holding(f'{HERE}, type="Ready"', "service"), "{{service}}", _OPERATOR
)
CITY_AMISS: Final = Query(
    "conditions of the city that do not hold",
    f'max by (service, type) (sensorthings_condition{{{HERE}, type!~"Reconciling|Stalled", status="False"}})',
    "{{service}} {{type}}",
    _OPERATOR,
    rare=True,
)
CITY_DATABASES: Final = Query(
    "database servers of the city",
    f"max by (service, host) (sensorthings_database_host_up{{{HERE}}})",
    "{{service}} {{host}}",
    _OPERATOR,
)
CITY_CONNECTIONS: Final = Query(
    "MQTT clients of the city",
    f"sum by (pod) (mqtt_gate_connections{{{HERE}}})",
    "{{pod}}",
    _GATE,
    rare=True,
)
CITY_CERTIFICATES: Final = Query(
    "days until certificates of the city expire",
    f"min by (pod) (envoy_server_days_until_first_cert_expiring{{{HERE}}})",
    "{{pod}}",
    _ENVOY,
)

DELIVERY_VERIFIED: Final = asked.condition("DeliveryVerified")
PUBLISHED: Final = Query(
    "publications by what became of them",
    f"sum by (result) (rate(mqtt_gate_published_total{{{_MQTT}}}[$__rate_interval]))",
    "{{result}}",
    _GATE,
    rare=True,
)
PUBLISH_SECONDS: Final = tuple(
    Query(
        f"time until FROST-Server answers a publication, {words}",
        quantile(share, "mqtt_gate_publish_duration_seconds", _MQTT),
        words,
        _GATE,
    )
    for share, words in ((0.5, "median"), (0.95, "95th percentile"))
)
DELIVERED: Final = Query(
    "messages written to clients",
    f"sum by (pod) (rate(mqtt_gate_delivered_total{{{_MQTT}}}[$__rate_interval]))",
    "{{pod}}",
    _GATE,
)
NOT_DELIVERED: Final = Query(
    "messages larger than their client takes",
    f"sum by (pod) (rate(mqtt_gate_dropped_total{{{_MQTT}}}[$__rate_interval]))",
    "{{pod}}",
    _GATE,
)
CLIENTS: Final = Query(
    "clients by transport and version of MQTT",
    f"sum by (transport, version) (mqtt_gate_connections{{{_MQTT}}})",
    "{{transport}} {{version}}",
    _GATE,
    rare=True,
)
REFUSED: Final = Query(
    "packets that the gate refused",
    f"sum by (packet, reason) (rate(mqtt_gate_refused_total{{{_MQTT}}}[$__rate_interval]))",
    "{{packet}} {{reason}}",
    _GATE,
    rare=True,
)
EXPIRED: Final = Query(
    "connections that ended with their token",
    f"sum by (pod) (rate(mqtt_gate_expired_total{{{_MQTT}}}[$__rate_interval]))",
    "{{pod}}",
    _GATE,
)

PRIMARIES: Final = Query(
    "primaries of the database",
    f'count(sensorthings_database_host_info{{{SERVICE}, role="primary"}}) or vector(0)',
    "primaries",
    _OPERATOR,
)
STANDBYS: Final = Query(
    "standbys of the database",
    f'count(sensorthings_database_host_info{{{SERVICE}, role="standby"}}) or vector(0)',
    "standbys",
    _OPERATOR,
)
HOSTS_UP: Final = Query(
    "database servers that answer", f"max by (host) (sensorthings_database_host_up{{{SERVICE}}})", "{{host}}", _OPERATOR
)
ROLES: Final = Query(
    "roles of the database servers",
    f"max by (host, role, sync) (sensorthings_database_host_info{{{SERVICE}}})",
    "{{host}} {{role}} {{sync}}",
    _OPERATOR,
)
DATABASE_CONDITIONS: Final = Query(
    "conditions of the database",
    _holding(f'{SERVICE}, type=~"Database.*|InstancesAvailable|BackedUp|ReadsAvailable"', "type"),
    "{{type}}",
    _OPERATOR,
)
LAG_SECONDS: Final = Query(
    "lag of the standbys in seconds",
    f"max by (host) (sensorthings_database_host_lag_seconds{{{SERVICE}}})",
    "{{host}}",
    _OPERATOR,
    rare=True,
)
LAG_BYTES: Final = Query(
    "lag of the standbys in bytes",
    f"max by (host) (sensorthings_database_host_lag_bytes{{{SERVICE}}})",
    "{{host}}",
    _OPERATOR,
    rare=True,
)
DATABASE_CONNECTIONS: Final = Query(
    "connections of the database",
    f"max by (host, state) (sensorthings_database_host_connections{{{SERVICE}}})",
    "{{host}} {{state}}",
    _OPERATOR,
)
DATABASE_SIZE: Final = Query(
    "size of the database",
    f"max by (host) (sensorthings_database_host_size_bytes{{{SERVICE}}})",
    "{{host}}",
    _OPERATOR,
)

CONNECTORS: Final = Query("connectors that exist", "max(sensorthings_operator_connectors)", "connectors", _OPERATOR)
CONNECTORS_WAITING: Final = Query(
    "connectors that wait for a pass", "max(sensorthings_operator_connector_queue_depth)", "waiting", _OPERATOR
)
TOKENS_GOOD: Final = Query("tokens that have not expired", "sum(sensorthings_tokens_good)", "tokens", _OPERATOR)
TOKENS: Final = Query(
    "tokens that Keycloak was asked for",
    "sum by (result) (rate(sensorthings_tokens_issued_total[$__rate_interval]))",
    "{{result}}",
    _OPERATOR,
    rare=True,
)
TOKENS_REFUSED: Final = Query(
    "tokens that were not issued",
    'sum(increase(sensorthings_tokens_issued_total{result!="Issued"}[$__range])) or vector(0)',
    "not issued",
    _OPERATOR,
)
DOOR: Final = Query(
    "visitors at the token service's door",
    "sum by (code) (rate(sensorthings_tokens_door_requests_total[$__rate_interval]))",
    "{{code}}",
    _OPERATOR,
    rare=True,
)

LEADERS: Final = Query("operators that act", "sum(sensorthings_operator_leader)", "leaders", _OPERATOR)
FLEET_READY: Final = Query(
    "services of the fleet that are ready",
    f"sum(max by (namespace, service) ({_ready('')})) or vector(0)",
    "ready",
    _OPERATOR,
)
FLEET_NAMESPACES: Final = Query(
    "services by namespace",
    'count by (namespace) (sensorthings_condition{type="Ready"})',
    "{{namespace}}",
    _OPERATOR,
)
FLEET_AMISS: Final = Query(
    "services of the fleet by condition that does not hold",
    'count by (type) (sensorthings_condition{type!~"Reconciling|Stalled", status="False"})',
    "{{type}}",
    _OPERATOR,
    rare=True,
)
FLEET_PODS: Final = Query(
    "pods of the fleet", "sum by (tier, state) (sensorthings_replicas)", "{{tier}} {{state}}", _OPERATOR
)
ERRORS: Final = Query(
    "seconds since a pass last failed",
    "time() - max by (error) (sensorthings_operator_last_error_timestamp_seconds)",
    "{{error}}",
    _OPERATOR,
    rare=True,
)
API_KINDS: Final = Query(
    "calls to the Kubernetes API by kind",
    "sum by (verb, kind) (rate(sensorthings_operator_api_calls_total[$__rate_interval]))",
    "{{verb}} {{kind}}",
    _OPERATOR,
)

_CITY: Final = (
    CITY_SERVICES,
    CITY_READY,
    CITY_STALLED,
    CITY_PODS_MISSING,
    CITY_READINESS,
    CITY_AMISS,
    CITY_DATABASES,
    CITY_CONNECTIONS,
    CITY_CERTIFICATES,
)
_DELIVERY: Final = (
    DELIVERY_VERIFIED,
    PUBLISHED,
    *PUBLISH_SECONDS,
    DELIVERED,
    NOT_DELIVERED,
    CLIENTS,
    REFUSED,
    EXPIRED,
)
_DATABASE: Final = (
    PRIMARIES,
    STANDBYS,
    HOSTS_UP,
    ROLES,
    DATABASE_CONDITIONS,
    LAG_SECONDS,
    LAG_BYTES,
    DATABASE_CONNECTIONS,
    DATABASE_SIZE,
)
_CONNECTORS: Final = (CONNECTORS, CONNECTORS_WAITING, TOKENS_GOOD, TOKENS, TOKENS_REFUSED, DOOR)
_FLEET: Final = (LEADERS, FLEET_READY, FLEET_NAMESPACES, FLEET_AMISS, FLEET_PODS, ERRORS, API_KINDS)


def queries() -> tuple[Query, ...]:
    """Every query of every dashboard, those of the variables included."""
    return (*asked.queries(), *_CITY, *_DELIVERY, *_DATABASE, *_CONNECTORS, *_FLEET)
