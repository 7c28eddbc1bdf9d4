"""The platform layer of a city: what its services need on the cluster, and the operator that makes them."""

from pathlib import Path

from sensorthings_stacks import clusters, configuration
from sensorthings_stacks.components.database_access import DatabaseAccess
from sensorthings_stacks.components.monitoring import DatabaseMachines
from sensorthings_stacks.components.platform import Platform, PlatformArgs, azure_load_balancer
from sensorthings_stacks.layers import ClusterOutputs, DatabaseOutputs, NetworkOutputs, city
from sensorthings_stacks.machines.cluster import KEYCLOAK
from sensorthings_stacks.settings.platform import PlatformSettings

name = city()
settings = configuration.read(PlatformSettings)

if settings.cluster is None:
    network, database = NetworkOutputs.of_this_city(), DatabaseOutputs.of_this_city()
    provider = clusters.made(ClusterOutputs.of_this_city().kubeconfig)
    load_balancer = azure_load_balancer(network.resource_group, network.ingress_address)
    machines = DatabaseMachines(database.hosts, database.authority)
    keycloak_database = DatabaseAccess(
        hosts=database.hosts,
        name=KEYCLOAK,
        username=KEYCLOAK,
        password=database.keycloak_password,
        certificate_authority=database.authority,
    )
else:
    provider, load_balancer = clusters.existing(settings.cluster), {}
    machines = keycloak_database = None

Platform(
    name,
    PlatformArgs(
        provider=provider,
        load_balancer=load_balancer,
        machines=machines,
        keycloak_database=keycloak_database,
        operator_chart="../../charts/sensorthings-operator",
        definitions=Path(__file__).parents[2] / "crds",
        settings=settings,
    ),
)
