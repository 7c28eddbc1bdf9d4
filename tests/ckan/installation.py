"""CKAN and Solr in the project's cache: from PyPI and Maven Central, made once."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from localcluster import debian
from localcluster.plan import cache_folder

CKAN: Final = "2.12.0"
DCAT: Final = "2.4.4"
SOLR: Final = "9.10.1"
_OWN: Final = Path(__file__).parent / "solr"
_DEBIAN: Final = ("maven", "openjdk-17-jdk-headless", "postgresql-15", "redis-server")


@dataclass(frozen=True)
class Installation:
    """Where things are."""

    folder: Path

    @property
    def python(self) -> Path:
        """The interpreter that has CKAN."""
        return self.folder / "venv" / "bin" / "python"

    @property
    def ckan(self) -> Path:
        """CKAN's command."""
        return self.folder / "venv" / "bin" / "ckan"

    @property
    def class_path(self) -> str:
        """Of Solr."""
        return f"{self.folder / 'solr'}:{self.folder / 'solr' / 'lib'}/*"

    @property
    def schema(self) -> Path:
        """CKAN's schema for Solr."""
        (found,) = (self.folder / "venv" / "lib").glob("python3.*/site-packages/ckan/config/solr/schema.xml")
        return found


def installation() -> Installation:
    """What is in the cache, made where it is not.

    Raises:
        LocalClusterError: A Debian package is missing and can't be had.
        subprocess.CalledProcessError: A registry does not answer.
    """
    debian.ensure(_DEBIAN)
    folder = cache_folder() / "ckan"
    folder.mkdir(parents=True, exist_ok=True)
    ready = Installation(folder / f"{CKAN}-{DCAT}-{SOLR}")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.folder.exists():
            # Scripts of a virtual environment hold its path: it is made where it stays.
            with tempfile.TemporaryDirectory(dir=folder) as draft:
                _solr(Path(draft, "solr"))
                ready.folder.mkdir()
                try:
                    _ckan(ready.folder / "venv")
                    Path(draft, "solr").rename(ready.folder / "solr")
                except BaseException:
                    shutil.rmtree(ready.folder)
                    raise
    return ready


def _ckan(venv: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    uv = cache_folder() / "uv" / "bin" / "uv"
    packages = [f"ckan[requirements]=={CKAN}", f"ckanext-dcat=={DCAT}"]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", venv / "bin" / "python", *packages], check=True)


def _solr(folder: Path) -> None:
    shutil.copytree(_OWN, folder)
    subprocess.run(["mvn", "-q", "dependency:copy-dependencies", "-DoutputDirectory=lib"], cwd=folder, check=True)
    subprocess.run(["javac", "-cp", "lib/*", "Solr.java"], cwd=folder, check=True)
