"""The operator's own Prometheus metrics. Written by clients and the reconcile, served by the health endpoint."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

API_CALLS: Final = Counter(
    "sensorthings_operator_api_calls_total", "Calls to the Kubernetes API.", ["verb", "kind", "code"]
)
PASSES: Final = Counter("sensorthings_operator_passes_total", "Finished passes of the reconcile.", ["result"])
PASS_SECONDS: Final = Histogram("sensorthings_operator_pass_duration_seconds", "Duration of a pass of the reconcile.")
QUEUE_DEPTH: Final = Gauge("sensorthings_operator_queue_depth", "Services that wait for a pass.")
LEADER: Final = Gauge("sensorthings_operator_leader", "1 where this operator holds the Lease and acts, else 0.")
SERVICES: Final = Gauge("sensorthings_operator_services", "SensorThingsServices that exist.")
CONNECTORS: Final = Gauge("sensorthings_operator_connectors", "Connectors that exist.")
CONNECTOR_QUEUE_DEPTH: Final = Gauge("sensorthings_operator_connector_queue_depth", "Connectors that wait for a pass.")
TOKENS: Final = Counter(
    "sensorthings_tokens_issued_total", "Tokens that Keycloak was asked for, by what came of it.", ["result"]
)
TOKENS_GOOD: Final = Gauge("sensorthings_tokens_good", "Tokens of connectors and devices that have not expired.")
DOOR: Final = Counter(
    "sensorthings_tokens_door_requests_total",
    "Visitors at the door, by the status that they were answered with.",
    ["code"],
)
DRIFT_REPAIRS: Final = Counter(
    "sensorthings_operator_drift_repairs_total", "Children brought back after somebody changed them.", ["kind"]
)
LAST_PASS: Final = Gauge("sensorthings_operator_last_pass_timestamp_seconds", "When a pass last finished, Unix time.")
LAST_ERROR: Final = Gauge(
    "sensorthings_operator_last_error_timestamp_seconds", "When a pass last failed so, Unix time.", ["error"]
)
