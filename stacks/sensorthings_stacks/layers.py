"""How the projects are joined: what each layer exports, and how the next one reads it.

An output is here because a later layer needs it; nothing else is exported. A test looks for the reader of each.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Self

import pulumi
from pydantic.alias_generators import to_camel

from sensorthings_stacks.settings.base import city_name

if TYPE_CHECKING:
    from pulumi import Input


@dataclass(frozen=True)
class Layer:
    """Outputs of a layer. Each field is an output of its stack, in camelCase."""

    project: ClassVar[str]
    """Name of the Pulumi project."""

    def export(self) -> None:
        """Make them outputs of the program that runs."""
        for field in fields(self):
            pulumi.export(to_camel(field.name), getattr(self, field.name))

    @classmethod
    def of_this_city(cls) -> Self:
        """Those of the stack of the same name. Where it is absent, Pulumi says which layer has to come first."""
        stack = pulumi.StackReference(f"{pulumi.get_organization()}/{cls.project}/{pulumi.get_stack()}")
        return cls(**{field.name: stack.require_output(to_camel(field.name)) for field in fields(cls)})


@dataclass(frozen=True)
class NetworkOutputs(Layer):
    """What the network layer tells the others."""

    project: ClassVar[str] = "sensorthings-network"

    resource_group: Input[str]
    """Name of the city's resource group."""
    resource_group_id: Input[str]
    """Its id."""
    cluster_subnet: Input[str]
    """Id of the subnet of the cluster's nodes."""
    database_subnet: Input[str]
    """Id of the subnet of the database machines."""
    cluster_range: Input[str]
    """Addresses of the cluster's nodes."""
    database_range: Input[str]
    """Addresses of the database machines."""
    pod_range: Input[str]
    """Addresses of pods."""
    service_range: Input[str]
    """Addresses of Kubernetes Services."""
    egress_address: Input[str]
    """The public address with which nodes and machines reach the internet."""
    ingress_address: Input[str]
    """Name of the public address at which the city's services answer."""
    private_zone: Input[str]
    """Name of the private DNS zone."""


@dataclass(frozen=True)
class ClusterOutputs(Layer):
    """What the cluster layer tells the others."""

    project: ClassVar[str] = "sensorthings-cluster"

    kubeconfig: Input[str]
    """Access to the cluster; it names no password: who uses it logs in to Entra with kubelogin."""


@dataclass(frozen=True)
class DatabaseOutputs(Layer):
    """What the database layer tells the others."""

    project: ClassVar[str] = "sensorthings-database"

    hosts: Input[list[str]]
    """Names of the two database machines. Either may take writes."""
    name: Input[str]
    """Name of the database."""
    username: Input[str]
    """Role that FROST-Server logs in with."""
    password: Input[str]
    """Its password: a secret."""
    keycloak_password: Input[str]
    """Password of Keycloak's role for Keycloak's database: a secret. Empty where the machines hold none."""
    authority: Input[str]
    """Certificate with which clients verify the machines'."""


def city() -> str:
    """Name of the city: that of the stack.

    Raises:
        ValueError: The name does not fit into the names of Azure's resources.
    """
    return city_name(pulumi.get_stack())
