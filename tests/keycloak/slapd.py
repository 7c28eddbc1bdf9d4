"""A directory on ports of the loopback: OpenLDAP's slapd of Debian, with people in it. Started by the tests of realms.

Its packages are unpacked into the project's cache, and not installed: Debian's would start a directory of its own.
"""

from __future__ import annotations

import base64
import fcntl
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from localcluster.commands import run
from localcluster.plan import cache_folder
from tests.e2e.images.conftest import free_port, listens
from tests.e2e.images.containers import await_true

if TYPE_CHECKING:
    from tests.keycloak.server import Authority

BASE: Final = "dc=city,dc=example"
PEOPLE: Final = f"ou=people,{BASE}"
READER: Final = f"cn=keycloak,{BASE}"
READER_PASSWORD: Final = "reader-of-the-tests"
_OWNER: Final = f"cn=owner,{BASE}"
_OWNER_PASSWORD: Final = "owner-of-the-tests"

# Active Directory's own attributes and numbers, as far as Keycloak asks for them.
_AD_SCHEMA: Final = """
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SINGLE-VALUE
  SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SINGLE-VALUE
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SINGLE-VALUE
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )
attributetype ( 1.2.840.113556.1.4.96 NAME 'pwdLastSet' EQUALITY integerMatch SINGLE-VALUE
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 )
attributetype ( 1.2.840.113556.1.2.2 NAME 'whenCreated' EQUALITY generalizedTimeMatch SINGLE-VALUE
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )
attributetype ( 1.2.840.113556.1.2.3 NAME 'whenChanged' EQUALITY generalizedTimeMatch SINGLE-VALUE
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP organizationalPerson STRUCTURAL
  MAY ( givenName $ mail $ sAMAccountName $ objectGUID $ userAccountControl $ pwdLastSet $ whenCreated $ whenChanged ) )
objectclass ( 1.2.840.113556.1.3.30 NAME 'computer' SUP user STRUCTURAL )
"""
_SETTINGS: Final = """
include {programs}/etc/ldap/schema/core.schema
include {programs}/etc/ldap/schema/cosine.schema
include {programs}/etc/ldap/schema/inetorgperson.schema
{ad_schema}
pidfile {folder}/slapd.pid
modulepath {programs}/usr/lib/ldap
moduleload back_mdb
TLSCertificateFile {folder}/tls.crt
TLSCertificateKeyFile {folder}/tls.key
database mdb
suffix "{base}"
rootdn "{owner}"
rootpw {owner_password}
directory {folder}/data
maxsize 16777216
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by * none
"""


@dataclass(frozen=True)
class Person:
    """Somebody in the directory."""

    login: str
    given: str
    family: str
    password: str

    @property
    def mail(self) -> str:
        """Theirs."""
        return f"{self.login}@city.example"


ANNA: Final = Person("anna", "Anna Lena", "Müller", "annas-own")
BORIS: Final = Person("boris", "Boris", "Brejcha", "boris-own")
"""In Active Directory his account is disabled."""


def programs() -> Path:
    """The folder with Debian's slapd and its libraries, fetched where it is not there.

    Raises:
        LocalClusterError: apt-get can't have it.
    """
    folder = cache_folder() / "slapd"
    folder.mkdir(parents=True, exist_ok=True)
    ready = folder / "root"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            with tempfile.TemporaryDirectory(dir=folder) as draft:
                _unpack(Path(draft))
                Path(draft, "root").rename(ready)
    return ready


def _unpack(folder: Path) -> None:
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    remedy = "Is a Debian mirror reachable? See /etc/apt/sources.list."
    run(["apt-get", "update"], remedy=remedy)
    options = [
        "--download-only",
        "--yes",
        "--no-install-recommends",
        "--reinstall",
        "-o",
        f"Dir::Cache::archives={archives}",
    ]
    run(["apt-get", "install", *options, "slapd", "ldap-utils"], remedy=remedy)
    for archive in archives.glob("*.deb"):
        run(["dpkg-deb", "--extract", archive, folder / "root"])


