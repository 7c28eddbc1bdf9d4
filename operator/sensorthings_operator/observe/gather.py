"""Puts what the store, the probes and the pass itself know of a service into an Observed. Used by the reconcile."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sensorthings_operator.apply.outcome import Applied, Outcome
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.conditions import gatewayroutes
from sensorthings_operator.conditions.backups import Run
from sensorthings_operator.conditions.observed import (
    Answer,
    ApplyProblem,
    DatabaseInstance,
    Observed,
    PodState,
    SchemaJob,
    Workload,
)
from sensorthings_operator.desired import (
    addresses,
    autoscaling,
    catalogue,
    certificate,
    databases,
    http,
    ingress,
    mqtt,
    portal,
    reads,
)
from sensorthings_operator.desired.service import Service
from sensorthings_operator.observe.secrets import SecretsRead


def gather(  # noqa: PLR0913 - everything that can be known of a service
    store: OwnedStore,
    service: Service,
    *,
    schema_job: str,
    secrets: SecretsRead | None = None,
    database: Answer | None = None,
    applied: Sequence[Applied] = (),
) -> Observed:
    """Everything that is known of a service now."""

    def workload(kind: str, name: str) -> Workload | None:
        child = store.get(kind, service.namespace, name)
        if child is None or not isinstance(child.summary, Workload):
            return None
        seen = child.summary.seen >= child.sent_generation
        return replace(child.summary, settled=child.summary.settled and seen)

    restored = databases.beside(service)
    return Observed(
        service=service,
        missing_secrets={} if secrets is None else secrets.missing,
        missing_passwords={} if secrets is None else secrets.missing_passwords,
        missing_backup_secrets={} if secrets is None else secrets.missing_for_backups,
        database=database,
        schema=_schema_job(store, service, schema_job),
        bus=workload("StatefulSet", addresses.bus_name(service)),
        http=workload("Deployment", addresses.http_name(service)),
        mqtt=workload("Deployment", addresses.mqtt_name(service)),
        reads=workload("Deployment", reads.name(service)),
        portal=workload("Deployment", addresses.portal_name(service)),
        portal_route=_page_route(store, service, portal.route_kind(service), addresses.portal_name(service)),
        managed_database=workload("StatefulSet", addresses.database_name(service)),
        restored_database=None if restored is None else workload("StatefulSet", addresses.database_name(restored)),
        instances=instances(store, service),
        autoscalers=_autoscalers(store, service),
        certificate=_certificate(store, service),
        ingresses=_ingresses(store, service),
        gateway_routes=_gateway_routes(store, service),
        catalogue_pods=workload("Deployment", addresses.catalogue_name(service)),
        catalogue_route=_page_route(
            store, service, catalogue.endpoint.route_kind(service), addresses.catalogue_name(service)
        ),
        pod_problems=tuple(problem for pod in pods(store, service.key) for problem in pod.problems),
        apply_problems=tuple(
            ApplyProblem(child.kind, child.name, child.reason, child.message)
            for child in applied
            if child.outcome is Outcome.REFUSED
        ),
        waiting_children=tuple(child.name for child in applied if child.outcome is Outcome.WAITING),
        missing_apis=frozenset(child.kind for child in applied if child.outcome is Outcome.UNSERVED),
    )


def _schema_job(store: OwnedStore, service: Service, name: str) -> SchemaJob | None:
    child = store.get("Job", service.namespace, name)
    if child is None or not isinstance(child.summary, SchemaJob):
        return None
    done = any(pod.schema_job == name for pod in pods(store, service.key))
    return SchemaJob("Complete") if done else child.summary


def _autoscalers(store: OwnedStore, service: Service) -> dict[str, Answer]:
    names = {http.COMPONENT: addresses.http_name(service), mqtt.COMPONENT: addresses.mqtt_name(service)}
    children = {tier: store.get(autoscaling.KIND, service.namespace, name) for tier, name in names.items()}
    return {tier: child.summary for tier, child in children.items() if child and isinstance(child.summary, Answer)}


def _ingresses(store: OwnedStore, service: Service) -> dict[str, bool]:
    children = {name: store.get("Ingress", service.namespace, name) for name in ingress.names(service)}
    return {name: child.summary for name, child in children.items() if child and isinstance(child.summary, bool)}


def _gateway_routes(store: OwnedStore, service: Service) -> dict[tuple[str, str], Answer]:
    if addresses.gateway(service) is None:
        return {}
    children = {(kind, name): store.get(kind, service.namespace, name) for kind, name in gatewayroutes.wanted(service)}
    return {key: child.summary for key, child in children.items() if child and isinstance(child.summary, Answer)}


def _page_route(store: OwnedStore, service: Service, kind: str | None, name: str) -> Answer | bool | None:
    child = None if kind is None else store.get(kind, service.namespace, name)
    return child.summary if child is not None and isinstance(child.summary, Answer | bool) else None


def _certificate(store: OwnedStore, service: Service) -> Answer | None:
    child = store.get(certificate.KIND, service.namespace, certificate.name(service))
    return child.summary if child is not None and isinstance(child.summary, Answer) else None


def instances(store: OwnedStore, service: Service) -> tuple[DatabaseInstance, ...]:
    """The pods of the database that serves to which Patroni gave a role; one that is restored beside it has others."""
    database = addresses.database_name(service)
    found = (pod.instance for pod in pods(store, service.key) if pod.instance is not None)
    return tuple(each for each in found if each.pod.rpartition("-")[0] == database)


def pods(store: OwnedStore, key: ServiceKey) -> Iterator[PodState]:
    """What is known of a service's pods."""
    for child in store.of_service(key):
        if isinstance(child.summary, PodState):
            yield child.summary


def runs(store: OwnedStore, service: Service) -> list[Run]:
    """What came of the service's backups, drills and restores, as its pods say."""
    return [pod.run for pod in pods(store, service.key) if pod.run is not None]
