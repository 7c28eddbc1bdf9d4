"""Restores a database into a folder, replays its write-ahead log and looks at what is there."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from .pgbackrest import PGBACKREST, FailedError, reason, run

_SOCKETS: Final = "/tmp"  # noqa: S108 - a volume of the pod's own
_PAUSE_SECONDS: Final = 0.2
_STATUS_LINE: Final = 7
"""Of PostgreSQL's postmaster.pid, counted from 0: "ready" once it takes connections that write."""

_LOOK: Final = """
select json_build_object(
    'last_transaction', extract(epoch from pg_last_xact_replay_timestamp()), 'replayed', pg_last_wal_replay_lsn())
"""
_COUNT: Final = """
select json_build_object('observations', count(*), 'newest', extract(epoch from max("PHENOMENON_TIME_START")))
from "OBSERVATIONS"
"""
"""FROST-Server's own table."""
_ESTIMATE: Final = 'explain (format json) select from "OBSERVATIONS"'
"""What PostgreSQL's planner takes the table for, by its size and its statistics."""
_TABLE_SIZE: Final = """select coalesce(pg_table_size(to_regclass('"OBSERVATIONS"')), -1)"""
_COUNTED_BYTES: Final = 64 << 20
"""A table up to this size is counted in less than a second; each further GiB would take some three."""
_FORGET: Final = ("restore_command", *(f"recovery_target{end}" for end in ("", "_time", "_action", "_timeline")))
"""What pgBackRest wrote for the recovery: a standby that copied it would stop there, too."""


def target(to: str) -> str:
    """A time of the spec as PostgreSQL reads it."""
    moment = datetime.fromisoformat(to).astimezone(UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f") + "+00"


def restore(stanza: str, folder: Path, *, to: str, count: bool = False) -> dict[str, Any]:
    """Restore a database into a folder, replay its write-ahead log, and look at what is there; PostgreSQL is ended.

    Args:
        stanza: Whose backups.
        folder: PostgreSQL's data directory; what is in it goes.
        to: Up to when; all that was archived where it is empty.
        count: Count the Observations, also where that takes long: a city that waits for its database needs it sooner.
    """
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    wanted = ("--type=time", f"--target={target(to)}", "--target-action=promote") if to else ("--type=default",)
    # pgBackRest would write its own command, which finds no keys of a store in PostgreSQL's environment.
    get = f'restore_command={" ".join(PGBACKREST)} --stanza={stanza} archive-get %f "%p"'
    written = run(*PGBACKREST, f"--stanza={stanza}", *wanted, f"--recovery-option={get}", "restore")
    # Patroni would take it for what it knows already.
    for left in folder.glob("patroni.dynamic.json*"):
        left.unlink()
    with _recovered(folder):
        found = {"label": label(written), **json.loads(ask("postgres", _LOOK))}
        found |= _observations(count=count)
        for setting in _FORGET:
            ask("postgres", f"alter system reset {setting}")
    return {**found, "seconds": round(time.monotonic() - began)}


def _observations(*, count: bool) -> dict[str, Any]:
    size = int(ask("sensorthings", _TABLE_SIZE))
    if size < 0:
        return {}
    if count or size <= _COUNTED_BYTES:
        counted: dict[str, Any] = json.loads(ask("sensorthings", _COUNT))
        return counted
    (explained,) = json.loads(ask("sensorthings", _ESTIMATE))
    return {"estimated_observations": explained["Plan"]["Plan Rows"]}


def label(written: str) -> str:
    """The backup that was restored, as pgBackRest says: ``restore backup set 20260101-010203F``."""
    for line in written.splitlines():
        _, said, rest = line.partition("restore backup set ")
        if said:
            return rest.split(",")[0].split()[0]
    return ""


@contextmanager
def _recovered(folder: Path) -> Iterator[None]:
    """PostgreSQL for nobody else, with settings of its own, once all is replayed; it is ended afterwards."""
    settings, hba, log = (Path(_SOCKETS, f"recovery.{end}") for end in ("conf", "hba", "log"))
    # Connections are taken when all is replayed: before, there would have to be as many as in the database's own time.
    settings.write_text(
        "hot_standby = 'off'\narchive_mode = 'off'\nlisten_addresses = ''\n"
        f"unix_socket_directories = '{_SOCKETS}'\nhba_file = '{hba}'\nmax_wal_size = '4GB'\n"
        # Counting reads the largest table whole.
        "max_parallel_workers_per_gather = 4\n"
    )
    hba.write_text("local all postgres peer\n")
    with log.open("w") as written:
        command = ("postgres", "-D", str(folder), "-c", f"config_file={settings}")
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT)
    try:
        # pg_ctl, without hot_standby, would not wait for more than the beginning of the replay.
        while not is_ready(folder):
            if server.poll() is not None:
                raise FailedError(ended(log.read_text()))
            time.sleep(_PAUSE_SECONDS)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        code = server.wait()
        sys.stdout.write(log.read_text())
    if code != 0:
        raise FailedError(ended(log.read_text()))


def is_ready(folder: Path) -> bool:
    """Whether PostgreSQL says in its lock file that its recovery is over (its own pidfile.h)."""
    file = folder / "postmaster.pid"
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"


def ended(log: str) -> str:
    """Why PostgreSQL ended in a recovery."""
    told = reason(log.splitlines()) or "PostgreSQL ended without a word"
    later = ": nothing that was committed later is in the archive; without a time all that is there is restored"
    return told + later if "before configured recovery target" in told else told


def ask(database: str, statement: str) -> str:
    """One value."""
    command = ("psql", f"--host={_SOCKETS}", "--username=postgres", f"--dbname={database}", "-XAtq")
    done = subprocess.run(
        (*command, "--set=ON_ERROR_STOP=1", f"--command={statement}"), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise FailedError(reason(done.stderr.splitlines()))
    return done.stdout.strip()
