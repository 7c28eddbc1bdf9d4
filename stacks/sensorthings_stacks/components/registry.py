"""The city's container registry: images of connectors that nobody publishes. Cluster layer.

Its nodes fetch by their own identity, so that no pod needs a password; people push with theirs of Entra.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import authorization, containerregistry

from sensorthings_stacks import roles

if TYPE_CHECKING:
    from pulumi import Input


@dataclass(frozen=True)
class RegistryArgs:
    """Arguments of a Registry."""

    resource_group: Input[str]
    """Name of the resource group."""
    reader: Input[str]
    """Id of the principal that fetches images: the nodes' identity."""


class Registry(pulumi.ComponentResource):
    """A registry without users of its own, and the right to fetch from it."""

    def __init__(self, name: str, args: RegistryArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:cluster:Registry", name, None, opts)
        registry = containerregistry.Registry(
            # Unique in all of Azure: Pulumi adds eight characters.
            name,
            resource_group_name=args.resource_group,
            sku=containerregistry.SkuArgs(name=containerregistry.SkuName.STANDARD),
            admin_user_enabled=False,
            anonymous_pull_enabled=False,
            # What is in it is nowhere else.
            opts=ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )
        authorization.RoleAssignment(
            f"{name}-images",
            principal_id=args.reader,
            principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
            role_definition_id=roles.ACR_PULL,
            scope=registry.id,
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({})
