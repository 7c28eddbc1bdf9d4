"""The machines' Debian: systemd, cloud-init and the packages of the database machines' user-data, made once and kept.

cloud-init finds the packages installed, since the machines reach no mirror. Everything else it does itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from typing import TYPE_CHECKING, Final

from localcluster.commands import run
from localcluster.plan import cache_folder
from sensorthings_stacks.user_data import PACKAGES

if TYPE_CHECKING:
    from pathlib import Path

_SUITE: Final = "bookworm"
_SYSTEM: Final = ("systemd", "systemd-sysv", "dbus", "cloud-init", "iproute2", "libnss-myhostname", "locales")
_HOOKS: Final = (
    # As the user-data do it: the package makes no database of its own.
    ("essential", 'mkdir -p "$1/etc/postgresql-common/createcluster.d"'),
    ("essential", 'echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.d/sensorthings.conf"'),
    # No mirror: then `apt-get update` and the installation of what is there succeed without a network.
    ("customize", 'rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*'),
    # Each machine draws an id of its own; without the file, systemd would ask a person first.
    ("customize", ': > "$1/etc/machine-id"'),
    ("customize", 'echo "datasource_list: [NoCloud]" > "$1/etc/cloud/cloud.cfg.d/90-seed.cfg"'),
    ("customize", 'echo "network: {config: disabled}" > "$1/etc/cloud/cloud.cfg.d/91-network.cfg"'),
)


def root() -> Path:
    """The root file system, made where it is not there yet. Takes some two minutes the first time."""
    options = [f"--{stage}-hook={command}" for stage, command in _HOOKS]
    packages = ",".join((*_SYSTEM, *PACKAGES))
    recipe = "\n".join([_SUITE, packages, *options])
    folder = cache_folder() / "machines"
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"debian-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    with (folder / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            draft = folder / ".draft"
            shutil.rmtree(draft, ignore_errors=True)
            remedy = "Is a Debian mirror reachable, and is this run as root?"
            run(["mmdebstrap", "--variant=minbase", f"--include={packages}", *options, _SUITE, draft], remedy=remedy)
            draft.rename(made)
    return made
