"""The city's PostgreSQL: primary and streaming replica in two zones, a witness in the third. Database layer."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Final

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import privatedns

from sensorthings_stacks import user_data
from sensorthings_stacks.components.database_machine import DATA_DISK, DatabaseMachine, DatabaseMachineArgs
from sensorthings_stacks.components.network import ZONES
from sensorthings_stacks.machine_size import machine_size

if TYPE_CHECKING:
    from pulumi import Input

    from sensorthings_stacks.components.secrets_vault import SecretsVault
    from sensorthings_stacks.settings.database import DatabaseSettings

HOSTS: Final = ("db-0", "db-1")
WITNESS: Final = "db-witness"
_FIRST_ADDRESS: Final = 10
"""Azure keeps the first four addresses of a subnet."""


@dataclass(frozen=True)
class DatabasePairArgs:
    """Arguments of a DatabasePair."""

    resource_group: Input[str]
    """Name of the resource group."""
    subnet: Input[str]
    """Id of the machines' subnet."""
    database_range: Input[str]
    """Its addresses."""
    cluster_range: Input[str]
    """Addresses that may log in."""
    private_zone: Input[str]
    """Name of the DNS zone in which the machines are found."""
    vault: SecretsVault
    """Where the machines fetch the passwords."""
    settings: DatabaseSettings
    """What the city configured."""


class DatabasePair(pulumi.ComponentResource):
    """Two database machines and a witness, each in a zone of its own."""

    hosts: Output[list[str]]
    """Names of the two database machines, the primary of the first day first."""

    def __init__(self, name: str, args: DatabasePairArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:database:DatabasePair", name, None, opts)
        self._name, self._args = name, args
        settings = args.settings
        pair = Output.all(
            database=args.database_range,
            cluster=args.cluster_range,
            vault_uri=args.vault.vault_uri,
            client_id=args.vault.client_id,
        ).apply(lambda known: _pair(settings, **known))
        for number, (host, render) in enumerate(zip(HOSTS, (user_data.primary, user_data.replica), strict=True)):
            self._machine(number, host, pair.apply(render), settings.vm_size, settings.disk_gibibytes)
        self._machine(len(HOSTS), WITNESS, user_data.witness(), settings.witness_vm_size, None)
        zone = Output.from_input(args.private_zone)
        self.hosts = zone.apply(lambda suffix: [f"{host}.{suffix}" for host in HOSTS])
        self.register_outputs({"hosts": self.hosts})

    def _machine(self, number: int, host: str, text: Input[str], vm_size: str, disk_gibibytes: int | None) -> None:
        args = self._args
        address = Output.from_input(args.database_range).apply(lambda given: str(_address(given, number)))
        DatabaseMachine(
            f"{self._name}-{host}",
            DatabaseMachineArgs(
                resource_group=args.resource_group,
                subnet=args.subnet,
                zone=ZONES[number],
                address=address,
                host_name=host,
                vm_size=vm_size,
                disk_gibibytes=disk_gibibytes,
                user_data=text,
                administrator_key=args.settings.administrator_key,
                identity=None if disk_gibibytes is None else args.vault.identity,
            ),
            opts=ResourceOptions(parent=self),
        )
        privatedns.PrivateRecordSet(
            f"{self._name}-{host}",
            resource_group_name=args.resource_group,
            private_zone_name=args.private_zone,
            record_type="A",
            relative_record_set_name=host,
            ttl=60,
            a_records=[privatedns.ARecordArgs(ipv4_address=address)],
            opts=ResourceOptions(parent=self),
        )


def _address(database_range: str, number: int) -> IPv4Address:
    return IPv4Network(database_range)[_FIRST_ADDRESS + number]


def _pair(settings: DatabaseSettings, *, database: str, cluster: str, vault_uri: str, client_id: str) -> user_data.Pair:
    primary, replica = (user_data.Member(host, _address(database, number)) for number, host in enumerate(HOSTS))
    return user_data.Pair(
        primary=primary,
        replica=replica,
        cluster_range=IPv4Network(cluster),
        size=machine_size(settings.vm_size),
        disk_gibibytes=settings.disk_gibibytes,
        credentials=user_data.KeyVault(vault_uri=vault_uri, client_id=client_id),
        data_disk=DATA_DISK,
    )
