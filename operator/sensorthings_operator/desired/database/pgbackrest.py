"""pgBackRest around a managed database: names, volumes of the pods that run it, and what PostgreSQL is told of it.

Databases push their write-ahead log to the repository themselves; a Job copies their files through the server that runs
beside PostgreSQL. All of them know each other by certificates.
"""

from collections.abc import Mapping
from typing import Final

from sensorthings_operator.api.backup import Backup, S3Storage
from sensorthings_operator.desired import addresses, databases
from sensorthings_operator.desired.buscertificates import CA, CLIENT, CLIENT_KEY, SERVER, SERVER_KEY
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

PORT: Final = 8432
"""pgBackRest's own default for its server."""
CONFIG_PATH: Final = "/etc/pgbackrest"
"""Where pgBackRest looks for its configuration; the scripts lie beside it."""
CERTIFICATES_PATH: Final = "/run/sensorthings/backup"
STORAGE_PATH: Final = "/run/sensorthings/storage"
"""Of the files with what S3 asks for."""
AUTHORITY_PATH: Final = "/run/sensorthings/storage-ca"
REPOSITORY_PATH: Final = "/var/lib/pgbackrest"
KEYS: Final = ("accessKeyId", "secretAccessKey")
"""Of the Secret for a store that speaks S3."""
ARCHIVE_SECONDS: Final = 60
"""What was committed is in the archive after so long, also where little is written."""

_CONFIGURATION: Final = "pgbackrest.conf"
_RUN: Final = f"bash {CONFIG_PATH}/run.sh"
SERVE: Final = ["bash", f"{CONFIG_PATH}/serve.sh"]
PROGRAM: Final = ["python3", "-m", "backups"]
"""Followed by what to do: backup, check, restore or drill."""
PROGRAM_VARIABLES: Final = {"PYTHONPATH": CONFIG_PATH}
"""Where it is found."""
RESTORED: Final = "restored"
"""File with the name of the database of which is known that it was restored."""
DATABASE, FILES_SERVER, JOB, REPOSITORY = "database.conf", "files.conf", "job.conf", "repository.conf"
"""Keys of the ConfigMap: the configuration of each kind of pod."""
_MODULES: Final = ("__init__", "__main__", "archive", "making", "once", "pgbackrest", "practice", "restoring")
SCRIPTS: Final = {
    "run.sh": "run-pgbackrest.sh",
    "serve.sh": "serve-pgbackrest.sh",
    **{f"backups/{module}.py": f"backups/{module}.py" for module in _MODULES},
}
"""Where each lies below the configuration, and where it is among the operator's files."""


def wanted(service: Service) -> Backup | None:
    """What the spec says of backups; None where there are none."""
    managed = service.spec.database.managed
    return None if managed is None else managed.backup


def name(service: Service) -> str:
    """Name of the ConfigMap, the ServiceAccount and the CronJob of the backups."""
    return f"{service.name}-backup"


def certificates_name(service: Service) -> str:
    """Name of the Secret by whose certificates the pods know each other."""
    return f"{name(service)}-certificates"


def repository_name(service: Service) -> str:
    """Name of the StatefulSet and Service of the pod that has the backups' volume."""
    return f"{service.name}-repository"


def location(service: Service) -> str:
    """Where the backups lie, in words that tell one place from another; empty without backups."""
    backup = wanted(service)
    if backup is None:
        return ""
    bucket = backup.storage.s3
    if bucket is None:
        return f"volume of {repository_name(service)}"
    return f"{bucket.endpoint}/{bucket.bucket}{prefix(service, bucket)}"


def prefix(service: Service, bucket: S3Storage) -> str:
    """The folder in a bucket."""
    return bucket.prefix or f"/{service.namespace}/{service.name}"


def hosts(service: Service, settings: OperatorSettings) -> list[str]:
    """DNS names that the certificate is for: each pod of each database, and the repository's."""
    governing = {addresses.database_name(each) for each in databases.running(service)}
    pods = [f"*.{addresses.cluster_host(service, each, settings)}" for each in sorted(governing)]
    return [addresses.cluster_host(service, repository_name(service), settings), *pods]


