"""Blob storage for the database's base backups and write-ahead logs. Database layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import authorization, storage

from sensorthings_stacks import roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import Input

_CONTAINER: Final = "postgresql"
_UNDELETE_DAYS: Final = 14
"""Days for which a deleted backup can still be had back: a machine that was taken over may delete."""


@dataclass(frozen=True)
class BackupStorageArgs:
    """Arguments of a BackupStorage."""

    resource_group: Input[str]
    """Name of the resource group."""
    subnet: Input[str]
    """Id of the subnet from which it can be reached; nothing else on a network reaches it."""
    writers: Mapping[str, Input[str]]
    """Ids of the principals that read and write it, by the names of their machines."""


class BackupStorage(pulumi.ComponentResource):
    """A storage account in three zones with one container, which knows no keys."""

    url: Output[str]
    """Address of the container. Known once the machines may write to it."""

    def __init__(self, name: str, args: BackupStorageArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:database:BackupStorage", name, None, opts)
        account = self._account(name, args)
        storage.BlobServiceProperties(
            name,
            resource_group_name=args.resource_group,
            account_name=account.name,
            blob_services_name="default",
            delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=_UNDELETE_DAYS),
            container_delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=_UNDELETE_DAYS),
            # Without it, backups that stay could be deleted for good.
            opts=ResourceOptions(parent=self, retain_on_delete=True),
        )
        container = storage.BlobContainer(
            name,
            resource_group_name=args.resource_group,
            account_name=account.name,
            container_name=_CONTAINER,
            public_access=storage.PublicAccess.NONE,
            opts=ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )
        rights = [
            authorization.RoleAssignment(
                f"{name}-{machine}",
                principal_id=principal,
                principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
                role_definition_id=roles.STORAGE_BLOB_DATA_CONTRIBUTOR,
                scope=container.id,
                opts=ResourceOptions(parent=self),
            )
            for machine, principal in args.writers.items()
        ]
        settled = Output.all(account.name, *(each.id for each in rights))
        self.url = settled.apply(lambda known: f"https://{known[0]}.blob.core.windows.net/{_CONTAINER}")
        self.register_outputs({"url": self.url})

    def _account(self, name: str, args: BackupStorageArgs) -> storage.StorageAccount:
        return storage.StorageAccount(
            # Unique in all of Azure, and at most 24 characters, of which Pulumi adds eight.
            name,
            resource_group_name=args.resource_group,
            kind=storage.Kind.STORAGE_V2,
            sku=storage.SkuArgs(name=storage.SkuName.STANDARD_ZRS),
            allow_shared_key_access=False,
            allow_blob_public_access=False,
            default_to_o_auth_authentication=True,
            enable_https_traffic_only=True,
            minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
            network_rule_set=storage.NetworkRuleSetArgs(
                default_action=storage.DefaultAction.DENY,
                virtual_network_rules=[
                    storage.VirtualNetworkRuleArgs(virtual_network_resource_id=args.subnet, action=storage.Action.ALLOW)
                ],
            ),
            opts=ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )
