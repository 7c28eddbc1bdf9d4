"""Services, settings and what was seen of them, for tests."""

from typing import Any, Final

from sensorthings_operator.api.parse import parse_service
from sensorthings_operator.conditions.databasehosts import DatabaseAnswer, HostLook, Role, Usage
from sensorthings_operator.conditions.observed import Answer, Observed, SchemaJob, Workload
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from tests.unit.api.examples import SMALL_SERVICE, Manifest, patched

UID: Final = "11111111-1111-1111-1111-111111111111"
SETTINGS: Final = OperatorSettings()
EXTERNAL: Final[Manifest] = {
    "database": {
        "type": "External",
        "external": {
            "primary": {"host": "db-0.city.internal"},
            "replicas": [{"host": "db-1.city.internal", "port": 5433}],
            "credentialsSecretRef": {"name": "air-db"},
            "tls": {"mode": "verify-full", "caSecretRef": {"name": "db-ca"}},
        },
    }
}
BASIC: Final[Manifest] = {
    "auth": {
        "type": "Basic",
        "none": None,
        "basic": {
            "users": [
                {"name": "gateway", "passwordSecretRef": {"name": "air-users", "key": "gateway"}},
                {"name": "office", "roles": ["read"], "passwordSecretRef": {"name": "office"}},
            ]
        },
    }
}


def body(spec: Manifest | None = None, **metadata: Any) -> Manifest:
    """A SensorThingsService as the API server gives it."""
    described = {"name": "air", "namespace": "hamburg", "uid": UID, "generation": 1, "resourceVersion": "1", **metadata}
    return dict(patched(SMALL_SERVICE, {"metadata": described, "spec": spec or {}}))


def service(spec: Manifest | None = None, **fields: Any) -> Service:
    """A service as the builders see it: by default a small one with a managed database."""
    parsed = parse_service(body(spec), unknown_fields="refuse").spec
    return Service(**{"name": "air", "namespace": "hamburg", "uid": UID, "generation": 1, "spec": parsed, **fields})


def workload(wanted: int = 1, **fields: Any) -> Workload:
    """A workload of which all pods are ready."""
    counts = dict.fromkeys(("replicas", "ready", "updated", "available"), wanted)
    return Workload(**{"wanted": wanted, **counts, "settled": True, **fields})


def observed(**fields: Any) -> Observed:
    """A service of which everything is well."""
    well: dict[str, Any] = {
        "service": service(),
        "database": Answer(True, "DatabaseAnswers", "it answers"),
        "schema": SchemaJob("Complete"),
        "bus": workload(),
        "http": workload(),
        "mqtt": workload(),
        "managed_database": workload(),
    }
    return Observed(**{**well, **fields})


def look(host: str = "db-0:5432", **fields: Any) -> HostLook:
    """A look at a primary that is well, unless told otherwise."""
    well: dict[str, Any] = {
        "role": Role.PRIMARY,
        "server": f"start of {host}",
        "version": 150018,
        "postgis": "3.3.2",
        "usages": (Usage(10, 97),),
        "size_bytes": 10_000_000,
        "position": 1000,
        "timeline": 1,
    }
    return HostLook(host, **{**well, **fields})


def standby(host: str = "db-1:5432", **fields: Any) -> HostLook:
    """A look at a standby that has all that the primary has."""
    return look(host, **{"role": Role.STANDBY, "timeline": None, "streaming": True, "replay_age_seconds": 1, **fields})


def silent(host: str = "db-0:5432", trouble: DatabaseAnswer = DatabaseAnswer.UNREACHABLE, why: str = "") -> HostLook:
    """A look at a server that did not answer."""
    return HostLook(host, trouble=trouble, message=why or f"PostgreSQL at {host} does not answer: refused")


def child(kind: str = "ConfigMap", name: str = "air-bus", **metadata: Any) -> Manifest:
    """A child as the API server gives it."""
    described: Manifest = {
        "name": name,
        "namespace": "hamburg",
        "uid": "c-1",
        "resourceVersion": "1",
        "labels": {"sensorthings.city/service": "air"},
        **metadata,
    }
    return {"kind": kind, "metadata": described}


def ready_http_pod() -> Manifest:
    """A pod of the service's HTTP module that answers."""
    return {
        "metadata": {
            "name": "air-http-1",
            "namespace": "hamburg",
            "uid": "u",
            "resourceVersion": "7",
            "labels": {"sensorthings.city/service": "air", "app.kubernetes.io/component": "http"},
        },
        "status": {"podIP": "10.0.0.7", "conditions": [{"type": "Ready", "status": "True"}]},
    }
