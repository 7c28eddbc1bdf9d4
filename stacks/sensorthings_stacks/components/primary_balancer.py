"""An address of the city's own network that leads to the machine which takes writes. Database layer.

FROST-Server names both machines and finds the primary itself; this is for clients on the cluster's nodes that know one
host only, such as a report: PostgreSQL lets in nobody else. Azure's balancer asks each machine's Patroni, which answers
200 to `GET /primary` on the machine that leads and 503 on the other one; it shows no certificate and verifies none
(https://learn.microsoft.com/azure/load-balancer/load-balancer-custom-probe-overview).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import network

from sensorthings_stacks.components.network import ZONES
from sensorthings_stacks.machines.cluster import PATRONI_PORT, POSTGRESQL_PORT

if TYPE_CHECKING:
    from pulumi import Input

_MEMBERS: Final = "machines"
_FRONT: Final = "primary"
_PROBE_SECONDS: Final = 5
"""The least that Azure takes."""
_IDLE_MINUTES: Final = 30
"""The most that Azure takes, of a connection that says nothing."""


@dataclass(frozen=True)
class PrimaryBalancerArgs:
    """Arguments of a PrimaryBalancer."""

    resource_group: Input[str]
    """Name of the resource group."""
    resource_group_id: Input[str]
    """Its id."""
    subnet: Input[str]
    """Id of the machines' subnet."""
    address: Input[str]
    """Its address in the subnet."""


class PrimaryBalancer(pulumi.ComponentResource):
    """An internal load balancer over all zones."""

    members: Output[str]
    """Id of the pool that the machines' network interfaces join."""

    def __init__(self, name: str, args: PrimaryBalancerArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:database:PrimaryBalancer", name, None, opts)
        front = network.FrontendIPConfigurationArgs(
            name=_FRONT,
            subnet=network.SubnetArgs(id=args.subnet),
            private_ip_allocation_method=network.IPAllocationMethod.STATIC,
            private_ip_address=args.address,
            zones=list(ZONES),
        )
        probe = network.ProbeArgs(
            name=_FRONT,
            protocol=network.ProbeProtocol.HTTPS,
            port=PATRONI_PORT,
            request_path="/primary",
            interval_in_seconds=_PROBE_SECONDS,
            probe_threshold=1,
        )
        balancer = network.LoadBalancer(
            name,
            load_balancer_name=name,
            resource_group_name=args.resource_group,
            sku=network.LoadBalancerSkuArgs(name=network.LoadBalancerSkuName.STANDARD),
            frontend_ip_configurations=[front],
            backend_address_pools=[network.BackendAddressPoolArgs(name=_MEMBERS)],
            probes=[probe],
            load_balancing_rules=[_rule(_own_id(name, args.resource_group_id))],
            opts=ResourceOptions(parent=self),
        )
        self.members = Output.concat(balancer.id, f"/backendAddressPools/{_MEMBERS}")
        self.register_outputs({"members": self.members})


def _rule(balancer: Output[str]) -> network.LoadBalancingRuleArgs:
    def part(kind: str, name: str) -> network.SubResourceArgs:
        return network.SubResourceArgs(id=Output.concat(balancer, f"/{kind}/{name}"))

    return network.LoadBalancingRuleArgs(
        name="postgresql",
        protocol=network.TransportProtocol.TCP,
        frontend_port=POSTGRESQL_PORT,
        backend_port=POSTGRESQL_PORT,
        frontend_ip_configuration=part("frontendIPConfigurations", _FRONT),
        backend_address_pool=part("backendAddressPools", _MEMBERS),
        probe=part("probes", _FRONT),
        idle_timeout_in_minutes=_IDLE_MINUTES,
        # Both ends of a connection that was given up learn of it, instead of waiting for what does not come.
        enable_tcp_reset=True,
    )


def _own_id(name: str, resource_group_id: Input[str]) -> Output[str]:
    """The id that Azure will give it: a rule names parts of the very resource that it stands in."""
    return Output.concat(resource_group_id, f"/providers/Microsoft.Network/loadBalancers/{name}")
