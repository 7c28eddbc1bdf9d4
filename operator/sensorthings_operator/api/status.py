"""The status of a SensorThingsService, and conditions as the Kubernetes API conventions write them.

Written by the reconcile; read by people, GitOps tools (kstatus) and the command line.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from sensorthings_operator.api.base import Model

Generation = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
"""A metadata.generation."""
ObservedGeneration = Annotated[int, Field(ge=-1, json_schema_extra={"format": "int64"})]
"""The metadata.generation that a status is about; -1 until somebody has looked."""
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A time as Kubernetes writes it."""
Bytes = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
"""A number of bytes."""
UNSEEN: Final = -1
"""What a status is about until the operator has looked: kstatus takes an object without any for one that is ready."""


class Condition(Model):
    """One observation of the service's state; metav1.Condition."""

    type: Annotated[str, Field(max_length=316)]
    """What the condition is about."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    observed_generation: Generation
    """The generation of the spec that this was observed for."""
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """When the status last changed."""
    reason: Annotated[str, Field(pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", min_length=1, max_length=1024)]
    """One word for machines."""
    message: Annotated[str, Field(max_length=32768)]
    """A sentence for people: what is, and what to do."""


class Endpoint(Model):
    """An address of the service."""

    name: Annotated[str, Field(max_length=63)]
    """sensorthings (REST), mqtt, mqtt-websocket, catalogue or map."""
    url: Annotated[str, Field(max_length=1024)]
    """Where clients connect."""


class TierStatus(Model):
    """Pods of one module."""

    replicas: int = 0
    """Pods that exist."""
    ready_replicas: int = 0
    """Pods that answer."""
    selector: Annotated[str, Field(max_length=1024)] = ""
    """Label selector of the pods; the scale subresource reads it."""


class DatabaseHost(Model):
    """A server of the database."""

    host: Annotated[str, Field(max_length=259)]
    """Its name and port."""
    role: Literal["primary", "standby"]
    """What it was when it last answered."""


class BackupEntry(Model):
    """A backup that is kept."""

    label: Annotated[str, Field(max_length=64)]
    """pgBackRest's name of it: it ends with F where it holds everything, else with D."""
    time: Time
    """When it was complete: the earliest time to which it can be restored."""
    size_bytes: Bytes
    """Of the database then."""
    stored_bytes: Bytes
    """What it added to the repository, compressed."""


class BackupFailure(Model):
    """A run that failed."""

    time: Time
    """When."""
    message: Annotated[str, Field(max_length=1024)]
    """Why, in the words of what failed."""
    since: Time | None = None
    """When the first one failed of those that failed one after the other."""


class ArchiveGap(Model):
    """Pieces of the write-ahead log that never came into the archive."""

    segment: Annotated[str, Field(max_length=24)]
    """The first of them."""
    since: Time
    """When the one before was archived: the database can be restored to times up to about then."""
    until: Time | None = None
    """When the next backup was complete, from which on it can be again; not there while there is none."""


class BackupRequest(Model):
    """What the operator asked for last, beside the schedule."""

    number: Annotated[int, Field(ge=0)]
    """Counts them."""
    kind: Literal["Backup", "Check"]
    """A backup, or a look whether the archive is whole."""
    time: Time
    """When."""
    timeline: Annotated[int, Field(ge=1)] | None = None
    """That the primary wrote then: another one means that another instance was promoted."""
    done: bool = False
    """Whether it was made."""


