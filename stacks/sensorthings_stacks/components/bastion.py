"""The administrators' way in: Azure Bastion, by which people log in with Entra and nothing is open to the internet.

Network layer. It leads to the database machines by SSH, and to the API of a private cluster. Azure asks for a subnet of
this very name, of 64 addresses at least.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi import Input

_SUBNET: Final = "AzureBastionSubnet"


@dataclass(frozen=True)
class BastionArgs:
    """Arguments of a Bastion."""

    resource_group: Input[str]
    """Name of the resource group."""
    virtual_network: Input[str]
    """Name of the virtual network."""
    addresses: Input[str]
    """Range of its subnet."""
    zones: Sequence[str]
    """Zones of its public address."""
    after: Sequence[pulumi.Resource] = ()
    """Subnets that are made before: Azure changes one of a network at a time."""


class Bastion(pulumi.ComponentResource):
    """A Bastion host with its subnet and its public address."""

    def __init__(self, name: str, args: BastionArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:network:Bastion", name, None, opts)
        subnet = network.Subnet(
            f"{name}-bastion",
            subnet_name=_SUBNET,
            resource_group_name=args.resource_group,
            virtual_network_name=args.virtual_network,
            address_prefix=args.addresses,
            opts=ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        address = network.PublicIPAddress(
            f"{name}-bastion",
            resource_group_name=args.resource_group,
            sku=network.PublicIPAddressSkuArgs(name=network.PublicIPAddressSkuName.STANDARD),
            public_ip_allocation_method=network.IPAllocationMethod.STATIC,
            zones=list(args.zones),
            opts=ResourceOptions(parent=self),
        )
        network.BastionHost(
            f"{name}-bastion",
            resource_group_name=args.resource_group,
            sku=network.SkuArgs(name=network.BastionHostSkuName.STANDARD),
            # By the command line of Azure, with clients of one's own: ssh and kubectl.
            enable_tunneling=True,
            ip_configurations=[
                network.BastionHostIPConfigurationArgs(
                    name="bastion",
                    subnet=network.SubResourceArgs(id=subnet.id),
                    public_ip_address=network.SubResourceArgs(id=address.id),
                )
            ],
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({})