def parameters(service: Service) -> dict[str, str]:
    """PostgreSQL's settings for the archive: it keeps a segment until pgBackRest has stored it, however long."""
    if wanted(service) is None:
        return {}
    push = f"{_RUN} --stanza={addresses.database_name(service)} archive-push %p"
    return {"archive_mode": "on", "archive_command": push, "archive_timeout": f"{ARCHIVE_SECONDS}s"}


def secrets(service: Service) -> dict[str, tuple[str, ...]]:
    """The Secrets that somebody else makes for the backups, and their keys."""
    backup = wanted(service)
    bucket = None if backup is None else backup.storage.s3
    if bucket is None:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    if bucket.ca_secret_ref is not None:
        found[bucket.ca_secret_ref.name] = (CA,)
    name = bucket.credentials_secret_ref.name
    return {**found, name: (*found.get(name, ()), *KEYS)}


def database_volumes(service: Service) -> list[Manifest]:
    """Volumes of a pod that has a database's files: its own, or those of one that it restores."""
    return _volumes(service, DATABASE)


def files_volume(service: Service) -> Manifest:
    """Configuration of what gives a database's files to backups; it knows nothing of where they go."""
    return _configuration(service, "backup-files", FILES_SERVER)


def files_mounts() -> list[Manifest]:
    """Where its container has that, beside the certificates."""
    return _mounts({"backup-files": CONFIG_PATH, "backup-certificates": CERTIFICATES_PATH})


def job_volumes(service: Service) -> list[Manifest]:
    """Volumes of a pod that makes backups."""
    return _volumes(service, JOB)


def repository_volumes(service: Service) -> list[Manifest]:
    """Volumes of the pod that has the backups, beside that of the backups."""
    return _volumes(service, REPOSITORY)


def mounts(service: Service) -> list[Manifest]:
    """Where the containers of all of them have these volumes."""
    paths = {"backup-config": CONFIG_PATH, "backup-certificates": CERTIFICATES_PATH}
    backup = wanted(service)
    if backup is not None and backup.storage.s3 is not None:
        paths["storage"] = STORAGE_PATH
        if backup.storage.s3.ca_secret_ref is not None:
            paths["storage-ca"] = AUTHORITY_PATH
    return _mounts(paths)


def _mounts(paths: Mapping[str, str]) -> list[Manifest]:
    return [{"name": each, "mountPath": path, "readOnly": True} for each, path in paths.items()]


def _configuration(service: Service, volume: str, configuration: str) -> Manifest:
    own = [{"key": configuration, "path": _CONFIGURATION}, {"key": RESTORED, "path": RESTORED}]
    items = [*own, *({"key": key(path), "path": path} for path in SCRIPTS)]
    return {"name": volume, "configMap": {"name": name(service), "items": items}}


def key(path: str) -> str:
    """Of a file in the ConfigMap, which has no folders."""
    return path.replace("/", ".")


def _volumes(service: Service, configuration: str) -> list[Manifest]:
    keys = [{"key": key, "path": key} for key in (CA, SERVER, SERVER_KEY, CLIENT, CLIENT_KEY)]
    # pgBackRest takes no key that others than root and its own group can read.
    certificates = {"secretName": certificates_name(service), "defaultMode": 0o440, "items": keys}
    volumes: list[Manifest] = [
        _configuration(service, "backup-config", configuration),
        {"name": "backup-certificates", "secret": certificates},
    ]
    backup = wanted(service)
    bucket = None if backup is None else backup.storage.s3
    if bucket is not None:
        # A database starts without them, too: nothing is archived then, and the status says why.
        volumes.append(_optional("storage", bucket.credentials_secret_ref.name, KEYS))
        if bucket.ca_secret_ref is not None:
            volumes.append(_optional("storage-ca", bucket.ca_secret_ref.name, (CA,)))
    return volumes


def _optional(volume: str, secret: str, keys: tuple[str, ...]) -> Manifest:
    items = [{"key": key, "path": key} for key in keys]
    return {"name": volume, "secret": {"secretName": secret, "optional": True, "defaultMode": 0o440, "items": items}}
