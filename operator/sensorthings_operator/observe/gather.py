"""Puts what the store, the probes and the pass itself know of a service into an Observed. Used by the reconcile."""

from collections.abc import Sequence

from sensorthings_operator.apply.children import Applied, Outcome
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions.observed import (
    ApplyProblem,
    DatabaseProbe,
    Observed,
    PodProblem,
    SchemaJob,
    Workload,
)
from sensorthings_operator.desired import addresses, schema
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.validation import SpecProblem
from sensorthings_operator.observe.secrets import SecretsRead


def gather(  # noqa: PLR0913 - everything that can be known of a service
    store: OwnedStore,
    service: Service,
    settings: OperatorSettings,
    *,
    spec_problems: Sequence[SpecProblem] = (),
    secrets: SecretsRead | None = None,
    database: DatabaseProbe | None = None,
    applied: Sequence[Applied] = (),
) -> Observed:
    """Everything that is known of a service now."""

    def workload(kind: str, name: str) -> Workload | None:
        child = store.get(kind, service.namespace, name)
        return child.summary if child is not None and isinstance(child.summary, Workload) else None

    return Observed(
        service=service,
        spec_problems=tuple(spec_problems),
        missing_secrets={} if secrets is None else secrets.missing,
        database=database,
        schema=_schema_job(store, service, settings),
        bus=workload("StatefulSet", addresses.bus_name(service)),
        http=workload("Deployment", addresses.http_name(service)),
        mqtt=workload("Deployment", addresses.mqtt_name(service)),
        managed_database=workload("StatefulSet", addresses.database_name(service)),
        pod_problems=_pod_problems(store, service),
        apply_problems=tuple(
            ApplyProblem(child.kind, child.name, child.reason, child.message)
            for child in applied
            if child.outcome is Outcome.REFUSED
        ),
    )


def _schema_job(store: OwnedStore, service: Service, settings: OperatorSettings) -> SchemaJob | None:
    child = store.get("Job", service.namespace, schema.name(service, settings))
    return child.summary if child is not None and isinstance(child.summary, SchemaJob) else None


def _pod_problems(store: OwnedStore, service: Service) -> tuple[PodProblem, ...]:
    found: list[PodProblem] = []
    for child in store.of_service(service.key):
        if child.kind == "Pod":
            found += child.summary
    return tuple(found)
