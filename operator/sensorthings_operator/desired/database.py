"""The managed database: one PostgreSQL with PostGIS in a StatefulSet.

Names, labels and the data directory are those of a pair that streams from a primary to a replica, so that this one can
become such a pair without a dump: a governing Service, a Service for the primary, pods that start side by side.
"""

import math
from importlib.resources import files
from typing import Final

from sensorthings_operator.api.database import ManagedDatabase
from sensorthings_operator.desired import frost
from sensorthings_operator.desired.addresses import DATABASE_NAME, DATABASE_PORT, database_name, primary_name
from sensorthings_operator.desired.metadata import (
    CONFIGURATION_HASH_ANNOTATION,
    CREDENTIALS_HASH_ANNOTATION,
    Manifest,
    digest,
    metadata,
)
from sensorthings_operator.desired.pods import TMP_MOUNT, TMP_VOLUME, container, pod_spec, resources
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.workloads import headless_service, stateful_set

COMPONENT: Final = "database"
USERNAME: Final = "sensorthings"
_USER: Final = 999
_DATA_PATH: Final = "/var/lib/postgresql/data"
_SOCKET_PATH: Final = "/tmp"  # noqa: S108 - a volume of the pod's own
_CONFIG_PATH: Final = "/etc/sensorthings"
_CREDENTIALS_PATH: Final = "/run/sensorthings/credentials"
_RESERVED_CONNECTIONS: Final = 20
"""For the operator's probe, the schema Job, backups and people."""
_CONNECTIONS_STEP: Final = 500
"""max_connections changes by a restart only: scaling a module within such a step does not ask for one."""
_HBA: Final = """\
local   all  postgres  peer
host    all  all       127.0.0.1/32  scram-sha-256
host    all  all       all           scram-sha-256
"""


def credentials_name(service: Service) -> str:
    """Name of the Secret with username and password of the database's owner."""
    return f"{database_name(service)}-credentials"


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """ConfigMap, Services and StatefulSet; nothing where the database is run elsewhere."""
    if service.spec.database.type != "Managed":
        return []
    managed = service.spec.database.managed or ManagedDatabase()
    name = database_name(service)
    configuration = {
        "start.sh": files("sensorthings_operator.desired").joinpath("files/start-postgresql.sh").read_text(),
        "postgresql.conf": _configuration(service),
        "pg_hba.conf": _HBA,
    }
    ports = [{"name": "postgresql", "port": DATABASE_PORT, "protocol": "TCP", "targetPort": "postgresql"}]
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(service, COMPONENT, name),
            "data": configuration,
        },
        headless_service(service, COMPONENT, name, ports=ports, publish_not_ready=True),
        headless_service(service, COMPONENT, primary_name(service), ports=ports),
        stateful_set(
            service,
            COMPONENT,
            name,
            replicas=0 if service.spec.hibernated else managed.instances,
            annotations={
                CONFIGURATION_HASH_ANNOTATION: digest(configuration),
                CREDENTIALS_HASH_ANNOTATION: service.secret_digests.get(credentials_name(service), ""),
            },
            pod=pod_spec(
                service,
                COMPONENT,
                user=_USER,
                service_account=name,
                containers=[_container(managed, settings)],
                volumes=[
                    TMP_VOLUME,
                    {"name": "config", "configMap": {"name": name}},
                    {"name": "credentials", "secret": {"secretName": credentials_name(service)}},
                ],
                grace_seconds=120,
            ),
            storage=managed.storage,
        ),
    ]


def max_connections(service: Service) -> int:
    """PostgreSQL's max_connections: every pod's pool while a rollout has one more of each, and some for others."""
    needed = frost.most_connections(service) + _RESERVED_CONNECTIONS
    return math.ceil(needed / _CONNECTIONS_STEP) * _CONNECTIONS_STEP


def _configuration(service: Service) -> str:
    return f"""\
listen_addresses = '*'
port = {DATABASE_PORT}
unix_socket_directories = '{_SOCKET_PATH}'
max_connections = {max_connections(service)}
password_encryption = 'scram-sha-256'
wal_level = 'replica'
max_wal_senders = 10
max_replication_slots = 10
wal_log_hints = on
hot_standby = on
shared_preload_libraries = ''
logging_collector = off
log_destination = 'stderr'
timezone = 'UTC'
"""


def _container(managed: ManagedDatabase, settings: OperatorSettings) -> Manifest:
    exists = [
        "psql",
        f"--host={_SOCKET_PATH}",
        "-U",
        "postgres",
        "-d",
        DATABASE_NAME,
        "-tAc",
        "select postgis_lib_version()",
    ]
    answers = {"exec": {"command": ["pg_isready", "--quiet", f"--host={_SOCKET_PATH}"]}}
    return container(
        "postgresql",
        settings.images.postgresql,
        settings,
        command=["bash", f"{_CONFIG_PATH}/start.sh"],
        env=[
            {"name": "PGDATA", "value": f"{_DATA_PATH}/pgdata"},
            {"name": "DATABASE", "value": DATABASE_NAME},
            {"name": "CREDENTIALS", "value": _CREDENTIALS_PATH},
        ],
        ports=[{"name": "postgresql", "containerPort": DATABASE_PORT, "protocol": "TCP"}],
        resources=resources(managed.resources, cpu="250m", memory="512Mi"),
        # Started is when role, database and PostGIS are there; a recovery after a crash may take its time before that.
        startupProbe={"exec": {"command": exists}, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 3600},
        readinessProbe={**answers, "periodSeconds": 5, "timeoutSeconds": 5},
        livenessProbe={**answers, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        volumeMounts=[
            TMP_MOUNT,
            {"name": "config", "mountPath": _CONFIG_PATH, "readOnly": True},
            {"name": "credentials", "mountPath": _CREDENTIALS_PATH, "readOnly": True},
            {"name": "data", "mountPath": _DATA_PATH},
        ],
    )
