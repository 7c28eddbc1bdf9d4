"""Makes backups of a managed database and restores them, with pgBackRest; says what came of it in a few lines of JSON.

Mounted by the operator into pods of PostgreSQL's image, and run there by Debian's Python: nothing but its standard
library. What it says is the container's termination message, which the operator reads (observe/backups.py).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_PGBACKREST: Final = ("bash", "/etc/pgbackrest/run.sh")
_SAID: Final = Path(os.environ.get("TERMINATION_LOG", "/dev/termination-log"))
_SOCKETS: Final = "/tmp"  # noqa: S108 - a volume of the pod's own
_STANDBY_MISSING: Final = 56
"""pgBackRest's DbConnectError."""
_LISTED: Final = 40
"""Backups that are told of: a termination message holds 4096 bytes."""
_LONGEST_REASON: Final = 700
_DAY_SECONDS: Final = 86400
_SEGMENT_BYTES: Final = 16 * 1024 * 1024
"""initdb's default."""
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
_HAS_DATA: Final = """select to_regclass('"OBSERVATIONS"') is not null"""
_FORGET: Final = ("restore_command", *(f"recovery_target{end}" for end in ("", "_time", "_action", "_timeline")))
"""What pgBackRest wrote for the recovery: a standby that copied it would stop there, too."""


class FailedError(Exception):
    """A step failed; the message is for people."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def run(*command: str) -> str:
    """Run a command with its output in the log, too.

    Returns:
        What it wrote to its standard output.

    Raises:
        FailedError: It ended with another code than 0.
    """
    written: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            written.append(line)
    if process.returncode != 0:
        raise FailedError(reason(written) or f"{command[0]} ended with code {process.returncode}", process.returncode)
    return "".join(written)


def reason(written: Sequence[str]) -> str:
    """The last error that a program wrote, with what it hints at."""
    errors = [number for number, line in enumerate(written) if "ERROR:" in line or "FATAL:" in line]
    if not errors:
        return " ".join(" ".join(written[-3:]).split())[:_LONGEST_REASON]
    first = written[errors[-1]]
    for word in ("ERROR:", "FATAL:"):
        first = first.partition(word)[2] or first
    following = [line for line in written[errors[-1] + 1 :] if "HINT:" in line or "DETAIL:" in line]
    return " ".join(" ".join([first, *following]).split())[:_LONGEST_REASON]


def asked(stanza: str) -> dict[str, Any]:
    """What pgBackRest knows of a database's backups."""
    command = (*_PGBACKREST, f"--stanza={stanza}", "--log-level-console=off", "--output=json", "info")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FailedError(reason([*done.stdout.splitlines(), *done.stderr.splitlines()]), done.returncode)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return next((each for each in found if each["name"] == stanza), {})


