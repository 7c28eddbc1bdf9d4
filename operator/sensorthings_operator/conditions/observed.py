"""What was seen of a service, frozen. Gathered by observe, judged by the policy chains, never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sensorthings_operator.api.status import PublicationStatus, RestoreStatus
from sensorthings_operator.conditions.backups import Archive, Backups, Run
from sensorthings_operator.conditions.databasehosts import HostSeen, Replication
from sensorthings_operator.desired.service import Service


@dataclass(frozen=True)
class Answer:
    """The last answer of something that is asked beside the passes."""

    holds: bool
    reason: str
    message: str
    pods: tuple[str, ...] = ()
    """Pods that it is about, where it is about some."""
    replication: Replication | None = None
    """How the servers of a database stand to each other, where it is about one that has several."""
    archive: Archive | None = None
    """How the archiver of a database with backups does, rounded."""
    hosts: tuple[HostSeen, ...] = field(default=(), compare=False)
    """Figures of a database's servers. They differ from answer to answer, and make none a new one."""


@dataclass(frozen=True)
class Workload:
    """A Deployment or StatefulSet."""

    wanted: int
    """Pods its spec asks for; the fewest, where the load decides."""
    replicas: int
    ready: int
    updated: int
    available: int
    settled: bool
    """Its controller has seen the newest spec, and every pod is of it."""
    seen: int = 0
    """The newest generation that its controller has seen."""
    stuck: str = ""
    """Why a rollout stopped making progress, in the controller's words; empty while it makes some."""


@dataclass(frozen=True)
class SchemaJob:
    """The Job that brings the schema to where the spec wants it."""

    outcome: Literal["Running", "Complete", "Failed"]
    message: str = ""


@dataclass(frozen=True)
class PodProblem:
    """Why a container does not run."""

    component: str
    pod: str
    reason: str
    message: str


@dataclass(frozen=True)
class DatabaseInstance:
    """A pod of a managed pair to which Patroni gave a role."""

    pod: str
    role: str
    ready: bool


@dataclass(frozen=True)
class PodState:
    """What is kept of a pod."""

    problems: tuple[PodProblem, ...] = ()
    schema_job: str = ""
    """The schema Job whose work this pod has done; empty for every other pod."""
    restarts: int = 0
    """Of its containers: a bus that began anew within a moment was ready all the time, and may have forgotten much."""
    instance: DatabaseInstance | None = None
    """None for every other pod."""
    run: Run | None = None
    """What came of a backup, a drill or a restore in this pod."""


@dataclass(frozen=True)
class ApplyProblem:
    """A child that the API server refused."""

    kind: str
    name: str
    reason: str
    message: str


@dataclass(frozen=True)
class Observed:
    """All that the conditions are judged by."""

    service: Service
    missing_secrets: Mapping[str, str] = field(default_factory=dict)
    """Secrets that the spec names and that can't be used, with the reason for people."""
    database: Answer | None = None
    schema: SchemaJob | None = None
    bus: Workload | None = None
    http: Workload | None = None
    mqtt: Workload | None = None
    reads: Workload | None = None
    portal: Workload | None = None
    portal_route: Answer | bool | None = None
    """What is known of what leads to the live map page: of an Ingress whether it has an address."""
    managed_database: Workload | None = None
    instances: tuple[DatabaseInstance, ...] = ()
    """Of a managed pair, those that have a role, by their pods' names."""
    backups: Backups | None = None
    """None where the spec asks for none."""
    missing_backup_secrets: Mapping[str, str] = field(default_factory=dict)
    """Secrets for backups that can't be used, with the reason for people."""
    restored: RestoreStatus | None = None
    """What came of the restore that the spec asks for."""
    restore_failure: str = ""
    """Why its last try failed."""
    restored_database: Workload | None = None
    """The database that is restored beside the one that serves."""
    autoscalers: Mapping[str, Answer] = field(default_factory=dict)
    """Whether each HorizontalPodAutoscaler can act, by component."""
    certificate: Answer | None = None
    """Whether cert-manager has issued the certificate, in its words."""
    ingresses: Mapping[str, bool] = field(default_factory=dict)
    """Whether the ingress controller has taken each Ingress up, by its name."""
    gateway_routes: Mapping[tuple[str, str], Answer] = field(default_factory=dict)
    """What a Gateway's controller says of each of the service's listeners and routes, by kind and name."""
    mqtt_port: Answer | None = None
    """Whether the port of MQTT on the ingress controller is this service's."""
    keycloak: Answer | None = None
    """Whether the service's client in Keycloak is as it should be."""
    users: Answer | None = None
    """Whether the users in the database are those of the spec; None until that was looked at."""
    missing_passwords: Mapping[str, str] = field(default_factory=dict)
    """Why a user has no password, for people, by the user's name."""
    host: Answer | None = None
    """Where DNS leads those who look the host up; None while that is not known."""
    delivery: Answer | None = None
    """Whether Observations arrive at subscribers; None where nobody looks."""
    catalogue: Answer | None = None
    """What came of the descriptions of the service and its data; None where none are asked for."""
    catalogue_pods: Workload | None = None
    """What serves the descriptions to harvesters."""
    catalogue_route: Answer | bool | None = None
    """What is known of what leads there: of an Ingress whether it has an address."""
    published: Answer | None = None
    """Whether the entries in catalogues are as they should be; None while that is not known."""
    publications: tuple[PublicationStatus, ...] = ()
    """Where the service may have entries."""
    references: Mapping[str, Answer] = field(default_factory=dict)
    """What is wrong with objects that the spec refers to, by kind; only where something that needs them is not well."""
    missing_apis: frozenset[str] = frozenset()
    """Kinds that the service needs and that the API server does not serve."""
    pod_problems: tuple[PodProblem, ...] = ()
    apply_problems: tuple[ApplyProblem, ...] = ()
    waiting_children: tuple[str, ...] = ()
    """Names of children that are as they were made, while what the spec wants of them waits for other pods."""
    contested: tuple[tuple[str, str, str], ...] = ()
    """Kind and name of children that somebody takes back again and again, and what is known of who it is."""
