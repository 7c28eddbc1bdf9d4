"""The database layer of a city: two PostgreSQL machines and a witness in the network layer's subnet."""

from sensorthings_stacks import configuration, tags
from sensorthings_stacks.components.database_pair import DatabasePair, DatabasePairArgs
from sensorthings_stacks.layers import DatabaseOutputs, NetworkOutputs, city
from sensorthings_stacks.machines.cluster import DATABASE, KEYCLOAK, OWNER
from sensorthings_stacks.settings.database import DatabaseSettings

name = city()
settings = configuration.read(DatabaseSettings)
tags.tag_everything(name, "database")

network = NetworkOutputs.of_this_city()
password = configuration.secret(settings.passwords.sensorthings)
keycloak = {} if settings.keycloak is None else {KEYCLOAK: configuration.secret(settings.keycloak.password)}
pair = DatabasePair(
    name,
    DatabasePairArgs(
        resource_group=network.resource_group,
        resource_group_id=network.resource_group_id,
        subnet=network.database_subnet,
        database_range=network.database_range,
        cluster_range=network.cluster_range,
        private_zone=network.private_zone,
        passwords={
            OWNER: password,
            **keycloak,
            "replication": configuration.secret(settings.passwords.replication),
            "rewind": configuration.secret(settings.passwords.rewind),
        },
        settings=settings,
    ),
)

DatabaseOutputs(
    hosts=pair.hosts,
    name=DATABASE,
    username=OWNER,
    password=password,
    keycloak_password=keycloak.get(KEYCLOAK, ""),
    authority=pair.authority,
).export()
