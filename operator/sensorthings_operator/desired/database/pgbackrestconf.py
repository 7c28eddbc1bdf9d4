"""pgBackRest's configuration, for each kind of pod that runs it, and the scripts beside it.

https://pgbackrest.org/configuration.html
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from sensorthings_operator.desired import addresses, databases
from sensorthings_operator.desired.buscertificates import CA, CLIENT, CLIENT_KEY, CLIENT_NAME, SERVER, SERVER_KEY
from sensorthings_operator.desired.database import names, pgbackrest
from sensorthings_operator.desired.database.pgbackrest import AUTHORITY_PATH, CERTIFICATES_PATH, PORT, REPOSITORY_PATH
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

_FILES: Final = files("sensorthings_operator.desired").joinpath("files")

Options = Mapping[str, str | int]


def held(service: Service, settings: OperatorSettings) -> dict[str, str]:
    """The ConfigMap: configurations and scripts by their files' names."""
    scripts = {pgbackrest.key(path): _FILES.joinpath(source).read_text() for path, source in pgbackrest.SCRIPTS.items()}
    databases_own = {pgbackrest.DATABASE: _database(service, settings), pgbackrest.FILES_SERVER: _files_server(service)}
    restored = f"{addresses.named_database(service, service.restored)}\n" if service.restored else ""
    made = {**databases_own, pgbackrest.JOB: _job(service, settings), pgbackrest.RESTORED: restored, **scripts}
    return made if _is_bucket(service) else {pgbackrest.REPOSITORY: _repository(service), **made}


def _is_bucket(service: Service) -> bool:
    backup = pgbackrest.wanted(service)
    return backup is not None and backup.storage.s3 is not None


def _database(service: Service, settings: OperatorSettings) -> str:
    """Of pods with a database's files: what they push to, or restore from."""
    here = dict.fromkeys(databases.names(service), _HERE)
    return _text({"global": {**_GENERAL, **_remote_storage(service, settings)}, **_ARCHIVING, **_RESTORING, **here})


def _files_server(service: Service) -> str:
    """Of what gives a database's files to a Job."""
    return _text({"global": {**_GENERAL, **_SERVER}, **dict.fromkeys(databases.names(service), _HERE)})


def _job(service: Service, settings: OperatorSettings) -> str:
    """Of the pod that makes backups: it reaches the database's pods, and has the repository itself."""
    backup = pgbackrest.wanted(service)
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
    repository = addresses.cluster_host(service, pgbackrest.repository_name(service), settings)
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
    backup = pgbackrest.wanted(service)
    bucket = None if backup is None else backup.storage.s3
    if bucket is None:
        return {}
    authority = {} if bucket.ca_secret_ref is None else {"repo1-storage-ca-file": f"{AUTHORITY_PATH}/{CA}"}
    return {
        "repo1-type": "s3",
        "repo1-path": pgbackrest.prefix(service, bucket),
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
# Nobody else works for that database yet: what the node has left is there to unpack files side by side.
_RESTORING: Final[Mapping[str, Options]] = {"global:restore": {"process-max": 4}}
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
    # Seconds. What waited for a repository that was away comes before what a backup waits for.
    "archive-timeout": 600,
}
