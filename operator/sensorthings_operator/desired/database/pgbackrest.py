"""pgBackRest's configuration, for each kind of pod that runs it, and what PostgreSQL is told of it.

https://pgbackrest.org/configuration.html. Databases push their write-ahead log to the repository themselves; a Job
copies their files through the server that runs beside PostgreSQL. All of them know each other by certificates.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from sensorthings_operator.api.backup import Backup
from sensorthings_operator.desired import addresses, databases
from sensorthings_operator.desired.buscertificates import CA, CLIENT, CLIENT_KEY, CLIENT_NAME, SERVER, SERVER_KEY
from sensorthings_operator.desired.database import names
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

_FILES: Final = files("sensorthings_operator.desired").joinpath("files")
_CONFIGURATION: Final = "pgbackrest.conf"
_RUN: Final = f"bash {CONFIG_PATH}/run.sh"
SERVE: Final = ["bash", f"{CONFIG_PATH}/serve.sh"]
PROGRAM: Final = ["python3", f"{CONFIG_PATH}/backups.py"]
"""Followed by what to do: backup, restore or drill."""
_DATABASE, _FILES_SERVER, _JOB, _REPOSITORY = "database.conf", "files.conf", "job.conf", "repository.conf"
_SCRIPTS: Final = {
    "run.sh": "run-pgbackrest.sh",
    "serve.sh": "serve-pgbackrest.sh",
    "backups.py": "database_backups.py",
}

Options = Mapping[str, str | int]


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


def held(service: Service, settings: OperatorSettings) -> dict[str, str]:
    """The ConfigMap: configurations and scripts by their files' names."""
    scripts = {file: _FILES.joinpath(source).read_text() for file, source in _SCRIPTS.items()}
    databases_own = {_DATABASE: _database(service, settings), _FILES_SERVER: _files_server(service)}
    made = {**databases_own, _JOB: _job(service, settings), **scripts}
    return made if _is_bucket(service) else {_REPOSITORY: _repository(service), **made}


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
    return _volumes(service, _DATABASE)


def files_volume(service: Service) -> Manifest:
    """Configuration of what gives a database's files to backups; it knows nothing of where they go."""
    return _configuration(service, "backup-files", _FILES_SERVER)


def files_mounts() -> list[Manifest]:
    """Where its container has that, beside the certificates."""
    return _mounts({"backup-files": CONFIG_PATH, "backup-certificates": CERTIFICATES_PATH})


def job_volumes(service: Service) -> list[Manifest]:
    """Volumes of a pod that makes backups."""
    return _volumes(service, _JOB)


def repository_volumes(service: Service) -> list[Manifest]:
    """Volumes of the pod that has the backups, beside that of the backups."""
    return _volumes(service, _REPOSITORY)


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
    items = [{"key": configuration, "path": _CONFIGURATION}, *({"key": each, "path": each} for each in _SCRIPTS)]
    return {"name": volume, "configMap": {"name": name(service), "items": items}}


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


def _is_bucket(service: Service) -> bool:
    backup = wanted(service)
    return backup is not None and backup.storage.s3 is not None


def _database(service: Service, settings: OperatorSettings) -> str:
    """Of pods with a database's files: what they push to, or restore from."""
    here = dict.fromkeys(databases.names(service), _HERE)
    return _text({"global": {**_GENERAL, **_remote_storage(service, settings)}, **_ARCHIVING, **here})


def _files_server(service: Service) -> str:
    """Of what gives a database's files to a Job."""
    return _text({"global": {**_GENERAL, **_SERVER}, **dict.fromkeys(databases.names(service), _HERE)})


def _job(service: Service, settings: OperatorSettings) -> str:
    """Of the pod that makes backups: it reaches the database's pods, and has the repository itself."""
    backup = wanted(service)
    assert backup is not None  # noqa: S101 - for the type checker: nothing is built without
    kept: Options = {"repo1-retention-full-type": "time", "repo1-retention-full": backup.retention.days}
    general: Options = {**_GENERAL, **(_bucket(service) or _LOCAL), **kept, **_BACKUP}
    return _text({"global": general, addresses.database_name(service): _pods(service, settings)})


