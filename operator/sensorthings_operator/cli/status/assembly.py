"""Makes of a snapshot the tree that ``sensorthings status`` shows. Pure; called by ``command``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.cli.status import edge, events, judging, workloads
from sensorthings_operator.cli.status.asking import Situation, what_to_do
from sensorthings_operator.cli.status.model import Endpoint, Overview, Part, Service, State, worst
from sensorthings_operator.cli.status.snapshot import CHILDREN
from sensorthings_operator.desired.metadata import COMPONENT_LABEL, SERVICE_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sensorthings_operator.cli.status.model import Condition, Workload
    from sensorthings_operator.cli.status.snapshot import Missing, Object, Snapshot

_PARTS: Final = (
    ("database", "Database", "DatabaseReachable"),
    ("instances", "Instances", "InstancesAvailable"),
    ("backup", "Backups", "BackedUp"),
    ("restored", "Restored database", "Restored"),
    ("schema", "Schema", "SchemaUpToDate"),
    ("bus", "Message bus", "BusConnected"),
    ("http", "HTTP", "HTTPAvailable"),
    ("mqtt", "MQTT", "MQTTAvailable"),
    ("autoscaling", "Autoscaling", "AutoscalingActive"),
    ("routes", "Routes", "RoutesProgrammed"),
    ("certificate", "Certificate", "CertificateReady"),
    ("auth", "Auth", "AuthConfigured"),
    ("monitoring", "Monitoring", "MonitoringReady"),
    ("catalogue", "Catalogue endpoint", "CatalogueServed"),
    ("portal", "Live map", "PortalAvailable"),
)
"""Key, title and condition of each part. A workload belongs to the part of its component label."""


def overview(snapshot: Snapshot) -> Overview:
    """Every service of a snapshot, by namespace and name."""
    services = sorted(snapshot.services, key=lambda each: (each["metadata"]["namespace"], each["metadata"]["name"]))
    notes = (*snapshot.notes, *_notes(services, snapshot))
    return Overview(tuple(_service(service, snapshot) for service in services), notes)


def _notes(services: Iterable[Object], snapshot: Snapshot) -> Iterator[str]:
    """What could not be looked at; a certificate only where one is asked for."""
    asked = any(service.get("spec", {}).get("certificate") for service in services)
    missing = {kind: snapshot.missing[kind.name] for kind in CHILDREN if kind.name in snapshot.missing}
    forbidden = [kind.plural for kind, why in missing.items() if why.why == "forbidden"]
    if not asked and "certificates" in forbidden:
        forbidden.remove("certificates")
    if forbidden:
        yield f"Not shown, because you may not list them: {', '.join(forbidden)}"
    for kind, why in missing.items():
        if why.why == "failed" or (why.why == "absent" and kind.name != "Certificate"):
            yield f"Not shown: {kind.plural}: {why.message}"


@dataclass(frozen=True, slots=True)
class _Parts:
    """All that the parts of one service are made of."""

    service: Object
    conditions: Sequence[Condition]
    children: dict[str, list[Object]]
    snapshot: Snapshot

    def all(self) -> Iterator[Part]:
        """The parts that there is something to say about; then what this release does not know."""
        known = {type_ for _, _, type_ in _PARTS} | set(judging.SUMMARY)
        keys = {key for key, _, _ in _PARTS}
        components = {_component(live) for kind in ("Deployment", "StatefulSet", "Job") for live in self.of(kind)}
        others = [condition.type for condition in self.conditions if condition.type not in known]
        table = (
            *_PARTS,
            *((component, component, "") for component in sorted(components - keys)),
            *((type_[:1].lower() + type_[1:], type_, type_) for type_ in others),
        )
        for row in table:
            part = self._part(*row)
            if part.condition or part.about or part.workloads or part.autoscalers or part.routes or part.certificates:
                yield part

    def of(self, kind: str) -> list[Object]:
        """The service's objects of a kind."""
        return self.children.get(kind, [])

    def _part(self, key: str, title: str, type_: str) -> Part:
        condition = next((each for each in self.conditions if each.type == type_), None)
        made = tuple(self._workloads(key))
        autoscalers = tuple(map(edge.autoscaler, self.of("HorizontalPodAutoscaler"))) if key == "autoscaling" else ()
        routes = tuple(map(edge.route, self.of("Ingress"))) if key == "routes" else ()
        certificates = (
            tuple(edge.certificate(live, self.snapshot.taken) for live in self.of("Certificate"))
            if key == "certificate"
            else ()
        )
        states = [each.state for group in (made, autoscalers, routes, certificates) for each in group]
        return Part(
            key=key,
            title=title,
            state=worst(*([condition.state] if condition else []), *states),
            about=_about(key, self.service.get("spec", {})),
            condition=condition,
            workloads=made,
            autoscalers=autoscalers,
            routes=routes,
            certificates=certificates,
            notes=tuple(self._notes(key)),
        )

    def _workloads(self, component: str) -> Iterator[Workload]:
        pods = [live for live in self.of("Pod") if _component(live) == component]
        for kind in ("StatefulSet", "Deployment"):
            for live in self.of(kind):
                if _component(live) == component:
                    yield workloads.workload(live, [workloads.pod(each, self.snapshot.taken) for each in pods])
        for live in self.of("Job"):
            if _component(live) == component:
                name = live["metadata"]["name"]
                own = [each for each in pods if _labels(each).get("batch.kubernetes.io/job-name") == name]
                yield workloads.job(live, [workloads.pod(each, self.snapshot.taken) for each in own])

    def _notes(self, key: str) -> Iterator[str]:
        missing: Missing | None = self.snapshot.missing.get("Certificate")
        asked = key == "certificate" and self.service.get("spec", {}).get("certificate")
        if asked and missing is not None and missing.why == "absent":
            yield f"No Certificate can be shown: {missing.message}. Is cert-manager installed?"