def backups(known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its good backups, the newest first, with times in seconds since 1970 and sizes in bytes."""
    found = [
        {
            "label": each["label"],
            "time": each["timestamp"]["stop"],
            "size": each["info"]["size"],
            "stored": each["info"]["repository"]["delta"],
        }
        for each in known.get("backup", ())
        if not each.get("error")
    ]
    return sorted(found, key=lambda each: each["time"], reverse=True)


def kind(known: Sequence[Mapping[str, Any]], full_every_days: int, now: float) -> str:
    """Whether a backup has to hold everything, or what changed since the last one that does."""
    # An hour less, or a backup that was a moment later than usual would put it off by a day.
    since = now - full_every_days * _DAY_SECONDS + 3600
    return "diff" if any(each["label"].endswith("F") and each["time"] > since for each in known) else "full"


def report(known: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is said of the backups there are."""
    return {
        "backups": [[each["label"], each["time"], each["size"], each["stored"]] for each in known[:_LISTED]],
        "oldest": min((each["time"] for each in known), default=None),
    }


def backup(stanza: str, *, full_every_days: int, has_standby: bool) -> dict[str, Any]:
    """Take a backup, and let those go that are too old."""
    stanza_option = f"--stanza={stanza}"
    run(*_PGBACKREST, stanza_option, "stanza-create")
    type_ = kind(backups(asked(stanza)), full_every_days, time.time())
    command = (*_PGBACKREST, stanza_option, f"--type={type_}", "backup")
    try:
        run(*command, "--backup-standby" if has_standby else "--no-backup-standby")
    except FailedError as error:
        if not (has_standby and error.code == _STANDBY_MISSING):
            raise
        run(*command, "--no-backup-standby")
    return report(backups(asked(stanza)))


def target(to: str) -> str:
    """A time of the spec as PostgreSQL reads it."""
    moment = datetime.fromisoformat(to).astimezone(UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f") + "+00"


def restore(stanza: str, folder: Path, *, to: str) -> dict[str, Any]:
    """Restore a database into a folder, replay its write-ahead log, and count what is there; PostgreSQL is ended.

    Args:
        stanza: Whose backups.
        folder: PostgreSQL's data directory; what is in it goes.
        to: Up to when; all that was archived where it is empty.
    """
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    wanted = ("--type=time", f"--target={target(to)}", "--target-action=promote") if to else ("--type=default",)
    # pgBackRest would write its own command, which finds no keys of a store in PostgreSQL's environment.
    get = f'restore_command={" ".join(_PGBACKREST)} --stanza={stanza} archive-get %f "%p"'
    written = run(*_PGBACKREST, f"--stanza={stanza}", *wanted, f"--recovery-option={get}", "restore")
    # Patroni would take it for what it knows already.
    for left in folder.glob("patroni.dynamic.json*"):
        left.unlink()
    with _recovered(folder):
        found = {"label": label(written), **json.loads(ask("postgres", _LOOK))}
        if ask("sensorthings", _HAS_DATA) == "t":
            found |= json.loads(ask("sensorthings", _COUNT))
        for setting in _FORGET:
            ask("postgres", f"alter system reset {setting}")
    return {**found, "seconds": round(time.monotonic() - began)}


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


def restore_once(variables: Mapping[str, str]) -> dict[str, Any] | None:
    """Make a restored database's files, the first time that its first pod starts; nothing for its other pods."""
    pod, volume = variables["POD"], Path(variables["DATA"])
    if not pod.endswith("-0"):
        return None
    done = volume / ".restored"
    wanted = {"source": variables["SOURCE"], "to": variables["TARGET"]}
    if done.exists():
        return _made_before(json.loads(done.read_text()), wanted)
    begun = volume / ".restoring"
    said = None
    if not _copies_the_primary(variables):
        folder = Path(variables["PGDATA"])
        if folder.exists() and not begun.exists():
            raise FailedError("the volume holds a database that no restore made: restore under another name")
        begun.touch()
        said = restore(wanted["source"], folder, to=wanted["to"])
    begun.write_text(json.dumps({**wanted, "said": said}))
    begun.rename(done)
    return said


def _made_before(mark: Mapping[str, Any], wanted: Mapping[str, str]) -> dict[str, Any] | None:
    """What was said when the files were made; a volume that was kept may be that of another restore."""
    if {key: mark[key] for key in wanted} != wanted:
        raise FailedError(
            f"the volume holds what was restored from {mark['source']} up to {mark['to'] or 'the end'} before: "
            "restore under another name, or delete the volume's claim"
        )
    said: dict[str, Any] | None = mark["said"]
    return said


def _copies_the_primary(variables: Mapping[str, str]) -> bool:
    """Whether the database was restored and backed up before, and this volume is another one than then."""
    if not backups(asked(variables["STANZA"])):
        return False
    if variables["INSTANCES"] != "1":
        return True
    raise FailedError(
        f"{variables['STANZA']} has backups of its own, and an empty volume: restoring it from {variables['SOURCE']} "
        "would lose what was written since; restore its own backups under another name"
    )


def drill(variables: Mapping[str, str]) -> dict[str, Any]:
    """Restore the newest backup with all that was archived since; PostgreSQL itself would end at a gap, content."""
    stanza = variables["STANZA"]
    newest = newest_segment(asked(stanza))
    said = restore(stanza, Path(variables["PGDATA"]), to="")
    if newest and position(said["replayed"]) < begin(newest):
        raise FailedError(
            f"the archive has a gap: all was replayed up to {said['replayed']}, and {newest} is there, which comes "
            "later. What was committed after the gap can be restored from a later backup alone: make one now"
        )
    return said


def newest_segment(known: Mapping[str, Any]) -> str:
    """The last piece of write-ahead log in the archive, a file's name of 24 digits; empty where there is none."""
    return max((each.get("max") or "" for each in known.get("archive", ())[-1:]), default="")


def begin(segment: str) -> int:
    """Where a piece of write-ahead log begins, in bytes: its name is timeline, and number in two parts."""
    return (int(segment[8:16], 16) << 32) + int(segment[16:24], 16) * _SEGMENT_BYTES


def position(lsn: str) -> int:
    """A position in the write-ahead log as PostgreSQL writes it (``1/6B3FA8``), in bytes."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def main(command: str) -> int:
    """Do one thing, say what came of it, and return the exit code."""
    variables = os.environ
    try:
        if command == "backup":
            days, standby = int(variables["FULL_EVERY_DAYS"]), variables["INSTANCES"] != "1"
            said: dict[str, Any] | None = backup(variables["STANZA"], full_every_days=days, has_standby=standby)
        elif command == "drill":
            said = drill(variables)
        else:
            said = restore_once(variables)
    except FailedError as error:
        sys.stdout.write(f"{error}\n")
        _SAID.write_text(json.dumps({"failed": str(error)}))
        return 1
    if said is not None:
        _SAID.write_text(json.dumps(said, separators=(",", ":")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
