"""The PostgreSQL that the whole fleet is on: a real one, started bare from the image of managed databases."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from benchmarks.bare import database_answers
from benchmarks.fleet.services import Credentials
from benchmarks.processes import PASSWORD, USER, unpacked
from localcluster.images import catalogue
from sensorthings_operator.desired.settings import Images, OperatorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SERVICE: Final[dict[str, Any]] = {
    "apiVersion": "sensorthings.city/v1alpha1",
    "kind": "SensorThingsService",
    "metadata": {"name": "fleet", "namespace": "fleet"},
    "spec": {
        "version": "2.0.0",
        "database": {"type": "Managed"},
        "exposure": {"type": "None"},
        "auth": {"type": "None", "none": {"allowAnonymousWrite": True}},
    },
}


@contextmanager
def running_database(folder: Path) -> Iterator[Credentials]:
    """PostgreSQL with PostGIS on 127.0.0.1:5432; how to log in."""
    folder.mkdir()
    settings = OperatorSettings(images=Images(postgresql=catalogue.find("postgresql").reference))
    processes = unpacked(_SERVICE, settings, folder, parts=("database",))
    try:
        processes.start("database")
        processes.await_part("database", lambda: asyncio.run(database_answers()))
        yield Credentials(USER, PASSWORD)
    finally:
        processes.end()
