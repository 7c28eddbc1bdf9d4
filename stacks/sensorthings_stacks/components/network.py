"""The city's network: subnets, one way out with a fixed address, one public address, and DNS zones. Network layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import dns, network, privatedns

from sensorthings_stacks.components.bastion import Bastion, BastionArgs
from sensorthings_stacks.machines.cluster import (
    ETCD_CLIENT_PORT,
    ETCD_PEER_PORT,
    EXPORTER_PORT,
    PATRONI_PORT,
    POSTGRESQL_PORT,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi import Input, Output

    from sensorthings_stacks.settings.network import Addresses

ZONES = ("1", "2", "3")
"""Availability zones of an Azure region."""
_SSH = 22


@dataclass(frozen=True)
class NetworkArgs:
    """Arguments of a Network."""

    resource_group: Input[str]
    """Name of the resource group."""
    addresses: Addresses
    """The address plan."""
    dns_zone: str
    """Name of the public DNS zone."""
    hosts: Sequence[str]
    """Names within it that lead to the public address."""
    private_zone: str
    """Name of the DNS zone that only the virtual network sees."""


class Network(pulumi.ComponentResource):
    """Virtual network, subnets, NAT gateway, public address, DNS zones."""

    cluster_subnet: Output[str]
    """Id of the subnet of the cluster's nodes."""
    database_subnet: Output[str]
    """Id of the subnet of the database machines."""
    egress_address: Output[str]
    """Address with which everything in the network reaches the internet."""
    ingress_address: Output[str]
    """Name of the public address of the city's services."""
    private_zone: Output[str]
    """Name of the private DNS zone."""

    def __init__(self, name: str, args: NetworkArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:network:Network", name, None, opts)
        self._name, self._args = name, args
        # Deleting the network would take everything in it along.
        self._vnet = network.VirtualNetwork(
            name,
            resource_group_name=args.resource_group,
            address_space=network.AddressSpaceArgs(address_prefixes=[str(args.addresses.network)]),
            # Subnets are resources of their own here; Azure lists them in the network too.
            opts=ResourceOptions(parent=self, protect=True, ignore_changes=["subnets"]),
        )
        egress = self._public_address("egress")
        nat = network.NatGateway(
            f"{name}-egress",
            resource_group_name=args.resource_group,
            sku=network.NatGatewaySkuArgs(name=network.NatGatewaySkuName.STANDARD),
            public_ip_addresses=[network.SubResourceArgs(id=egress.id)],
            opts=ResourceOptions(parent=self),
        )
        cluster = self._cluster_subnet(nat)
        self.cluster_subnet = cluster.id
        # Azure changes one subnet of a network at a time.
        database = self._database_subnet(nat, after=cluster)
        self.database_subnet = database.id
        if args.addresses.bastion is not None:
            Bastion(
                name,
                BastionArgs(
                    resource_group=args.resource_group,
                    virtual_network=self._vnet.name,
                    addresses=str(args.addresses.bastion),
                    zones=ZONES,
                    after=[database],
                ),
                ResourceOptions(parent=self),
            )
        ingress = self._public_address("ingress", keep=True)
        self.egress_address = _address(egress)
        self.ingress_address = ingress.name
        self._public_names(ingress)
        self.private_zone = self._private_names().name
        self.register_outputs({"clusterSubnet": self.cluster_subnet, "databaseSubnet": self.database_subnet})

    def _public_address(self, role: str, *, keep: bool = False) -> network.PublicIPAddress:
        return network.PublicIPAddress(
            f"{self._name}-{role}",
            resource_group_name=self._args.resource_group,
            sku=network.PublicIPAddressSkuArgs(name=network.PublicIPAddressSkuName.STANDARD),
            public_ip_allocation_method=network.IPAllocationMethod.STATIC,
            zones=list(ZONES),
            # Names that others have written down point to it.
            opts=ResourceOptions(parent=self, protect=keep),
        )

    def _cluster_subnet(self, nat: network.NatGateway) -> network.Subnet:
        return network.Subnet(
            f"{self._name}-cluster",
            resource_group_name=self._args.resource_group,
            virtual_network_name=self._vnet.name,
            address_prefix=str(self._args.addresses.cluster),
            nat_gateway=network.SubResourceArgs(id=nat.id),
            default_outbound_access=False,
            opts=ResourceOptions(parent=self),
        )

    def _database_subnet(self, nat: network.NatGateway, after: network.Subnet) -> network.Subnet:
        group = network.NetworkSecurityGroup(
            f"{self._name}-database",
            resource_group_name=self._args.resource_group,
            security_rules=self._database_rules(),
            opts=ResourceOptions(parent=self),
        )
        return network.Subnet(
            f"{self._name}-database",
            resource_group_name=self._args.resource_group,
            virtual_network_name=self._vnet.name,
            address_prefix=str(self._args.addresses.database),
            nat_gateway=network.SubResourceArgs(id=nat.id),
            network_security_group=network.NetworkSecurityGroupArgs(id=group.id),
            # The ways to the key vault and to the backups, which nothing else on a network reaches.
            service_endpoints=[
                network.ServiceEndpointPropertiesFormatArgs(service=f"Microsoft.{service}")
                for service in ("KeyVault", "Storage")
            ],
            default_outbound_access=False,
            opts=ResourceOptions(parent=self, depends_on=[after]),
        )

    def _database_rules(self) -> list[network.SecurityRuleArgs]:
        """What the cluster and the machines ask of the machines, health checks of a load balancer; nothing else."""
        addresses = self._args.addresses
        asked = (POSTGRESQL_PORT, PATRONI_PORT)
        administrators = () if addresses.bastion is None else (("bastion", str(addresses.bastion), (_SSH,)),)
        sources = (
            ("cluster", str(addresses.cluster), (*asked, EXPORTER_PORT)),
            ("machines", str(addresses.database), (*asked, ETCD_CLIENT_PORT, ETCD_PEER_PORT)),
            ("load-balancer", "AzureLoadBalancer", (PATRONI_PORT,)),
            *administrators,
        )
        allowed = [
            network.SecurityRuleArgs(
                name=f"database-from-{source}",
                priority=100 + number,
                direction=network.SecurityRuleDirection.INBOUND,
                access=network.SecurityRuleAccess.ALLOW,
                protocol=network.SecurityRuleProtocol.TCP,
                source_address_prefix=source_range,
                source_port_range="*",
                destination_address_prefix=str(addresses.database),
                destination_port_ranges=[str(port) for port in ports],
            )
            for number, (source, source_range, ports) in enumerate(sources)
        ]
        refused = network.SecurityRuleArgs(
            name="nothing-else",
            priority=4096,
            direction=network.SecurityRuleDirection.INBOUND,
            access=network.SecurityRuleAccess.DENY,
            protocol=network.SecurityRuleProtocol.ASTERISK,
            source_address_prefix="*",
            source_port_range="*",
            destination_address_prefix="*",
            destination_port_range="*",
        )
        return [*allowed, refused]

    def _public_names(self, ingress: network.PublicIPAddress) -> None:
        zone = dns.Zone(
            f"{self._name}-zone",
            resource_group_name=self._args.resource_group,
            zone_name=self._args.dns_zone,
            location="global",
            opts=ResourceOptions(parent=self, protect=True),
        )
        for host in self._args.hosts:
            dns.RecordSet(
                f"{self._name}-{host}",
                resource_group_name=self._args.resource_group,
                zone_name=zone.name,
                record_type="A",
                relative_record_set_name=host,
                ttl=300,
                # An alias: it follows the address, and Azure refuses to delete the address under it.
                target_resource=dns.SubResourceArgs(id=ingress.id),
                opts=ResourceOptions(parent=self),
            )

    def _private_names(self) -> privatedns.PrivateZone:
        zone = privatedns.PrivateZone(
            f"{self._name}-private-zone",
            resource_group_name=self._args.resource_group,
            private_zone_name=self._args.private_zone,
            location="global",
            opts=ResourceOptions(parent=self),
        )
        privatedns.VirtualNetworkLink(
            f"{self._name}-private-zone",
            resource_group_name=self._args.resource_group,
            private_zone_name=zone.name,
            virtual_network=privatedns.SubResourceArgs(id=self._vnet.id),
            registration_enabled=False,
            location="global",
            opts=ResourceOptions(parent=self),
        )
        return zone


def _address(public: network.PublicIPAddress) -> Output[str]:
    """Azure assigns a static address when it makes the resource; in a preview of a new city it is not known."""
    return public.ip_address.apply(lambda address: address or "")
