"""The network layer of a city: the first to come up, the last to go."""

from pulumi import ResourceOptions
from pulumi_azure_native import resources

from sensorthings_stacks import configuration, tags
from sensorthings_stacks.components.network import Network, NetworkArgs
from sensorthings_stacks.layers import NetworkOutputs, city
from sensorthings_stacks.settings.network import NetworkSettings

name = city()
settings = configuration.read(NetworkSettings)
tags.tag_everything(name, "network")

# Azure deletes a group with everything in it: also disks and backups that are let go of, not deleted.
group = resources.ResourceGroup(f"sensorthings-{name}", opts=ResourceOptions(protect=True, retain_on_delete=True))
network = Network(
    name,
    NetworkArgs(
        resource_group=group.name,
        addresses=settings.addresses,
        dns_zone=settings.dns_zone,
        hosts=settings.hosts,
        private_zone=f"{name}.internal",
    ),
)

NetworkOutputs(
    resource_group=group.name,
    resource_group_id=group.id,
    cluster_subnet=network.cluster_subnet,
    database_subnet=network.database_subnet,
    cluster_range=str(settings.addresses.cluster),
    database_range=str(settings.addresses.database),
    pod_range=str(settings.addresses.pods),
    service_range=str(settings.addresses.services),
    egress_address=network.egress_address,
    ingress_address=network.ingress_address,
    private_zone=network.private_zone,
).export()
