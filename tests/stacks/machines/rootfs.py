"""The machines' Debian: systemd, cloud-init and the packages of the database machines' user-data, made once and kept.

cloud-init finds packages and virtual environments installed, since the machines reach no mirror and no index. It does
everything else itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Final

from localcluster.commands import run
from localcluster.plan import cache_folder
from sensorthings_stacks.machines.templates import pins
from sensorthings_stacks.user_data import DATABASE_PACKAGES

_SUITE: Final = "bookworm"
_SYSTEM: Final = ("systemd", "systemd-sysv", "dbus", "cloud-init", "iproute2", "libnss-myhostname", "locales")
_ENVIRONMENTS: Final = ("patroni", "barman")
_REPOSITORY: Final = "/srv/repository"
"""A repository of packages within the machine, empty at first: tests of updates put newer ones there."""
_HOOKS: Final = (
    # As the user-data do it: the package makes no database of its own.
    ("essential", 'mkdir -p "$1/etc/postgresql-common/createcluster.d"'),
    ("essential", 'echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.d/sensorthings.conf"'),
    # No mirror: then `apt-get update` and the installation of what is there succeed without a network.
    ("customize", 'rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*'),
    ("customize", f'mkdir -p "$1{_REPOSITORY}" && : > "$1{_REPOSITORY}/Packages"'),
    ("customize", f'echo "deb [trusted=yes allow-insecure=yes] file:{_REPOSITORY} ./" > "$1/etc/apt/sources.list"'),
    # Each machine draws an id of its own; without the file, systemd would ask a person first.
    ("customize", ': > "$1/etc/machine-id"'),
    ("customize", 'echo "datasource_list: [NoCloud]" > "$1/etc/cloud/cloud.cfg.d/90-seed.cfg"'),
    ("customize", 'echo "network: {config: disabled}" > "$1/etc/cloud/cloud.cfg.d/91-network.cfg"'),
)


def root() -> Path:
    """The root file system, made where it is not there yet. Takes some three minutes the first time."""
    options = [f"--{stage}-hook={command}" for stage, command in _HOOKS]
    packages = ",".join((*_SYSTEM, *DATABASE_PACKAGES))
    recipe = "\n".join([_SUITE, packages, *options, *map(pins, _ENVIRONMENTS)])
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
            for environment in _ENVIRONMENTS:
                _install(draft, environment)
            draft.rename(made)
    return made


def _install(draft: Path, environment: str) -> None:
    """What the script sensorthings-venv does on a machine that reaches an index; that script sees it and is content."""
    place = f"/opt/{environment}"
    inside = ["chroot", str(draft)]
    with tempfile.TemporaryDirectory(dir=draft / "srv") as wheels:
        within = f"/{Path(wheels).relative_to(draft)}"
        requirements = Path(wheels, "pins.txt")
        requirements.write_text(pins(environment))
        run([*inside, "/usr/bin/python3", "-m", "venv", "--system-site-packages", place])
        # The machine's own pip, run from here: it reaches no index itself, and uv's environments have none.
        pip = draft / f"opt/{environment}/lib/python3.11/site-packages/pip"
        download = ["python3", pip, "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        run([*download, "--python-version=3.11", f"--requirement={requirements}", f"--dest={wheels}"])
        install = [f"{place}/bin/pip", "install", "--quiet", "--no-deps", "--no-index", f"--find-links={within}"]
        run([*inside, *install, "--require-hashes", f"--requirement={within}/pins.txt"])
    Path(draft, "opt", environment, "pins.txt").write_text(pins(environment))
