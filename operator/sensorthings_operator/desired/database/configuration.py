"""What PostgreSQL is told: its settings, and who may connect. Used by what starts one instance, or databases."""

import math
from typing import Final

from sensorthings_operator.api.database import ManagedDatabase
from sensorthings_operator.desired import frost
from sensorthings_operator.desired.addresses import DATABASE_PORT
from sensorthings_operator.desired.database import names, pgbackrest
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.pods import resources
from sensorthings_operator.desired.quantities import memory_bytes, number
from sensorthings_operator.desired.service import Service
from sensorthings_operator.postgresql import settings, tuning

_RESERVED_CONNECTIONS: Final = 20
"""For the operator's probe, the schema Job, backups and people."""
_MEBIBYTE: Final = 1024 * 1024
_CONNECTIONS_STEP: Final = 500
"""max_connections changes by a restart only: scaling a module within such a step does not ask for one."""

HBA: Final = ("local all postgres peer", "host all all 127.0.0.1/32 scram-sha-256", "host all all all scram-sha-256")
"""pg_hba.conf of a single instance."""
PAIR_HBA: Final = (
    "local all postgres peer",
    f"local replication {names.REPLICATION_USERNAME} scram-sha-256",
    f"hostssl replication {names.REPLICATION_USERNAME} all scram-sha-256",
    f"hostssl postgres {names.REWIND_USERNAME} all scram-sha-256",
    f"host all postgres,{names.REPLICATION_USERNAME},{names.REWIND_USERNAME} all reject",
    # Without TLS, too: pods that knew the single database go on with it until they are replaced.
    "host all all all scram-sha-256",
)
"""The same of each instance of a pair."""


def managed(service: Service) -> ManagedDatabase:
    """What the spec says of a managed database."""
    return service.spec.database.managed or ManagedDatabase()


def container_resources(service: Service) -> Manifest:
    """Compute resources of each instance."""
    return resources(managed(service).resources, cpu="250m", memory="512Mi")


def max_connections(service: Service) -> int:
    """PostgreSQL's max_connections: every pod's pool while a rollout has one more of each, and some for others."""
    needed = frost.most_connections(service) + _RESERVED_CONNECTIONS
    return math.ceil(needed / _CONNECTIONS_STEP) * _CONNECTIONS_STEP


def size(resources: Manifest, storage: str) -> tuning.Size:
    """The size of a container and its volume: its memory limit, and the CPUs it may or at least will have."""
    cpus = resources["limits"].get("cpu", resources["requests"]["cpu"])
    return tuning.Size(
        memory_mebibytes=memory_bytes(resources) // _MEBIBYTE,
        cpus=max(1, math.ceil(number(cpus))),
        volume_mebibytes=int(number(storage)) // _MEBIBYTE,
    )


def parameters(service: Service) -> dict[str, str]:
    """Settings of postgresql.conf, but for what says where an instance listens and keeps its files."""
    connections = max_connections(service)
    return {
        "max_connections": str(connections),
        **tuning.settings(size(container_resources(service), managed(service).storage.size), connections),
        **settings.CONNECTIONS,
        **settings.REPLICATION,
        "shared_preload_libraries": "",
        "logging_collector": "off",
        "log_destination": "stderr",
        "timezone": "UTC",
        **pgbackrest.parameters(service),
    }


def single(service: Service) -> dict[str, str]:
    """Files of a single instance by their names."""
    here = {
        "listen_addresses": "*",
        "port": str(DATABASE_PORT),
        "unix_socket_directories": names.SOCKET_PATH,
    }
    told = {**here, **parameters(service)}
    return {
        "postgresql.conf": "".join(f"{name} = '{value}'\n" for name, value in told.items()),
        "pg_hba.conf": "".join(f"{line}\n" for line in HBA),
    }
