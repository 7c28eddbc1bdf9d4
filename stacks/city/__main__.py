"""The city layer: the SensorThings services of a city."""

import pulumi_kubernetes as kubernetes

from sensorthings_stacks import configuration
from sensorthings_stacks.components.city import City, CityArgs, DatabaseAccess
from sensorthings_stacks.layers import ClusterOutputs, DatabaseOutputs, city
from sensorthings_stacks.settings.city import CitySettings

name = city()
settings = configuration.read(CitySettings)

database = DatabaseOutputs.of_this_city()
City(
    name,
    CityArgs(
        provider=kubernetes.Provider("cluster", kubeconfig=ClusterOutputs.of_this_city().kubeconfig),
        database=DatabaseAccess(
            hosts=database.hosts,
            name=database.name,
            username=database.username,
            password=database.password,
            authority=database.authority,
        ),
        settings=settings,
    ),
)
