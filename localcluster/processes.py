"""Daemons: started detached, known again by a pid file that a reused pid cannot fool, stopped for certain.

The control plane, the node and the loopback proxies run as daemons. The pid file holds the machine's boot id and the
process's line of /proc/PID/stat, whose start time tells it from a later process with the same pid. The daemon's own
shell writes it before it becomes the daemon, so that a starter killed at any point leaves no daemon without a pid
file.
"""

from __future__ import annotations

import os
import select
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster.commands import tail
from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_FILE_TIMEOUT = 10.0  # seconds
_LAUNCH = """
cd / || exit 1
pidfile=$1 groups=$2; shift 2
for procs in $groups; do echo $$ > "$procs"; done
cat /proc/sys/kernel/random/boot_id /proc/$$/stat > "$pidfile.new" && mv "$pidfile.new" "$pidfile" || exit 1
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a daemon runs: namespaces to enter, and the `cgroup.procs` files to write its pid to."""

    net: Path | None = None
    mount: Path | None = None
    cgroup_procs: tuple[Path, ...] = ()

    def enter(self) -> list[str]:
        """The command that a command is prefixed with to run in these namespaces."""
        options = [f"--{kind}={path}" for kind, path in (("net", self.net), ("mount", self.mount)) if path]
        return ["nsenter", *options, "--"] if options else []


ON_THE_HOST = Placement()
"""No namespace and no cgroup but the caller's own."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one process from all others that ever ran: boot, pid and start time in clock ticks since boot."""

    boot: str
    pid: int
    start: int


def parse_stat(line: str) -> tuple[int, str, int]:
    """Pid, state and start time of a line of /proc/PID/stat (proc(5)); the command name in it may hold anything."""
    before, _, after = line.rpartition(")")
    fields = after.split()
    return int(before.split(" ", 1)[0]), fields[0], int(fields[19])


def _identity_in(pidfile: Path) -> Identity | None:
    try:
        boot, stat = pidfile.read_text(errors="replace").split("\n", 1)
        pid, _, start = parse_stat(stat.strip())
    except (FileNotFoundError, ValueError, IndexError):
        return None
    return Identity(boot, pid, start)


def _runs(identity: Identity) -> bool:
    try:
        stat = Path(f"/proc/{identity.pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    _, state, start = parse_stat(stat)
    return start == identity.start and state not in "ZX" and _BOOT_ID.read_text().strip() == identity.boot


def _reap(pid: int) -> None:
    """Take the exit code of a child of ours, so that it does not stay a zombie in a long-lived test run."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


@dataclass(frozen=True, slots=True)
class Daemon:
    """A process that outlives its starter.

    Args:
        name: Names its files.
        pids: Folder of the pid files.
        logs: Folder of the logs.
    """

    name: str
    pids: Path
    logs: Path

    @property
    def pidfile(self) -> Path:
        """Boot id and stat line of the process."""
        return self.pids / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        """Its standard output and standard error."""
        return self.logs / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Its pid while it is alive."""
        identity = _identity_in(self.pidfile)
        return identity.pid if identity is not None and _runs(identity) else None

    @property
    def started(self) -> datetime:
        """When the process that the pid file means was started. Raises FileNotFoundError without a pid file."""
        return datetime.fromtimestamp(self.pidfile.stat().st_mtime, UTC)

    def alive(self) -> bool:
        """Whether the process that the pid file means is running."""
        return self.pid is not None

    def start(self, argv: Sequence[str | Path], placement: Placement, env: Mapping[str, str] | None = None) -> None:
        """Start it unless it is alive. Raises LocalClusterError when it cannot be started."""
        if self.alive():
            return
        self.pids.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        self.pidfile.unlink(missing_ok=True)
        groups = " ".join(str(path) for path in placement.cgroup_procs)
        command = [*placement.enter(), *(str(part) for part in argv)]
        pid = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", _LAUNCH, "launch", str(self.pidfile.absolute()), groups, *command],
            {**os.environ, **(env or {})},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        self._await_pidfile(pid)

    def _await_pidfile(self, pid: int) -> None:
        deadline = time.monotonic() + _PID_FILE_TIMEOUT
        while not self.pidfile.exists():
            if os.waitpid(pid, os.WNOHANG) != (0, 0) or time.monotonic() > deadline:
                raise LocalClusterError(f"{self.name} could not be started:\n{self.last_words()}")
            time.sleep(0.005)

    def check(self) -> None:
        """Raise LocalClusterError with the end of its log unless it is alive."""
        if not self.alive():
            raise LocalClusterError(f"{self.name} ended:\n{self.last_words()}", f"Its whole log: {self.log}")

    def last_words(self) -> str:
        """The end of its log."""
        return tail(self.log.read_text(errors="replace")) if self.log.exists() else "(no log)"

    def stop(self, patience: float = 10.0) -> None:
        """Stop it: SIGTERM, after `patience` seconds SIGKILL. Returns when it is gone."""
        identity = _identity_in(self.pidfile)
        if identity is not None and _runs(identity):
            _end(identity, patience)
        self.pidfile.unlink(missing_ok=True)


def _end(identity: Identity, patience: float) -> None:
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return
    try:
        # The handle pins the process it was opened for; only now is the look at the start time free of a race.
        if not _runs(identity):
            return
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        if not poll.poll(patience * 1000):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            poll.poll(patience * 1000)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
        _reap(identity.pid)
