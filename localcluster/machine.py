"""What clusters change on the machine as a whole: mount points and kernel settings. `up` and `down` of each call it.

The first cluster notes how the machine was, the last one that goes restores it. In between nothing may be restored:
removing a folder that is a mount point in another cluster's mount namespace would take the mount away there.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster.plan import cluster_folders, state_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localcluster.plan import Cluster

# Compiled into the kubelet (device plugins, log links), CNI (result cache) and containerd (sockets).
PRIVATE_FOLDERS = (
    Path("/run/containerd"),
    Path("/var/lib/cni"),
    Path("/var/lib/kubelet"),
    Path("/var/log/containers"),
)
# What the kubelet sets for the whole machine, whatever namespace it runs in.
SETTINGS = tuple(
    Path("/proc/sys", name)
    for name in (
        "kernel/keys/root_maxbytes",
        "kernel/keys/root_maxkeys",
        "kernel/panic",
        "kernel/panic_on_oops",
        "vm/overcommit_memory",
        "vm/panic_on_oom",
    )
)


@contextmanager
def _held() -> Iterator[Path]:
    """The note, held so that no cluster comes or goes meanwhile (see `plan.locked`, which takes the same lock)."""
    folder = state_folder()
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder / "machine.json"
    finally:
        os.close(handle)


def missing_folders(folders: Sequence[Path]) -> list[str]:
    """The folders that are not there, with those of their parents that are not."""
    return [str(path) for folder in folders for path in (folder, *folder.parents) if not path.exists()]


def prepare(folders: Sequence[Path] = PRIVATE_FOLDERS, settings: Sequence[Path] = SETTINGS) -> None:
    """Note how the machine is, unless a cluster did so already, and make the mount points."""
    with _held() as note:
        if not note.exists():
            values = {str(path): path.read_text().strip() for path in settings if path.exists()}
            draft = note.with_suffix(".new")
            draft.write_text(json.dumps({"made": missing_folders(folders), "settings": values}, indent=2))
            draft.replace(note)
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)


def restore(leaving: Cluster) -> None:
    """Restore the machine when no cluster but the one that is leaving is there."""
    with _held() as note:
        others = [folder for folder in cluster_folders() if folder != leaving.folder]
        if others or not note.exists():
            return
        noted = json.loads(note.read_text())
        for place in sorted(noted["made"], key=len, reverse=True):
            path = Path(place)
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        for name, value in noted["settings"].items():
            Path(name).write_text(value)
        note.unlink()
