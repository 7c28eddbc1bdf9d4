"""The Connector: a container that feeds a SensorThingsService. Types only: nothing acts on it yet.

Read by the CRD generator.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from sensorthings_operator.api.base import Model, ObjectName, ResourceRequirements, cel, rules
from sensorthings_operator.api.status import UNSEEN, Condition, ObservedGeneration

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
    """Compute resources."""


Role = Literal["read", "create", "update", "delete"]
"""A right that a token carries."""


def _default_roles() -> list[Role]:
    return ["read", "create"]


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
    roles: Annotated[
        list[Role],
        Field(min_length=1, max_length=4, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(default_factory=_default_roles)
    """What its token allows."""
    container: ConnectorContainer | None = None
    """What runs in the cluster."""
    schedule: Annotated[str, Field(pattern=r"^(@[a-z]+|\S+( \S+){4})$", max_length=128)] | None = None
    """Run by this cron schedule (UTC) instead of all the time."""
    external: bool = False
    """The connector runs elsewhere and fetches its token."""
    suspend: bool = False
    """Stop it, and mint no token for it."""


class ConnectorStatus(Model):
    """The connector as it was last seen."""

    observed_generation: ObservedGeneration | None = None
    """The generation of the spec that this status is about; -1 until the operator has looked at it."""
    conditions: Annotated[
        list[Condition],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = Field(default_factory=list)
    """What holds and what does not, one by one."""


class Connector(Model):
    """A program that brings data into a SensorThingsService, with a short-lived token it never has to ask for."""

    spec: ConnectorSpec
    """The connector as it should be."""
    status: ConnectorStatus = ConnectorStatus(observed_generation=UNSEEN)
    """The connector as it was last seen. Written by the operator."""
