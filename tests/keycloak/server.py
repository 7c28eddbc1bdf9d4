"""A Keycloak on ports of the loopback, from the distribution in the project's cache, and its administrator.

Started by the fixtures beside it. Its database is in memory: it is gone when it is stopped.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlencode

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from localcluster.images import pinned, prepare
from localcluster.plan import cache_folder
from tests.e2e.images.conftest import free_port
from tests.e2e.images.containers import await_true

if TYPE_CHECKING:
    from collections.abc import Mapping

_START_SECONDS: Final = 300  # on a busy machine
_STOP_SECONDS: Final = 60


def distribution() -> Path:
    """Keycloak's folder in the cache, fetched from Maven Central and built for a database in memory where it is not.

    Raises:
        LocalClusterError: There is no Maven, or no repository answers it.
    """
    folder = cache_folder() / "keycloak"
    folder.mkdir(parents=True, exist_ok=True)
    ready = folder / f"{pinned.KEYCLOAK}-dev-mem"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            with tempfile.TemporaryDirectory(dir=folder) as draft:
                prepare.keycloak(Path(draft))
                built = Path(draft, "keycloak")
                options = ["--db=dev-mem", "--health-enabled=true"]
                subprocess.run([built / "bin" / "kc.sh", "build", *options], check=True, timeout=600)
                shutil.rmtree(built / "data", ignore_errors=True)
                built.rename(ready)
    return ready


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the tests' own, and a certificate of it for 127.0.0.1."""

    ca: str
    certificate: str
    key: str

    @classmethod
    def make(cls) -> Self:
        """With new keys."""
        ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        ca = _certificate("tests/keycloak", "tests/keycloak", ca_key, ca_key, is_ca=True)
        certificate = _certificate("127.0.0.1", "tests/keycloak", key, ca_key, is_ca=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(ca, certificate, private.decode())


def _certificate(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
) -> str:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not is_ca:
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address(subject))])
        builder = builder.add_extension(address, critical=False)
    signed = builder.sign(signer, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


class Keycloak:
    """A running server; stop it at the end.

    Args:
        home: The unpacked, built distribution.
        folder: For its log and its certificate.
    """

    def __init__(self, home: Path, folder: Path) -> None:
        self.authority = Authority.make()
        self.port, self.tls_port, self._health_port = (free_port() for _ in range(3))
        self.log = folder / "keycloak.log"
        own = {"tls.crt": self.authority.certificate, "tls.key": self.authority.key, "trusted.pem": self.authority.ca}
        for name, text in own.items():
            (folder / name).write_text(text)
        self._password = secrets.token_hex(12)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["nice", home / "bin" / "kc.sh", "start", "--optimized", *self._options(folder)],
                env={**os.environ, **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _options(self, folder: Path) -> list[str]:
        return [
            "--http-enabled=true",
            "--http-host=127.0.0.1",
            f"--http-port={self.port}",
            f"--https-port={self.tls_port}",
            f"--https-certificate-file={folder / 'tls.crt'}",
            f"--https-certificate-key-file={folder / 'tls.key'}",
            f"--http-management-port={self._health_port}",
            # Whom it trusts where it is the client: directories.
            f"--truststore-paths={folder / 'trusted.pem'}",
            "--hostname-strict=false",
        ]

    def _environment(self) -> dict[str, str]:
        return {
            "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
            "KC_BOOTSTRAP_ADMIN_PASSWORD": self._password,
            "KC_CACHE": "local",
            "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx320m",
            "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1",
        }

    @property
    def url(self) -> str:
        """Without TLS."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """With a certificate of the tests' own authority."""
        return f"https://127.0.0.1:{self.tls_port}"

    def await_ready(self) -> None:
        """Until its administrator can log in; that comes after it listens."""
        await_true(self._is_ready, f"Keycloak is ready; its log is {self.log}", seconds=_START_SECONDS, interval=0.5)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()[-2000:]
        try:
            Admin(self.url, self._password)
        except OSError:
            return False
        return True

    def admin(self) -> Admin:
        """Its administrator, with a new token."""
        return Admin(self.url, self._password)

    def write_password(self, file: Path) -> None:
        """The administrator's, for the command line."""
        file.write_text(f"{self._password}\n")

    def stop(self) -> None:
        """End it and the shell that started it."""
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


Json = Any


class Admin:
    """The administrator of all realms, for what the operator must not do: realms, accounts, and harm."""

    def __init__(self, url: str, password: str) -> None:
        self._url = url
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": password}
        self._token = access_token(url, "master", form)

    def call(self, method: str, path: str, body: Json = None) -> Json:
        """Call the admin API below /admin/realms; the parsed answer."""
        data = None if body is None else orjson.dumps(body)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}/admin/realms{path}", data, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            text = answer.read()
        return orjson.loads(text) if text else None

    def make_realm(self, realm: str) -> None:
        """An empty realm."""
        self.call("POST", "", {"realm": realm, "enabled": True, "sslRequired": "none"})

    def client(self, realm: str, client_id: str) -> Json:
        """A client by its clientId; None where there is none."""
        found = self.call("GET", f"/{realm}/clients?{urlencode({'clientId': client_id})}")
        return found[0] if found else None

    def roles(self, realm: str, client_id: str) -> dict[str, Json]:
        """The roles of a client, by name."""
        id_ = self.client(realm, client_id)["id"]
        return {role["name"]: role for role in self.call("GET", f"/{realm}/clients/{id_}/roles")}

    def make_account(self, realm: str, client_id: str, rights: Mapping[str, list[str]]) -> str:
        """A client with a service account that has roles of other clients; its secret."""
        secret = secrets.token_hex(16)
        account = {
            "clientId": client_id,
            "secret": secret,
            "publicClient": False,
            "serviceAccountsEnabled": True,
            "standardFlowEnabled": False,
            "directAccessGrantsEnabled": False,
        }
        self.call("POST", f"/{realm}/clients", account)
        user = self.account_user(realm, client_id)
        for owner, names in rights.items():
            there = self.roles(realm, owner)
            path = f"/{realm}/users/{user}/role-mappings/clients/{self.client(realm, owner)['id']}"
            self.call("POST", path, [there[name] for name in names])
        return secret

    def account_user(self, realm: str, client_id: str) -> str:
        """The id of the user that a client's service account is."""
        id_ = self.client(realm, client_id)["id"]
        return str(self.call("GET", f"/{realm}/clients/{id_}/service-account-user")["id"])


def access_token(url: str, realm: str, form: Mapping[str, str], *, ca: str | None = None) -> str:
    """A token of a realm. Raises OSError where it gives none."""
    address = f"{url}/realms/{realm}/protocol/openid-connect/token"
    context = None if ca is None else ssl.create_default_context(cadata=ca)
    with urllib.request.urlopen(address, urlencode(form).encode(), timeout=60, context=context) as answer:  # noqa: S310
        return str(orjson.loads(answer.read())["access_token"])
