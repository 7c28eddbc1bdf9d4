"""The key vault of the database's passwords, certificates and keys, and the identities that read them. Database layer.

The machines fetch them when they start: user-data can be read by everybody on a machine, and a change of it would
replace the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import authorization, keyvault, managedidentity

from sensorthings_stacks import roles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input, Output


@dataclass(frozen=True)
class SecretsVaultArgs:
    """Arguments of a SecretsVault."""

    resource_group: Input[str]
    """Name of the resource group."""
    subnet: Input[str]
    """Id of the subnet from which the vault can be reached; nothing else on a network reaches it."""
    secrets: Mapping[str, Output[str]]
    """What it holds, by name."""
    readers: Mapping[str, Sequence[str]]
    """Names of the secrets that each machine may read, by the machine's name."""


@dataclass(frozen=True)
class Reader:
    """The identity of a machine."""

    id: Output[str]
    """Its id. Known once it may read what it should, and that is there."""
    client_id: Output[str]
    """Its client id."""
    principal_id: Output[str]
    """Id of its principal, to which rights are given."""


class SecretsVault(pulumi.ComponentResource):
    """A key vault, its secrets, and for each machine an identity that may read its own."""

    vault_uri: Output[str]
    """Address of the vault."""
    readers: dict[str, Reader]
    """The machines' identities, by the machines' names."""

    def __init__(self, name: str, args: SecretsVaultArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:database:SecretsVault", name, None, opts)
        self._name, self._args = name, args
        vault = self._vault()
        self._secrets = {
            secret: keyvault.Secret(
                f"{name}-{secret}",
                resource_group_name=args.resource_group,
                vault_name=vault.name,
                secret_name=secret,
                properties=keyvault.SecretPropertiesArgs(value=value),
                opts=ResourceOptions(parent=self),
            )
            for secret, value in args.secrets.items()
        }
        self.vault_uri = vault.properties.vault_uri.apply(lambda uri: uri or "")
        self.readers = {machine: self._reader(machine, names) for machine, names in args.readers.items()}
        self.register_outputs({"vaultUri": self.vault_uri})

    def _vault(self) -> keyvault.Vault:
        return keyvault.Vault(
            # Names of vaults are unique in all of Azure and at most 24 characters, of which Pulumi adds eight.
            self._name,
            resource_group_name=self._args.resource_group,
            properties=keyvault.VaultPropertiesArgs(
                sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
                tenant_id=authorization.get_client_config_output().tenant_id,
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                enable_purge_protection=True,
                network_acls=keyvault.NetworkRuleSetArgs(
                    default_action=keyvault.NetworkRuleAction.DENY,
                    bypass=keyvault.NetworkRuleBypassOptions.AZURE_SERVICES,
                    virtual_network_rules=[keyvault.VirtualNetworkRuleArgs(id=self._args.subnet)],
                ),
            ),
            opts=ResourceOptions(parent=self, protect=True),
        )

    def _reader(self, machine: str, names: Sequence[str]) -> Reader:
        identity = managedidentity.UserAssignedIdentity(
            f"{self._name}-{machine}",
            resource_group_name=self._args.resource_group,
            opts=ResourceOptions(parent=self),
        )
        rights = [
            authorization.RoleAssignment(
                f"{self._name}-{machine}-{secret}",
                principal_id=identity.principal_id,
                principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
                role_definition_id=roles.KEY_VAULT_SECRETS_USER,
                scope=self._secrets[secret].id,
                opts=ResourceOptions(parent=self),
            )
            for secret in names
        ]
        settled = pulumi.Output.all(identity.id, *(each.id for each in rights))
        return Reader(settled.apply(lambda ids: ids[0]), identity.client_id, identity.principal_id)