def _repository(service: Service) -> str:
    here = dict.fromkeys(databases.names(service), _HERE)
    return _text({"global": {**_GENERAL, **_SERVER, **_LOCAL}, **here})


def _pods(service: Service, settings: OperatorSettings) -> dict[str, str | int]:
    options: dict[str, str | int] = {}
    for number in range(addresses.instances(service)):
        key = f"pg{number + 1}"
        options |= _host(key, addresses.instance_host(service, number, settings))
        options |= {f"{key}-path": names.PGDATA, f"{key}-socket-path": names.SOCKET_PATH, f"{key}-user": "postgres"}
    return options


def _remote_storage(service: Service, settings: OperatorSettings) -> Options:
    repository = addresses.cluster_host(service, repository_name(service), settings)
    return _bucket(service) or _host("repo1", repository)


def _host(key: str, host: str) -> dict[str, str | int]:
    return {
        f"{key}-host": host,
        f"{key}-host-type": "tls",
        f"{key}-host-port": PORT,
        f"{key}-host-ca-file": f"{CERTIFICATES_PATH}/{CA}",
        f"{key}-host-cert-file": f"{CERTIFICATES_PATH}/{CLIENT}",
        f"{key}-host-key-file": f"{CERTIFICATES_PATH}/{CLIENT_KEY}",
    }


def _bucket(service: Service) -> Options:
    """What is known of the bucket; nothing where the backups lie on a volume."""
    backup = wanted(service)
    bucket = None if backup is None else backup.storage.s3
    if bucket is None:
        return {}
    authority = {} if bucket.ca_secret_ref is None else {"repo1-storage-ca-file": f"{AUTHORITY_PATH}/{CA}"}
    return {
        "repo1-type": "s3",
        "repo1-path": bucket.prefix or f"/{service.namespace}/{service.name}",
        "repo1-s3-endpoint": bucket.endpoint,
        "repo1-s3-bucket": bucket.bucket,
        "repo1-s3-region": bucket.region,
        "repo1-s3-uri-style": "host" if bucket.virtual_hosts else "path",
        **authority,
    }


def _text(sections: Mapping[str, Options]) -> str:
    """As pgBackRest reads it."""
    return "\n".join(
        f"[{section}]\n" + "".join(f"{option}={value}\n" for option, value in options.items())
        for section, options in sections.items()
    )


_GENERAL: Final[Options] = {
    "log-level-file": "off",
    "log-level-console": "info",
    "lock-path": "/tmp/pgbackrest",  # noqa: S108 - a volume of the pod's own
    "compress-type": "zst",
}
_HERE: Final[Options] = {"pg1-path": names.PGDATA, "pg1-socket-path": names.SOCKET_PATH}
_ARCHIVING: Final[Mapping[str, Options]] = {
    f"global:{command}": {
        # A line for each segment would be most of PostgreSQL's log.
        "log-level-console": "warn",
        # PostgreSQL tries again by itself, and must not wait for a store that is away when it ends.
        "io-timeout": 15,
    }
    for command in ("archive-push", "archive-get")
}
_SERVER: Final[Options] = {
    "tls-server-address": "*",
    "tls-server-port": PORT,
    "tls-server-ca-file": f"{CERTIFICATES_PATH}/{CA}",
    "tls-server-cert-file": f"{CERTIFICATES_PATH}/{SERVER}",
    "tls-server-key-file": f"{CERTIFICATES_PATH}/{SERVER_KEY}",
    # Whoever has a certificate of this authority is a part of this service's backups.
    "tls-server-auth": f"{CLIENT_NAME}=*",
}
# A folder in the volume, not the volume: that may hold a lost+found, which nobody but root reads.
_LOCAL: Final[Options] = {"repo1-path": f"{REPOSITORY_PATH}/repository"}
_BACKUP: Final[Options] = {
    # Without it a backup begins with the next checkpoint, minutes later.
    "start-fast": "y",
    "repo1-bundle": "y",
}
