"""The floor: the processes of a service in a network namespace of their own, each as soon as what it needs answers."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from benchmarks.client import FirstObservation
from benchmarks.processes import PASSWORD, USER, Place, Processes, end, unpacked
from benchmarks.reach import Inside
from sensorthings_operator.desired import mqttgate
from tests.e2e.clients import Http
from tests.e2e.netns import inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensorthings_operator.desired.settings import OperatorSettings

_NETNS: Final = "sta-bench-floor"
_HTTP_PORT: Final = 8080
_PARTS: Final = ("database", "schema", "bus", "http", "mqtt")


@contextmanager
def _network() -> Iterator[Path]:
    """A network namespace with a loopback interface and nothing else."""
    path = Path("/run/netns") / _NETNS
    subprocess.run(["ip", "netns", "add", _NETNS], check=True)
    try:
        subprocess.run(["nsenter", f"--net={path}", "ip", "link", "set", "lo", "up"], check=True)
        yield path
    finally:
        subprocess.run(["ip", "netns", "del", _NETNS], check=True)


async def database_answers(host: str = "127.0.0.1") -> bool:
    """Whether a database that was started bare is there, with PostGIS."""
    try:
        connection = await asyncpg.connect(host=host, user=USER, password=PASSWORD, database=USER, timeout=5)
    except (OSError, asyncpg.PostgresError):
        return False
    try:
        return bool(await connection.fetchval("select postgis_lib_version()"))
    except asyncpg.PostgresError:
        return False
    finally:
        await connection.close()


def _here() -> str:
    return "127.0.0.1"


class Bare:
    """Measures a service's processes; made by ``prepared``."""

    def __init__(self, processes: Processes, netns: Path) -> None:
        self._processes = processes
        self.netns = netns

    def measure(self) -> dict[str, float]:
        """One run on an empty disk: seconds since its beginning by what happened."""
        with self.running() as client:
            return client.marks

    @contextmanager
    def running(self) -> Iterator[FirstObservation]:
        """All of it from an empty disk to the first Observation delivered, and on until the block ends."""
        shutil.rmtree(self._processes.folder / "volumes", ignore_errors=True)
        begun = time.monotonic()
        client = FirstObservation(Inside(self.netns, _here, _HTTP_PORT, _here, mqttgate.FROST_PORT), begun)
        try:
            self._processes.start("database")
            self._processes.await_part("database", self._database_answers)
            client.mark("database answers")
            schema = self._processes.start("schema")
            http = Http("127.0.0.1", _HTTP_PORT, self.netns)
            self._processes.await_part("schema", lambda: http.get("Things?$top=1&$select=id").status == 200)
            client.mark("schema complete")
            end(schema)
            for part in ("bus", "http", "mqtt"):
                self._processes.start(part)
            client.measure()
            yield client
        finally:
            self._processes.end()

    def start_http_beside(self, body: dict[str, Any], settings: OperatorSettings, folder: Path, port: int) -> None:
        """Another HTTP module on the same database and bus, of another spec, until the block of ``running`` ends.

        Args:
            body: the SensorThingsService, of the same name.
            settings: the operator's, with the realms that the spec may name.
            folder: for its volumes and its log; not there.
            port: that it listens at, on the loopback.
        """
        self._processes.beside("http", body, settings, folder, {"FROST_HTTP_PORT": str(port)})
        http = Http("127.0.0.1", port, self.netns)
        self._processes.await_part("http", lambda: http.get("Things?$top=1&$select=id").status == 200)

    def start_gate(self) -> subprocess.Popen[bytes]:
        """What stands in front of the MQTT module in its pod."""
        return self._processes.start("mqtt", "mqtt-gate")

    def _database_answers(self) -> bool:
        with inside(self.netns):
            return asyncio.run(database_answers())


@contextmanager
def prepared(body: dict[str, Any], settings: OperatorSettings, folder: Path) -> Iterator[Bare]:
    """The floor of a service, ready to be measured.

    Args:
        body: the SensorThingsService.
        settings: the operator's, with the images.
        folder: for volumes and logs.
    """
    with _network() as netns:
        place = Place(enter=("nsenter", f"--net={netns}"))
        yield Bare(unpacked(body, settings, folder, parts=_PARTS, place=place), netns)
