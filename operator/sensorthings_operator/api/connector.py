"""The Connector: a container that feeds a SensorThingsService, or a program elsewhere that fetches its token.

Read by the CRD generator, the pure builders, the reconcile and the token service.
"""

from typing import Annotated, Final

from pydantic import Field

from sensorthings_operator.api.base import (
    DNS_LABEL,
    Model,
    ObjectName,
    Port,
    PullSecrets,
    ResourceRequirements,
    cel,
    rules,
)
from sensorthings_operator.api.roles import TokenRoles, usual_roles
from sensorthings_operator.api.status import UNSEEN, Condition, ObservedGeneration

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A time, as RFC 3339 writes it."""
KIND: Final = "Connector"
PLURAL: Final = "connectors"


class ServiceReference(Model):
    """A SensorThingsService."""

    name: ObjectName
    """Name of the service."""
    namespace: ObjectName | None = None
    """Its namespace; the Connector's own where it is not given."""


class KeyReference(Model):
    """A key of a ConfigMap or Secret in the Connector's namespace."""

    name: ObjectName
    """Name of the object."""
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
    """The key."""


class EnvVarSource(Model):
    """Where a variable's value comes from."""

    model_config = rules(
        cel(
            "has(self.secretKeyRef) != has(self.configMapKeyRef)",
            "give one of secretKeyRef and configMapKeyRef",
        )
    )

    secret_key_ref: KeyReference | None = None
    """A key of a Secret."""
    config_map_key_ref: KeyReference | None = None
    """A key of a ConfigMap."""


class EnvVar(Model):
    """An environment variable of the container."""

    model_config = rules(
        cel("!(has(self.value) && has(self.valueFrom))", "give value or valueFrom, not both", field_path=".value")
    )

    name: Annotated[str, Field(pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$", max_length=253)]
    """Name of the variable."""
    value: Annotated[str, Field(max_length=32768)] | None = None
    """Its value."""
    value_from: EnvVarSource | None = None
    """Where its value comes from."""


def _https() -> list[Port]:
    return [443]


class ConnectorContainer(Model):
    """What runs."""

    image: Annotated[str, Field(min_length=1, max_length=1024)]
    """Image of the container."""
    command: Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=64)] = Field(default_factory=list)
    """Entry point; the image's own where it is empty."""
    args: Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=64)] = Field(default_factory=list)
    """Arguments of the entry point."""
    env: Annotated[
        list[EnvVar],
        Field(
            max_length=64,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(default_factory=list)
    """Environment, beside what the operator sets."""
    resources: ResourceRequirements = ResourceRequirements()
    """Compute resources; what is not given has the operator's defaults."""
    run_as_user: Annotated[int, Field(ge=1, le=2_147_483_647, json_schema_extra={"format": "int64"})] = 65532
    """uid and gid of the process; never root."""
    egress_ports: Annotated[list[Port], Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "set"})] = (
        Field(default_factory=_https)
    )
    """TCP ports at which it may reach anybody, to fetch what it feeds. DNS and the service need none."""


class Device(Model):
    """Something that writes for itself, such as a counting station: it has a token of its own."""

    name: Annotated[str, Field(pattern=DNS_LABEL, min_length=1, max_length=40)]
    """Name of the device, a DNS label."""
    suspend: bool = False
    """Mint no token for it."""


class ObservationSelector(Model):
    """Observations of the service."""

    filter: Annotated[str, Field(min_length=1, max_length=1024)]
    """A $filter of Observations (OGC 18-088, section 9.3.3.5.1), such as `Datastream/properties/layer eq 'bikes'`."""


class ConnectorSpec(Model):
    """The connector as it should be."""

    model_config = rules(
        cel(
            "self.external != has(self.container)",
            "a connector has a container, or is external: give one of the two",
            field_path=".container",
        ),
        cel(
            "!has(self.schedule) || has(self.container)",
            "schedule needs a container to run",
            field_path=".schedule",
        ),
        cel("self.serviceRef == oldSelf.serviceRef", "serviceRef can't be changed: make a new connector"),
    )

    service_ref: ServiceReference
    """The service it feeds."""
    roles: TokenRoles = Field(default_factory=usual_roles)
    """What its token allows."""
    container: ConnectorContainer | None = None
    """What runs in the cluster."""
    schedule: Annotated[str, Field(pattern=r"^(@[a-z]+|\S+( \S+){4})$", max_length=128)] | None = None
    """Run by this cron schedule (UTC) instead of all the time."""
    external: bool = False
    """The connector runs elsewhere and fetches its token from the token service."""
    devices: Annotated[
        list[Device],
        Field(
            max_length=256,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(default_factory=list)
    """What has a token of its own, with the same roles."""
    observations: ObservationSelector | None = None
    """Which Observations are its own, for the status; where it is not given those whose Datastream has the connector's
    name in properties/connector."""
    image_pull_secrets: PullSecrets = Field(default_factory=list)
    """Secrets for registries that ask for a password."""
    suspend: bool = False
    """Stop it, and mint no token for it."""


class TokenStatus(Model):
    """The newest token. Written by the token service."""

    issued_at: Timestamp
    """When it was issued."""
    expires_at: Timestamp
    """Until when it is good."""


class ArrivalStatus(Model):
    """What the service's data shows of the connector."""

    last_observation_time: Timestamp | None = None
    """phenomenonTime of its newest Observation."""
    per_minute: Annotated[int, Field(ge=0)] = 0
    """Observations a minute, over the last five."""


class ConnectorStatus(Model):
    """The connector as it was last seen."""

    observed_generation: ObservedGeneration | None = None
    """The generation of the spec that this status is about; -1 until the operator has looked at it."""
    conditions: Annotated[
        list[Condition],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = Field(default_factory=list)
    """What holds and what does not, one by one."""
    token: TokenStatus | None = None
    """The newest token."""
    arrivals: ArrivalStatus | None = None
    """What the service's data shows of it."""
    restarts: Annotated[int, Field(ge=0)] | None = None
    """How often the containers of its pods were started anew."""


class Connector(Model):
    """A program that brings data into a SensorThingsService, with a short-lived token it never has to ask for."""

    model_config = rules(
        cel(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 40",
            "the name must be a DNS label of at most 40 characters that begins with a letter: "
            "names of pods are made from it",
        )
    )

    spec: ConnectorSpec
    """The connector as it should be."""
    status: ConnectorStatus = ConnectorStatus(observed_generation=UNSEEN)
    """The connector as it was last seen. Written by the operator."""
