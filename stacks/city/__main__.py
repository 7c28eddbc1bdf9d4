"""The city layer: the tenants of a city and their SensorThings services."""

from sensorthings_stacks import clusters, configuration
from sensorthings_stacks.components.city import City, CityArgs
from sensorthings_stacks.components.database_access import DatabaseAccess
from sensorthings_stacks.layers import ClusterOutputs, DatabaseOutputs, city
from sensorthings_stacks.settings.city import CitySettings

name = city()
settings = configuration.read(CitySettings)

if settings.cluster is None or settings.database is None:
    provider = clusters.made(ClusterOutputs.of_this_city().kubeconfig)
    database = DatabaseOutputs.of_this_city()
    access = DatabaseAccess(
        hosts=database.hosts,
        name=database.name,
        username=database.username,
        password=database.password,
        certificate_authority=database.authority,
    )
else:
    provider = clusters.existing(settings.cluster)
    access = DatabaseAccess(
        hosts=list(settings.database.hosts),
        name=settings.database.name,
        username=settings.database.username,
        password=configuration.secret(settings.database.password),
        certificate_authority=settings.database.certificate_authority or None,
    )

City(name, CityArgs(provider=provider, database=access, settings=settings))