class DrillStatus(Model):
    """The last restore for practice."""

    time: Time
    """When it ended."""
    succeeded: bool
    """Whether the database came up and answered."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """Why not."""
    label: Annotated[str, Field(max_length=64)] = ""
    """The backup that was restored."""
    seconds: Annotated[int, Field(ge=0)] = 0
    """How long it took."""
    observations: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] | None = None
    """How many Observations it had."""
    newest_observation: Time | None = None
    """The latest phenomenonTime among them."""


class BackupStatus(Model):
    """The backups of a managed database."""

    database: Annotated[str, Field(max_length=63)]
    """Whose they are: the name of the database's StatefulSet, which is pgBackRest's stanza."""
    location: Annotated[str, Field(max_length=640)] = ""
    """Where they lie: in a volume, or in a store's bucket and folder."""
    last_success_time: Time | None = None
    """When the newest backup was complete."""
    oldest_restorable_time: Time | None = None
    """The database can be restored to any time from this one on."""
    next_schedule_time: Time | None = None
    """When the next backup is due."""
    last_failure: BackupFailure | None = None
    """The last backup, where it failed."""
    gap: ArchiveGap | None = None
    """The last gap in the archive, as long as there are backups from before it."""
    request: BackupRequest | None = None
    """What the operator asked for last: the first backup, another try, a look after a failover."""
    last_drill: DrillStatus | None = None
    """The last drill."""
    backups: Annotated[
        list[BackupEntry],
        Field(
            max_length=40,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["label"]},
        ),
    ] = Field(default_factory=list)
    """Those that are kept, the newest first; forty of them at most."""


class RestoreStatus(Model):
    """A database that was restored."""

    name: Annotated[str, Field(max_length=8)]
    """The name that spec.database.managed.restore gave it."""
    label: Annotated[str, Field(max_length=64)] = ""
    """The backup it was made from."""
    seconds: Annotated[int, Field(ge=0)] = 0
    """How long it took."""
    last_transaction_time: Time | None = None
    """When the last transaction that it holds was committed."""
    observations: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] | None = None
    """How many Observations it had then; not there where counting them would have kept the database waiting."""
    estimated_observations: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] | None = None
    """About how many instead, by PostgreSQL's own statistics."""
    newest_observation: Time | None = None
    """The latest phenomenonTime among them."""


class DatabaseStatus(Model):
    """The servers of a database that has several; which managed one serves, and its backups."""

    primary: Annotated[str, Field(max_length=259)] | None = None
    """The server that takes writes; not there while there is none, or more than one."""
    hosts: Annotated[
        list[DatabaseHost],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["host"]}),
    ] = Field(default_factory=list)
    """The servers and their roles."""
    serving: Annotated[str, Field(max_length=8)] | None = None
    """The restored database that serves; not there while the first one does."""
    backup: BackupStatus | None = None
    """The backups, where the spec asks for some."""
    restored: RestoreStatus | None = None
    """The database that spec.database.managed.restore made."""


class PublicationStatus(Model):
    """A catalogue in which the service may have entries."""

    url: Annotated[str, Field(max_length=512)]
    """Where it is."""
    organization: Annotated[str, Field(max_length=100)]
    """The organization that the entries belong to."""
    secret: Annotated[str, Field(max_length=253)]
    """Secret with the token by which they are withdrawn when the spec names the catalogue no more."""


class CatalogueStatus(Model):
    """What the service has in catalogues."""

    publications: Annotated[
        list[PublicationStatus],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["url"]}),
    ] = Field(default_factory=list)
    """Where it may have entries."""


class ServiceStatus(Model):
    """The service as it was last seen."""

    observed_generation: ObservedGeneration | None = None
    """The generation of the spec that this status is about; -1 until the operator has looked at it."""
    conditions: Annotated[
        list[Condition],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = Field(default_factory=list)
    """What holds and what does not, one by one."""
    endpoints: Annotated[
        list[Endpoint],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}),
    ] = Field(default_factory=list)
    """Where clients connect."""
    version: str | None = None
    """The version of FROST-Server that the database's schema is at."""
    database: DatabaseStatus | None = None
    """The database's servers, where it has several, and its backups."""
    http: TierStatus | None = None
    """Pods of the HTTP module."""
    mqtt: TierStatus | None = None
    """Pods of the MQTT module."""
    catalogue: CatalogueStatus | None = None
    """What the service has in catalogues."""
