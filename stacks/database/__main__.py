"""The database layer of a city: two PostgreSQL machines and a witness in the network layer's subnet."""

from sensorthings_stacks import configuration, tags, user_data
from sensorthings_stacks.components.database_pair import DatabasePair, DatabasePairArgs
from sensorthings_stacks.components.secrets_vault import SecretsVault, SecretsVaultArgs
from sensorthings_stacks.layers import DatabaseOutputs, NetworkOutputs, city
from sensorthings_stacks.settings.database import DatabaseSettings

name = city()
settings = configuration.read(DatabaseSettings)
tags.tag_everything(name, "database")

network = NetworkOutputs.of_this_city()
password = configuration.secret(settings.passwords.sensorthings)
vault = SecretsVault(
    f"kv-{name}",
    SecretsVaultArgs(
        resource_group=network.resource_group,
        subnet=network.database_subnet,
        passwords={
            "sensorthings": password,
            "replication": configuration.secret(settings.passwords.replication),
        },
    ),
)
pair = DatabasePair(
    name,
    DatabasePairArgs(
        resource_group=network.resource_group,
        subnet=network.database_subnet,
        database_range=network.database_range,
        cluster_range=network.cluster_range,
        private_zone=network.private_zone,
        vault=vault,
        settings=settings,
    ),
)

DatabaseOutputs(hosts=pair.hosts, name=user_data.DATABASE, username=user_data.OWNER, password=password).export()
