"""One cgroup per cluster in every hierarchy of the kernel: it holds each process of the cluster, so that none is ever
lost.

The daemons run in its child `node`, the kubelet makes its pods' cgroups in its child `kubepods` (`cgroupRoot`). Both
layouts are served: version 1 with one hierarchy per controller, and version 2 with one for all.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from localcluster.errors import LocalClusterError

_DAEMONS = "node"
_REMOVAL_TIMEOUT = 20.0  # seconds


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A mounted cgroup hierarchy.

    Args:
        root: Its mount point.
        unified: Whether it is version 2.
    """

    root: Path
    unified: bool


def parse_mounts(mounts: str) -> list[Hierarchy]:
    """The cgroup hierarchies in the text of /proc/self/mounts."""
    rows = (line.split() for line in mounts.splitlines())
    return [Hierarchy(Path(row[1]), row[2] == "cgroup2") for row in rows if row[2] in {"cgroup", "cgroup2"}]


def hierarchies() -> list[Hierarchy]:
    """The cgroup hierarchies of this machine."""
    return parse_mounts(Path("/proc/self/mounts").read_text())


def _enable_controllers(group: Path) -> None:
    """Let the children of a version 2 group use every controller that the group itself has."""
    controllers = (group / "cgroup.controllers").read_text().split()
    if controllers:
        (group / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))


def _inherit_cpuset(group: Path) -> None:
    """A version 1 cpuset takes no process until its processors and memory nodes are set."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        own = group / name
        if own.exists() and not own.read_text().strip():
            own.write_text((group.parent / name).read_text())


def create(name: str) -> tuple[Path, ...]:
    """Make the cluster's cgroups where they are not there. Returns the `cgroup.procs` files that a daemon goes into."""
    procs = []
    for hierarchy in hierarchies():
        group = hierarchy.root / name
        daemons = group / _DAEMONS
        if hierarchy.unified:
            _enable_controllers(hierarchy.root)
        for path in (group, daemons):
            path.mkdir(exist_ok=True)
            _inherit_cpuset(path)
            if hierarchy.unified and path == group:
                _enable_controllers(group)
        procs.append(daemons / "cgroup.procs")
    return tuple(procs)


def groups(name: str) -> list[Path]:
    """Every cgroup of the cluster, the deepest first."""
    found: list[Path] = []
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy.root / name, topdown=False):
            found.append(Path(folder))
    return found


def members(name: str) -> set[int]:
    """The pids in the cluster's cgroups."""
    pids: set[int] = set()
    for group in groups(name):
        try:
            pids.update(int(pid) for pid in (group / "cgroup.procs").read_text().split())
        except OSError as error:
            # The group went meanwhile, or it is a threaded one.
            if error.errno not in {errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP}:
                raise
    return pids - {os.getpid()}


def kill(name: str) -> None:
    """Kill every process of the cluster, and those they start meanwhile. Raises LocalClusterError when some stay."""
    deadline = time.monotonic() + _REMOVAL_TIMEOUT
    while pids := members(name):
        if time.monotonic() > deadline:
            raise LocalClusterError(
                f"Processes of the cluster cannot be killed: {sorted(pids)}.", "Look for hung input or output in dmesg."
            )
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def remove(name: str) -> None:
    """Remove the cluster's cgroups; they must be empty of processes. Raises LocalClusterError when one stays busy."""
    deadline = time.monotonic() + _REMOVAL_TIMEOUT
    while remaining := groups(name):
        for group in remaining:
            try:
                group.rmdir()
            except OSError as error:
                # The kernel lets go of a killed process a little after its exit.
                if error.errno not in {errno.EBUSY, errno.ENOENT, errno.ENOTEMPTY}:
                    raise
        if time.monotonic() > deadline:
            raise LocalClusterError(f"The cgroup {remaining[0]} cannot be removed.", "See which processes it holds.")
        time.sleep(0.02)