class Slapd:
    """A running directory; stop it at the end.

    Args:
        folder: For its settings, its data and its log.
        authority: Whose certificate for 127.0.0.1 it shows.
        active_directory: Whether its people have Active Directory's attributes.
    """

    def __init__(self, folder: Path, authority: Authority, *, active_directory: bool = False) -> None:
        self._programs = programs()
        self._environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, self._libraries()))}
        self.port, self.tls_port = free_port(), free_port()
        self.log = folder / "slapd.log"
        (folder / "data").mkdir(parents=True)
        for name, text in (("tls.crt", authority.certificate), ("tls.key", authority.key), ("ca.crt", authority.ca)):
            (folder / name).write_text(text)
        self._ca = folder / "ca.crt"
        settings = folder / "slapd.conf"
        settings.write_text(
            _SETTINGS.format(
                programs=self._programs, ad_schema=_AD_SCHEMA, folder=folder, base=BASE, reader=READER,
                owner=_OWNER, owner_password=_OWNER_PASSWORD,
            )
        )  # fmt: skip
        entries = folder / "entries.ldif"
        entries.write_text("\n".join((*_common(), *(_of_ad() if active_directory else _of_others()))))
        slapd = self._programs / "usr/sbin/slapd"
        run([slapd, "-T", "add", "-f", settings, "-l", entries], env=self._environment)
        addresses = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port}"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [slapd, "-f", settings, "-h", addresses, "-d", "stats"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        await_true(self._is_ready, f"slapd listens; its log is {self.log}", seconds=30, interval=0.1)

    def _libraries(self) -> list[Path]:
        return [found.parent for found in self._programs.glob("usr/lib/*/libodbc*.so.2")]

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()[-2000:]
        return listens(self.port) and listens(self.tls_port)

    @property
    def url(self) -> str:
        """By StartTLS."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """By TLS from the first byte."""
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def change_password(self, name: str, password: str) -> None:
        """Of an entry."""
        program = self._programs / "usr/bin/ldappasswd"
        login = ["-H", self.tls_url, "-x", "-D", _OWNER, "-w", _OWNER_PASSWORD]
        run([program, *login, "-s", password, name], env={**self._environment, "LDAPTLS_CACERT": str(self._ca)})

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)


def _entry(name: str, **attributes: str | bytes | list[str]) -> str:
    lines = [_line("dn", name)]
    for key, given in attributes.items():
        lines += [_line(key, value) for value in (given if isinstance(given, list) else [given])]
    return "\n".join((*lines, ""))


def _line(key: str, value: str | bytes) -> str:
    """In base64, as LDIF has what is not ASCII (RFC 2849)."""
    return f"{key}:: {base64.b64encode(value.encode() if isinstance(value, str) else value).decode()}"


def _common() -> list[str]:
    return [
        _entry(BASE, objectClass=["dcObject", "organization"], dc="city", o="City"),
        _entry(PEOPLE, objectClass="organizationalUnit", ou="people"),
        _entry(
            READER,
            objectClass=["organizationalRole", "simpleSecurityObject"],
            cn="keycloak",
            userPassword=READER_PASSWORD,
        ),
    ]


def _of_others() -> list[str]:
    return [
        _entry(
            f"uid={person.login},{PEOPLE}",
            objectClass="inetOrgPerson",
            uid=person.login,
            cn=f"{person.given} {person.family}",
            givenName=person.given,
            sn=person.family,
            mail=person.mail,
            userPassword=person.password,
        )
        for person in (ANNA, BORIS)
    ]


def _of_ad() -> list[str]:
    enabled, disabled = "512", "514"
    accounts = [
        _entry(
            f"cn={person.given} {person.family},{PEOPLE}",
            objectClass="user",
            cn=f"{person.given} {person.family}",
            sAMAccountName=person.login,
            objectGUID=person.login.ljust(16).encode(),
            givenName=person.given,
            sn=person.family,
            mail=person.mail,
            userAccountControl=control,
            pwdLastSet="133535520000000000",
            userPassword=person.password,
        )
        for person, control in ((ANNA, enabled), (BORIS, disabled))
    ]
    computer = _entry(
        f"cn=printer,{PEOPLE}",
        objectClass="computer",
        cn="printer",
        sn="printer",
        sAMAccountName="printer$",
        objectGUID=b"printer".ljust(16),
        userAccountControl=enabled,
        pwdLastSet="133535520000000000",
        userPassword="printers-own",
    )
    return [*accounts, computer]
