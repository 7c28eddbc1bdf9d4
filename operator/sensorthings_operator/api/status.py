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
    """sensorthings (REST), mqtt or mqtt-websocket."""
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


class DatabaseStatus(Model):
    """The servers of a database that has several."""

    primary: Annotated[str, Field(max_length=259)] | None = None
    """The server that takes writes; not there while there is none, or more than one."""
    hosts: Annotated[
        list[DatabaseHost],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["host"]}),
    ] = Field(default_factory=list)
    """The servers and their roles."""


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
    """The database's servers, where it has several."""
    http: TierStatus | None = None
    """Pods of the HTTP module."""
    mqtt: TierStatus | None = None
    """Pods of the MQTT module."""
