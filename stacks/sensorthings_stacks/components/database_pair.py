"""The city's PostgreSQL: two machines in two zones that replace each other, a witness in the third. Database layer."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import privatedns

from sensorthings_stacks import user_data
from sensorthings_stacks.components.backup_storage import BackupStorage, BackupStorageArgs
from sensorthings_stacks.components.certificates import Certificates, CertificatesArgs
from sensorthings_stacks.components.database_machine import DATA_DISK, DatabaseMachine, DatabaseMachineArgs
from sensorthings_stacks.components.network import ZONES
from sensorthings_stacks.components.primary_balancer import PrimaryBalancer, PrimaryBalancerArgs
from sensorthings_stacks.components.secrets_vault import SecretsVault, SecretsVaultArgs
from sensorthings_stacks.machine_size import machine_size
from sensorthings_stacks.machines import secrets
from sensorthings_stacks.machines.cluster import BlobArchive, Cluster, KeyVault, Member

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import Input

    from sensorthings_stacks.settings.database import DatabaseSettings

HOSTS: Final = ("db-0", "db-1")
WITNESS: Final = "db-witness"
PRIMARY: Final = "primary"
"""Leads to whichever of the two takes writes."""
_MACHINES: Final = (*HOSTS, WITNESS)
_FIRST_ADDRESS: Final = 10
"""Azure keeps the first four addresses of a subnet."""
_ADDRESSES: Final = (*_MACHINES, PRIMARY)
"""Who has an address in the subnet, in their order."""


@dataclass(frozen=True)
class DatabasePairArgs:
    """Arguments of a DatabasePair."""

    resource_group: Input[str]
    """Name of the resource group."""
    resource_group_id: Input[str]
    """Its id."""
    subnet: Input[str]
    """Id of the machines' subnet."""
    database_range: Input[str]
    """Its addresses."""
    cluster_range: Input[str]
    """Addresses that may log in."""
    private_zone: Input[str]
    """Name of the DNS zone in which the machines are found."""
    passwords: Mapping[str, Output[str]]
    """Passwords of PostgreSQL's roles, by their names: secrets."""
    settings: DatabaseSettings
    """What the city configured."""


class DatabasePair(pulumi.ComponentResource):
    """Two database machines and a witness, each in a zone of its own, their secrets and their backups."""

    hosts: Output[list[str]]
    """Names of the two database machines. Either may take writes."""
    authority: Output[str]
    """Certificate with which clients verify them."""

    def __init__(self, name: str, args: DatabasePairArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:database:DatabasePair", name, None, opts)
        self._name, self._args = name, args
        self._zone = Output.from_input(args.private_zone)
        certificates = Certificates(
            name,
            CertificatesArgs(
                addresses={host: self._address(host) for host in _MACHINES},
                domain=self._zone,
                shared=dict.fromkeys(HOSTS, (PRIMARY,)),
            ),
            opts=ResourceOptions(parent=self),
        )
        self._vault = self._secrets(certificates)
        storage = BackupStorage(
            f"db{name}",
            BackupStorageArgs(
                resource_group=args.resource_group,
                subnet=args.subnet,
                writers={host: self._vault.readers[host].principal_id for host in HOSTS},
            ),
            opts=ResourceOptions(parent=self),
        )
        cluster, balancer = self._cluster(storage), self._balancer()
        for number, host in enumerate(_MACHINES):
            self._machine(number, host, cluster, balancer)
        for host in _ADDRESSES:
            self._name_of(host)
        self.hosts = self._zone.apply(lambda suffix: [f"{host}.{suffix}" for host in HOSTS])
        self.authority = certificates.authority
        self.register_outputs({"hosts": self.hosts})

    def _address(self, host: str) -> Output[str]:
        return Output.from_input(self._args.database_range).apply(lambda given: str(_address(given, host)))

    def _balancer(self) -> PrimaryBalancer:
        return PrimaryBalancer(
            f"{self._name}-{PRIMARY}",
            PrimaryBalancerArgs(
                resource_group=self._args.resource_group,
                resource_group_id=self._args.resource_group_id,
                subnet=self._args.subnet,
                address=self._address(PRIMARY),
            ),
            opts=ResourceOptions(parent=self),
        )

    def _secrets(self, certificates: Certificates) -> SecretsVault:
        passwords = {secrets.password(role): value for role, value in self._args.passwords.items()}
        return SecretsVault(
            f"kv-{self._name}",
            SecretsVaultArgs(
                resource_group=self._args.resource_group,
                subnet=self._args.subnet,
                secrets={**certificates.secrets, **passwords},
                readers={
                    host: secrets.needed(host, () if host == WITNESS else self._args.passwords) for host in _MACHINES
                },
            ),
            opts=ResourceOptions(parent=self),
        )

    def _cluster(self, storage: BackupStorage) -> Output[Cluster]:
        settings = self._args.settings
        return Output.all(
            database=self._args.database_range,
            clients=self._args.cluster_range,
            domain=self._zone,
            vault_uri=self._vault.vault_uri,
            archive_url=storage.url,
            identities={host: reader.client_id for host, reader in self._vault.readers.items()},
        ).apply(lambda known: _cluster(settings, **known))

    def _machine(self, number: int, host: str, cluster: Output[Cluster], balancer: PrimaryBalancer) -> None:
        args = self._args
        is_witness = host == WITNESS
        DatabaseMachine(
            f"{self._name}-{host}",
            DatabaseMachineArgs(
                resource_group=args.resource_group,
                subnet=args.subnet,
                zone=ZONES[number],
                address=self._address(host),
                host_name=host,
                vm_size=args.settings.witness_vm_size if is_witness else args.settings.vm_size,
                disk_gibibytes=None if is_witness else args.settings.disk_gibibytes,
                user_data=cluster.apply(lambda known: user_data.of(known, known.members[number])),
                administrator_key=args.settings.administrator_key,
                identity=self._vault.readers[host].id,
                pool=None if is_witness else balancer.members,
            ),
            opts=ResourceOptions(parent=self),
        )

    def _name_of(self, host: str) -> None:
        privatedns.PrivateRecordSet(
            f"{self._name}-{host}",
            resource_group_name=self._args.resource_group,
            private_zone_name=self._args.private_zone,
            record_type="A",
            relative_record_set_name=host,
            ttl=60,
            a_records=[privatedns.ARecordArgs(ipv4_address=self._address(host))],
            opts=ResourceOptions(parent=self),
        )


def _address(database_range: str, host: str) -> IPv4Address:
    return IPv4Network(database_range)[_FIRST_ADDRESS + _ADDRESSES.index(host)]


def _cluster(settings: DatabaseSettings, **known: Any) -> Cluster:
    first, second, witness = (Member(host, _address(known["database"], host)) for host in _MACHINES)
    return Cluster(
        databases=(first, second),
        witness=witness,
        domain=known["domain"],
        keycloak=settings.keycloak is not None,
        clients=IPv4Network(known["clients"]),
        size=machine_size(settings.vm_size),
        disk_gibibytes=settings.disk_gibibytes,
        secrets=KeyVault(known["vault_uri"]),
        archive=BlobArchive(known["archive_url"]),
        retention_days=settings.backup_retention_days,
        identities=known["identities"],
        data_disk=DATA_DISK,
    )
