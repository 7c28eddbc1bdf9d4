"""The key vault that holds the passwords of PostgreSQL's roles, and the identity that reads them. Database layer.

The machines fetch the passwords when they start: user-data can be read by everybody on a machine, and a change of it
would replace the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import authorization, keyvault, managedidentity

from sensorthings_stacks import roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import Input, Output


@dataclass(frozen=True)
class SecretsVaultArgs:
    """Arguments of a SecretsVault."""

    resource_group: Input[str]
    """Name of the resource group."""
    subnet: Input[str]
    """Id of the subnet from which the vault can be reached; nothing else on a network reaches it."""
    passwords: Mapping[str, Output[str]]
    """Secret passwords by the name of their role."""


class SecretsVault(pulumi.ComponentResource):
    """A key vault, its secrets, and an identity that may read them."""

    vault_uri: Output[str]
    """Address of the vault."""
    identity: Output[str]
    """Id of the identity."""
    client_id: Output[str]
    """Client id of the identity."""

    def __init__(self, name: str, args: SecretsVaultArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:database:SecretsVault", name, None, opts)
        identity = managedidentity.UserAssignedIdentity(
            name, resource_group_name=args.resource_group, opts=ResourceOptions(parent=self)
        )
        vault = keyvault.Vault(
            # Names of vaults are unique in all of Azure and at most 24 characters, of which Pulumi adds eight.
            name,
            resource_group_name=args.resource_group,
            properties=keyvault.VaultPropertiesArgs(
                sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
                tenant_id=authorization.get_client_config_output().tenant_id,
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                enable_purge_protection=True,
                network_acls=keyvault.NetworkRuleSetArgs(
                    default_action=keyvault.NetworkRuleAction.DENY,
                    bypass=keyvault.NetworkRuleBypassOptions.AZURE_SERVICES,
                    virtual_network_rules=[keyvault.VirtualNetworkRuleArgs(id=args.subnet)],
                ),
            ),
            opts=ResourceOptions(parent=self, protect=True),
        )
        rights = authorization.RoleAssignment(
            f"{name}-read",
            principal_id=identity.principal_id,
            principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
            role_definition_id=roles.KEY_VAULT_SECRETS_USER,
            scope=vault.id,
            opts=ResourceOptions(parent=self),
        )
        secrets = [
            keyvault.Secret(
                f"{name}-{role}",
                resource_group_name=args.resource_group,
                vault_name=vault.name,
                secret_name=f"postgresql-{role}",
                properties=keyvault.SecretPropertiesArgs(value=password),
                opts=ResourceOptions(parent=self),
            )
            for role, password in args.passwords.items()
        ]
        self.vault_uri = vault.properties.vault_uri.apply(lambda uri: uri or "")
        # Whoever uses the identity waits until it may read, and until there is something to read.
        settled = pulumi.Output.all(identity.id, rights.id, *(each.id for each in secrets))
        self.identity = settled.apply(lambda ids: ids[0])
        self.client_id = identity.client_id
        self.register_outputs({"vaultUri": self.vault_uri})
