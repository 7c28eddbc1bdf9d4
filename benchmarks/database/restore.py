"""A database is restored to a point in time from a backup on a volume: against a plain copy of its files.

Real PostgreSQL and pgBackRest, in containers with the operator's own manifests and with folders for volumes: what is
measured is the restore, and not how Kubernetes comes to it. What is written to a disk is there at the end of either.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.report import bench_line
from localcluster import images
from tests.e2e.images.backups import City, authority_of_a_store, empty
from tests.e2e.images.containers import Runtime, await_true

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.images.containers import Container

_GOAL: Final = 2.0
_GIBIBYTE: Final = 1 << 30
_ROWS: Final = 250_000
"""Written by one transaction."""
_ARCHIVED_SECONDS: Final = 300.0
_TABLE: Final = """
create table "OBSERVATIONS" (
  "ID" bigint primary key, "PHENOMENON_TIME_START" timestamptz, "PHENOMENON_TIME_END" timestamptz,
  "RESULT_TIME" timestamptz, "RESULT_NUMBER" double precision, "RESULT_STRING" text, "DATASTREAM_ID" bigint);
create index on "OBSERVATIONS" ("DATASTREAM_ID", "PHENOMENON_TIME_START")
"""
"""What of FROST-Server's own table takes room."""
_FILL: Final = """
insert into "OBSERVATIONS"
select number, began, began, began, value, value::text, number % 1000
from (
  select number, timestamptz '2026-01-01' + number * interval '1 second' as began, random() * 100 as value
  from generate_series({first}::bigint, {last}) as number
) as made
"""
_SIZE: Final = "select pg_database_size('sensorthings')"


@dataclass(frozen=True)
class _Time:
    """Up to when is restored; the last transaction up to then is a later one than ``after``."""

    after: datetime
    to: datetime


def measured(runs: int, gibibytes: float, say: Callable[[str], None]) -> str:
    """Restore, and copy, in turns; the line that says what came of it."""
    with _filled(gibibytes, say) as (city, database, wanted):
        source, volume = city.folder / "air-db" / "pgdata", city.folder / "air-db-r1"
        city.sql(database, "checkpoint")
        restored, copied = list[float](), list[float]()
        for run in range(runs):
            copied.append(_seconds(lambda: _copy(source, volume)))
            empty(volume)
            restored.append(_seconds(lambda: _restore(city, wanted)))
            empty(volume)
            say(f"run {run + 1} of {runs}: restored in {restored[-1]:.1f} s, copied in {copied[-1]:.1f} s")
    return bench_line("database-restore", median(restored), "s", floor=median(copied), goal=_GOAL)


def _seconds(done: Callable[[], None]) -> float:
    subprocess.run(["sync"], check=True)
    begun = time.perf_counter()
    done()
    subprocess.run(["sync"], check=True)
    return time.perf_counter() - begun


def _copy(source: Path, volume: Path) -> None:
    subprocess.run(["cp", "--archive", source, volume / "pgdata"], check=True)


def _restore(city: City, wanted: _Time) -> None:
    code, said = city.restore(wanted.to.isoformat())
    last = said.get("last_transaction")
    if code != 0 or last is None or not wanted.after < datetime.fromtimestamp(last, UTC) <= wanted.to:
        raise RuntimeError(f"restored something else than {wanted}: {said}")


@contextmanager
def _filled(gibibytes: float, say: Callable[[str], None]) -> Iterator[tuple[City, Container, _Time]]:
    """A database of that size with a backup, rows after it, a time, and rows after that."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)
    containers, volumes = folder / "containers", folder / "volumes"
    containers.mkdir()
    volumes.mkdir()
    runtime = Runtime(containers, images.build)
    city = City(runtime, volumes, {"volume": {"size": "10Gi"}}, authority_of_a_store())
    try:
        city.start_repository()
        database, _ = city.start_database()
        city.sql(database, _TABLE)
        rows = 0
        while int(city.sql(database, _SIZE)) < gibibytes * _GIBIBYTE:
            rows = _written(city, database, rows)
        code, said = city.backup()
        if code != 0:
            raise RuntimeError(f"there is no backup: {said}")
        after = _now(city, database)
        rows = _written(city, database, rows)
        wanted = _Time(after, _now(city, database))
        time.sleep(0.2)
        _written(city, database, rows)
        _archived(city, database)
        say(f"{rows} Observations up to the time, {int(city.sql(database, _SIZE)) / _GIBIBYTE:.2f} GiB")
        yield city, database, wanted
    finally:
        city.close()
        runtime.close()
        shutil.rmtree(folder)


def _now(city: City, database: Container) -> datetime:
    return datetime.fromtimestamp(float(city.sql(database, "select extract(epoch from clock_timestamp())")), UTC)


def _written(city: City, database: Container, rows: int) -> int:
    """Write more; how many there are."""
    city.sql(database, _FILL.format(first=rows + 1, last=rows + _ROWS))
    return rows + _ROWS


def _archived(city: City, database: Container) -> None:
    wanted = city.sql(database, "select pg_walfile_name(pg_switch_wal())")
    last = "select coalesce(last_archived_wal, '') from pg_stat_archiver"
    await_true(lambda: city.sql(database, last) >= wanted, f"{wanted} is archived", seconds=_ARCHIVED_SECONDS)
