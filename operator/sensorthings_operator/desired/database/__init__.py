"""The managed database: a PostgreSQL with PostGIS in a StatefulSet, or a primary and standbys that Patroni runs.

Names, labels and the data directory of one are those of several, so that it grows into them without a dump: a governing
Service, a Service for the primary, pods that start side by side.
"""

from importlib.resources import files
from typing import Final

from sensorthings_operator.desired import addresses, databases
from sensorthings_operator.desired.database import (
    backups,
    configuration,
    credentials,
    names,
    patroni,
    repository,
    rights,
    services,
    statefulset,
)
from sensorthings_operator.desired.metadata import Manifest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

PATRONI_PORT: Final = names.PATRONI_PORT
_FILES: Final = files("sensorthings_operator.desired").joinpath("files")


def secrets(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The Secrets; nothing where the database is run elsewhere."""
    return [*credentials.build(service, settings), *backups.secrets(service, settings)]


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """All else: rights, ConfigMaps, Services and StatefulSets; nothing where the database is run elsewhere."""
    return [
        *repository.build(service, settings),
        *backups.build(service, settings),
        *(manifest for each in databases.running(service) for manifest in _running(each, settings)),
        *_kept(service, settings),
    ]


def requested_backup(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """What is asked for beside the backups' schedule, as soon as the database answers; nothing without backups."""
    return backups.requested(service, settings)


def _running(service: Service, settings: OperatorSettings) -> list[Manifest]:
    held = _files(service)
    described = metadata(service, addresses.database_component(service), addresses.database_name(service))
    return [
        *rights.build(service, settings),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": described, "data": held},
        *(patroni.states(service) if addresses.is_pair(service) else []),
        *services.build(service),
        statefulset.build(service, settings, held),
    ]


def _kept(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """What is left of the database that served before: volumes, and which instance of a pair knows the most."""
    kept = databases.kept(service)
    if kept is None:
        return []
    states = patroni.states(kept) if addresses.is_pair(kept) else []
    return [*states, statefulset.build(kept, settings, _files(kept))]


def _files(service: Service) -> dict[str, str]:
    """What the pods have in their ConfigMap, by the files' names."""
    prepare = {"prepare.sh": _FILES.joinpath("prepare-database.sh").read_text()}
    if addresses.is_pair(service):
        start = _FILES.joinpath("start-patroni.sh").read_text()
        return {"start.sh": start, **prepare, **patroni.files(service)}
    start = _FILES.joinpath("start-postgresql.sh").read_text()
    return {"start.sh": start, **prepare, **configuration.single(service)}
