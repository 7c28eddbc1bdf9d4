"""The cluster layer of a city: AKS in the network layer's subnet."""

from sensorthings_stacks import configuration, tags
from sensorthings_stacks.components.cluster import Cluster, ClusterArgs
from sensorthings_stacks.components.registry import Registry, RegistryArgs
from sensorthings_stacks.layers import ClusterOutputs, NetworkOutputs, city
from sensorthings_stacks.settings.cluster import ClusterSettings

name = city()
settings = configuration.read(ClusterSettings)
tags.tag_everything(name, "cluster")

network = NetworkOutputs.of_this_city()
cluster = Cluster(
    name,
    ClusterArgs(
        resource_group=network.resource_group,
        resource_group_id=network.resource_group_id,
        subnet=network.cluster_subnet,
        pod_range=network.pod_range,
        service_range=network.service_range,
        egress_address=network.egress_address,
        settings=settings,
    ),
)
Registry(name, RegistryArgs(resource_group=network.resource_group, reader=cluster.node_identity))

ClusterOutputs(kubeconfig=cluster.kubeconfig).export()
