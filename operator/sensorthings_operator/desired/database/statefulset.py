"""The StatefulSet of a managed database: PostgreSQL by itself where it is one, run by Patroni where there are more.

Names, labels, volume and data directory are the same in both, so that the one grows into the other without a dump.
"""

from typing import Final

from sensorthings_operator.desired import addresses, databases
from sensorthings_operator.desired.database import configuration, credentials, names, pgbackrest, repository
from sensorthings_operator.desired.metadata import (
    CONFIGURATION_HASH_ANNOTATION,
    CREDENTIALS_HASH_ANNOTATION,
    DATABASE_CERTIFICATES_HASH_ANNOTATION,
    DATABASE_LABEL,
    Manifest,
    digest,
)
from sensorthings_operator.desired.pods import (
    TMP_MOUNT,
    TMP_VOLUME,
    container,
    env,
    env_from_secret,
    pod_spec,
    resources,
)
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.workloads import stateful_set

_GRACE_SECONDS: Final = 120
"""For the checkpoint with which PostgreSQL ends."""
_FROZEN_GRACE_SECONDS: Final = 10
"""What does not even answer a probe does nothing in its last two minutes."""
_CLONING_SECONDS: Final = 24 * 60 * 60
"""How long a standby may take to copy the primary: as long as it takes, within reason."""
_RECOVERY_SECONDS: Final = 60 * 60
RESTORES: Final = "restore"
"""Name of the container that makes a database from backups."""
_SERVER_RESOURCES: Final = {"requests": {"cpu": "20m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}}


def build(service: Service, settings: OperatorSettings, files: dict[str, str]) -> Manifest:
    """The StatefulSet around a ConfigMap with these files."""
    name = addresses.database_name(service)
    pair = addresses.is_pair(service)
    return stateful_set(
        service,
        addresses.database_component(service),
        name,
        replicas=_replicas(service),
        annotations={CONFIGURATION_HASH_ANNOTATION: digest(files), **_secret_hashes(service)},
        pod=pod_spec(
            service,
            addresses.database_component(service),
            user=names.USER,
            service_account=name,
            init_containers=_restores(service, settings),
            containers=[
                _pair_container(service, settings) if pair else _single_container(service, settings),
                *_serves_files(service, settings),
            ],
            volumes=_volumes(service),
            grace_seconds=_GRACE_SECONDS,
            api_token=pair,
        ),
        storage=configuration.managed(service).storage,
        more_labels={DATABASE_LABEL: name} if pair else {},
    )


def _replicas(service: Service) -> int:
    """One that becomes a pair is one until Patroni runs it.

    A StatefulSet replaces pods from the last to the first, each once those after it are ready: a standby would wait for
    a primary to copy, and the primary for that standby.
    """
    if service.spec.hibernated:
        return 0
    return addresses.instances(service) if service.database_adopted else 1


def _secret_hashes(service: Service) -> dict[str, str]:
    def hashed(secret: str) -> str:
        return service.secret_digests.get(secret, "")

    if not addresses.is_pair(service):
        return {CREDENTIALS_HASH_ANNOTATION: hashed(names.credentials_name(service))}
    read = (names.credentials_name(service), names.replication_name(service))
    return {
        CREDENTIALS_HASH_ANNOTATION: digest([hashed(secret) for secret in read]),
        DATABASE_CERTIFICATES_HASH_ANNOTATION: hashed(addresses.database_certificates_name(service)),
    }


def _volumes(service: Service) -> list[Manifest]:
    common = [
        TMP_VOLUME,
        # For what parallel workers of a query share: a container's own is 64 MiB, whatever its memory.
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
        {"name": "config", "configMap": {"name": addresses.database_name(service)}},
        {"name": "credentials", "secret": {"secretName": names.credentials_name(service)}},
    ]
    if pgbackrest.wanted(service) is not None:
        common += [*pgbackrest.database_volumes(service), pgbackrest.files_volume(service)]
    if not addresses.is_pair(service):
        return common
    replication = {"name": "replication", "secret": {"secretName": names.replication_name(service)}}
    return [*common, replication, credentials.certificates_volume(service)]


_MOUNTS: Final = [
    TMP_MOUNT,
    {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - a mount of the pod's own
    {"name": "config", "mountPath": names.CONFIG_PATH, "readOnly": True},
    {"name": "credentials", "mountPath": names.CREDENTIALS_PATH, "readOnly": True},
    {"name": "data", "mountPath": names.DATA_PATH},
]
_PAIR_MOUNTS: Final = [
    *_MOUNTS,
    {"name": "replication", "mountPath": names.REPLICATION_PATH, "readOnly": True},
    {"name": "certificates", "mountPath": names.CERTIFICATES_PATH, "readOnly": True},
]
_ENVIRONMENT: Final = [
    {"name": "DATA", "value": names.DATA_PATH},
    {"name": "PGDATA", "value": names.PGDATA},
    {"name": "DATABASE", "value": addresses.DATABASE_NAME},
    {"name": "CREDENTIALS", "value": names.CREDENTIALS_PATH},
]
_PORTS: Final = [{"name": "postgresql", "containerPort": addresses.DATABASE_PORT, "protocol": "TCP"}]


def _psql(database: str, statement: str) -> list[str]:
    return ["psql", f"--host={names.SOCKET_PATH}", "-U", "postgres", "-d", database, "-tAc", statement]


def _started(within_seconds: int) -> Manifest:
    """Started is when role, database and PostGIS are there."""
    exists = _psql(addresses.DATABASE_NAME, "select postgis_lib_version()")
    probe = {"periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": within_seconds}
    return {"exec": {"command": exists}, **probe}


def _image(service: Service, settings: OperatorSettings) -> str:
    """The image that has Patroni has pgBackRest, too."""
    several_or_archived = addresses.is_pair(service) or pgbackrest.wanted(service) is not None
    return settings.images.postgresql_pair if several_or_archived else settings.images.postgresql


def _mounts(service: Service) -> list[Manifest]:
    archives = pgbackrest.mounts(service) if pgbackrest.wanted(service) is not None else []
    return [*(_PAIR_MOUNTS if addresses.is_pair(service) else _MOUNTS), *archives]


def _serves_files(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """What gives the database's files to a Job that makes a backup; nothing without backups."""
    if pgbackrest.wanted(service) is None:
        return []
    data = {"name": "data", "mountPath": names.DATA_PATH, "readOnly": True}
    return [
        container(
            "pgbackrest",
            settings.images.postgresql_pair,
            settings,
            command=pgbackrest.SERVE,
            ports=[{"name": "pgbackrest", "containerPort": pgbackrest.PORT, "protocol": "TCP"}],
            resources=_SERVER_RESOURCES,
            livenessProbe={**repository.answers(), "periodSeconds": 20, "timeoutSeconds": 10, "failureThreshold": 6},
            volumeMounts=[TMP_MOUNT, data, *pgbackrest.files_mounts()],
        )
    ]


def _restores(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """What makes the files of a restored database before it starts the first time."""
    wanted, backup = databases.restore(service), pgbackrest.wanted(service)
    if wanted is None or backup is None or not databases.is_restored(service):
        return []
    variables = {
        "STANZA": addresses.database_name(service),
        "SOURCE": addresses.named_database(service, wanted.source),
        "TARGET": wanted.to or "",
        "INSTANCES": str(addresses.instances(service)),
        "RESTORED": f"{pgbackrest.CONFIG_PATH}/{pgbackrest.RESTORED}",
        "DATA": names.DATA_PATH,
        "PGDATA": names.PGDATA,
        **pgbackrest.PROGRAM_VARIABLES,
    }
    pod = {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    return [
        container(
            RESTORES,
            settings.images.postgresql_pair,
            settings,
            command=[*pgbackrest.PROGRAM, "restore"],
            env=[*env(variables), pod],
            resources=resources(backup.resources, cpu="100m", memory="512Mi"),
            volumeMounts=[TMP_MOUNT, {"name": "data", "mountPath": names.DATA_PATH}, *pgbackrest.mounts(service)],
        )
    ]


def _single_container(service: Service, settings: OperatorSettings) -> Manifest:
    answers = {"exec": {"command": ["pg_isready", "--quiet", f"--host={names.SOCKET_PATH}"]}}
    return container(
        "postgresql",
        _image(service, settings),
        settings,
        command=["bash", f"{names.CONFIG_PATH}/start.sh"],
        env=_ENVIRONMENT,
        ports=_PORTS,
        resources=configuration.container_resources(service),
        # A recovery after a crash may take its time.
        startupProbe=_started(_RECOVERY_SECONDS),
        readinessProbe={**answers, "periodSeconds": 5, "timeoutSeconds": 5},
        livenessProbe={**answers, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        volumeMounts=_mounts(service),
    )


def _pair_container(service: Service, settings: OperatorSettings) -> Manifest:
    return container(
        "postgresql",
        _image(service, settings),
        settings,
        command=["bash", f"{names.CONFIG_PATH}/start.sh"],
        env=[*_ENVIRONMENT, *_pair_environment(service, settings)],
        ports=[*_PORTS, {"name": "patroni", "containerPort": names.PATRONI_PORT, "protocol": "TCP"}],
        resources=configuration.container_resources(service),
        startupProbe=_started(_CLONING_SECONDS),
        readinessProbe={**_asked("/readiness"), "periodSeconds": 2, "timeoutSeconds": 5},
        livenessProbe={
            **_asked("/liveness"),
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
            "terminationGracePeriodSeconds": _FROZEN_GRACE_SECONDS,
        },
        # What is not on the disk yet would keep clients waiting while the primary ends, and its standby with them.
        lifecycle={"preStop": {"exec": {"command": ["timeout", "60", *_psql("postgres", "checkpoint")]}}},
        volumeMounts=_mounts(service),
    )


def _asked(path: str) -> Manifest:
    return {"httpGet": {"path": path, "port": "patroni", "scheme": "HTTPS"}}


def _pair_environment(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """What differs between pods, and passwords, in Patroni's own variables."""
    secret = names.replication_name(service)
    host = addresses.cluster_host(service, f"$(PATRONI_NAME).{addresses.database_name(service)}", settings)
    return [
        {"name": "REPLICATION", "value": names.REPLICATION_PATH},
        {"name": "REPLICATION_USERNAME", "value": names.REPLICATION_USERNAME},
        {"name": "REWIND_USERNAME", "value": names.REWIND_USERNAME},
        {"name": "PATRONI_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "PATRONI_POSTGRESQL_CONNECT_ADDRESS", "value": f"{host}:{addresses.DATABASE_PORT}"},
        {"name": "PATRONI_RESTAPI_CONNECT_ADDRESS", "value": f"{host}:{names.PATRONI_PORT}"},
        env_from_secret("PATRONI_REPLICATION_PASSWORD", secret, names.REPLICATION_PASSWORD),
        env_from_secret("PATRONI_REWIND_PASSWORD", secret, names.REWIND_PASSWORD),
        # Where people who look into the pod find it: patronictl list.
        {"name": "PATRONICTL_CONFIG_FILE", "value": f"{names.SOCKET_PATH}/patroni"},
    ]
