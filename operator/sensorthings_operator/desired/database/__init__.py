"""The managed database: a PostgreSQL with PostGIS in a StatefulSet, or a primary and standbys that Patroni runs.

Names, labels and the data directory of one are those of several, so that it grows into them without a dump: a governing
Service, a Service for the primary, pods that start side by side.
"""

from importlib.resources import files
from typing import Final

from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.database import (
    configuration,
    credentials,
    names,
    patroni,
    rights,
    services,
    statefulset,
)
from sensorthings_operator.desired.metadata import Manifest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

COMPONENT: Final = names.COMPONENT
PATRONI_PORT: Final = names.PATRONI_PORT
_FILES: Final = files("sensorthings_operator.desired").joinpath("files")


def secrets(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The Secrets; nothing where the database is run elsewhere."""
    return credentials.build(service, settings)


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """All else: rights, ConfigMaps, Services and the StatefulSet; nothing where the database is run elsewhere."""
    if addresses.instances(service) == 0:
        return []
    held = _files(service)
    described = metadata(service, COMPONENT, addresses.database_name(service))
    return [
        *rights.build(service, settings),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": described, "data": held},
        *(patroni.states(service) if addresses.is_pair(service) else []),
        *services.build(service),
        statefulset.build(service, settings, held),
    ]


def _files(service: Service) -> dict[str, str]:
    """What the pods have in their ConfigMap, by the files' names."""
    prepare = {"prepare.sh": _FILES.joinpath("prepare-database.sh").read_text()}
    if addresses.is_pair(service):
        start = _FILES.joinpath("start-patroni.sh").read_text()
        return {"start.sh": start, **prepare, **patroni.files(service)}
    start = _FILES.joinpath("start-postgresql.sh").read_text()
    return {"start.sh": start, **prepare, **configuration.single(service)}
