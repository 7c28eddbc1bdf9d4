"""The platform layer of a city: what its services need on the cluster, and the operator that makes them."""

import pulumi_kubernetes as kubernetes

from sensorthings_stacks import configuration
from sensorthings_stacks.components.platform import Platform, PlatformArgs
from sensorthings_stacks.layers import ClusterOutputs, DatabaseOutputs, NetworkOutputs, city
from sensorthings_stacks.settings.platform import PlatformSettings

name = city()
settings = configuration.read(PlatformSettings)

network = NetworkOutputs.of_this_city()
database = DatabaseOutputs.of_this_city()
Platform(
    name,
    PlatformArgs(
        provider=kubernetes.Provider("cluster", kubeconfig=ClusterOutputs.of_this_city().kubeconfig),
        resource_group=network.resource_group,
        ingress_address=network.ingress_address,
        database_hosts=database.hosts,
        database_authority=database.authority,
        operator_chart="../../charts/sensorthings-operator",
        settings=settings,
    ),
)