def _service(live: Object, snapshot: Snapshot) -> Service:
    metadata, status = live["metadata"], live.get("status", {})
    conditions = judging.conditions(live)
    children = {kind: list(_owned(objects, metadata)) for kind, objects in snapshot.children.items() if kind != "Event"}
    parts = tuple(_Parts(live, conditions, children, snapshot).all())
    situation = Situation(live, conditions, parts, snapshot.taken)
    remedies = tuple(what_to_do(situation))
    named = {**live, "kind": "SensorThingsService"}
    everything = [named, *(each for objects in children.values() for each in objects)]
    return Service(
        namespace=metadata["namespace"],
        name=metadata["name"],
        version=status.get("version"),
        created=metadata.get("creationTimestamp"),
        ready=situation.ready,
        state=State.OK if situation.ready else State.TROUBLE if remedies else situation.resting,
        what_to_do=remedies,
        conditions=conditions,
        endpoints=tuple(Endpoint(each["name"], each["url"]) for each in status.get("endpoints", ())),
        parts=parts,
        warnings=events.warnings(snapshot.children.get("Event", ()), metadata["namespace"], everything),
    )


def _owned(objects: Iterable[Object], service: dict[str, Any]) -> Iterator[Object]:
    for live in objects:
        if (
            live["metadata"]["namespace"] == service["namespace"]
            and _labels(live).get(SERVICE_LABEL) == service["name"]
        ):
            yield live


def _labels(live: Object) -> dict[str, str]:
    labels: dict[str, str] = live["metadata"].get("labels") or {}
    return labels


def _component(live: Object) -> str:
    return _labels(live).get(COMPONENT_LABEL, "")


def _about(key: str, spec: dict[str, Any]) -> str | None:
    """What the spec says of a part, where that is worth a word."""
    say = {"database": _database, "bus": _bus, "routes": _routes, "certificate": _certificate, "auth": _auth}.get(key)
    return say(spec) if say else None


def _database(spec: dict[str, Any]) -> str | None:
    external = spec.get("database", {}).get("external")
    if not external:
        return None
    servers = (external["primary"], *external.get("replicas", ()))
    named = [f"{server['host']}:{server.get('port', 5432)}" for server in servers]
    return f"at {', '.join(named)}"


def _bus(spec: dict[str, Any]) -> str | None:
    external = spec.get("bus", {}).get("external")
    return f"at {external['host']}:{external.get('port', 1883)}" if external else None


def _routes(spec: dict[str, Any]) -> str | None:
    type_ = spec.get("exposure", {}).get("type")
    return "inside the cluster only" if type_ == "None" else type_


def _certificate(spec: dict[str, Any]) -> str | None:
    issuer = (spec.get("certificate") or {}).get("issuerRef")
    return f"by {issuer.get('kind', 'ClusterIssuer')} {issuer['name']}" if issuer else None


def _auth(spec: dict[str, Any]) -> str | None:
    auth = spec.get("auth", {})
    reading = "anybody may read" if auth.get("anonymousRead", True) else "reading needs a login"
    match auth.get("type"):
        case "Keycloak":
            return f"Keycloak, realm {auth['keycloak']['realm']}; {reading}"
        case "Basic":
            return f"users {', '.join(user['name'] for user in auth['basic']['users'])}; {reading}"
        case "None":
            return "anybody may read and write"
    return None
