"""pycsw as a catalogue service of a city: from PyPI, in an environment of its own, on a port of the loopback."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from lxml import etree

from localcluster.plan import cache_folder
from tests.e2e.images.conftest import free_port
from tests.e2e.images.containers import await_true

if TYPE_CHECKING:
    from lxml.etree import _Element

PYCSW: Final = "2.6.2"
_PACKAGES: Final = (
    f"pycsw=={PYCSW}",
    # It names none of what it needs, and needs these as they were.
    "SQLAlchemy==1.4.54",
    "setuptools==80.10.2",
    "OWSLib==0.28.1",
    "geolinks==0.2.3",
    "lxml==6.1.3",
    "pyproj==3.7.2",
    "shapely==2.2.0",
    "xmltodict==1.0.4",
)
_ABOUT: Final = (
    "identification_title identification_abstract identification_keywords identification_fees "
    "identification_accessconstraints provider_name provider_url contact_name contact_position contact_address "
    "contact_city contact_stateorprovince contact_postalcode contact_country contact_phone contact_fax contact_email "
    "contact_url contact_hours contact_instructions contact_role"
)
_CONFIGURATION: Final = """\
[server]
home={folder}
url={url}
mimetype=application/xml; charset=UTF-8
encoding=UTF-8
language=de-DE
maxrecords=100
profiles=apiso
[manager]
transactions=true
allowed_ips=127.0.0.1
csw_harvest_pagesize=10
[repository]
database=sqlite:///{folder}/records.db
table=records
[metadata:main]
identification_keywords_type=theme
{about}
[metadata:inspire]
enabled=true
languages_supported=ger,eng
default_language=ger
date=2026-11-23
gemet_keywords=Utility and governmental services
conformity_service=notEvaluated
contact_name=city
contact_email=city@city.example
temp_extent=2020-01-01/2026-12-31
"""
_WAF: Final = "urn:geoss:waf"
"""ResourceType of a page with links to records."""


def interpreter() -> Path:
    """The Python that has pycsw, made in the cache where it is not.

    Raises:
        subprocess.CalledProcessError: PyPI does not answer.
    """
    folder = cache_folder() / "csw"
    folder.mkdir(parents=True, exist_ok=True)
    ready = folder / PYCSW
    python = ready / "bin" / "python"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            try:
                subprocess.run([sys.executable, "-m", "venv", "--without-pip", ready], check=True)
                uv = cache_folder() / "uv" / "bin" / "uv"
                subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *_PACKAGES], check=True)
            except BaseException:
                shutil.rmtree(ready, ignore_errors=True)
                raise
    return python


class CatalogueService:
    """A running one; stop it at the end."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        about = "\n".join(f"{name}=city" for name in _ABOUT.split())
        (folder / "pycsw.cfg").write_text(_CONFIGURATION.format(folder=folder, url=self.url, about=about))
        self._log = folder / "log"
        script = Path(__file__).parent / "serve.py"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([python, script, folder, str(self._port)], stdout=log, stderr=log)

    def await_ready(self) -> None:
        """Until it tells its capabilities."""
        await_true(self._answers, f"pycsw; its log is {self._log}", 60, 0.2)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(15)

    def harvest(self, page: str) -> str:
        """Take up all records that a page links to; what it answers."""
        return self._ask("Harvest", source=page, resourcetype=_WAF)

    def record(self, address: str) -> _Element:
        """What an address in a record leads to."""
        with urllib.request.urlopen(address.partition("#")[0], timeout=60) as answer:  # noqa: S310
            return etree.fromstring(answer.read())

    def _ask(self, request: str, **parameters: str) -> str:
        query = urlencode({"service": "CSW", "version": "2.0.2", "request": request, **parameters})
        with urllib.request.urlopen(f"{self.url}?{query}", timeout=60) as answer:  # noqa: S310
            text: str = answer.read().decode()
        return text

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        try:
            return "Capabilities" in self._ask("GetCapabilities")
        except OSError:
            return False
