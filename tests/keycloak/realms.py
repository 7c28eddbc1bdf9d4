"""``sensorthings realm`` as a person calls it, and what it printed as the operator reads it. Used by its tests."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import typer
import yaml
from typer.testing import CliRunner, Result

from sensorthings_operator.api.realm import OPERATOR_CLIENT
from sensorthings_operator.cli.realm.command import realm
from sensorthings_operator.desired.settings import KeycloakRealm
from tests.keycloak.server import access_token
from tests.keycloak.slapd import PEOPLE, READER, READER_PASSWORD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.keycloak.server import Admin, Keycloak
    from tests.keycloak.slapd import Person, Slapd

APPLICATION: Final = "application"
_APP: Final = typer.Typer()
_APP.command()(realm)


@dataclass
class Maker:
    """Somebody at a command line, with an administrator's password in a file."""

    keycloak: Keycloak
    admin: Admin
    folder: Path
    name: str

    @classmethod
    def of(cls, keycloak: Keycloak, folder: Path) -> Maker:
        """For a realm that is not there yet."""
        keycloak.write_password(folder / "admin-password")
        return cls(keycloak, keycloak.admin(), folder, f"city-{uuid4().hex[:8]}")

    def call(self, *arguments: str, url: str = "") -> Result:
        """The command; no password is in what it writes."""
        password = self.folder / "admin-password"
        options = ["--url", url or self.keycloak.url, "--admin-password-file", str(password)]
        result = CliRunner().invoke(_APP, [self.name, *options, *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert password.read_text().strip() not in result.output
        return result

    def make(self, *arguments: str, url: str = "") -> Result:
        """The command, which succeeds; the secret is in what it prints only, and there encoded."""
        result = self.call(*arguments, url=url)
        assert result.exit_code == 0, result.output
        if result.stdout:
            secret = self.printed(result)["client-secret"]
            assert secret
            assert secret not in result.output
        return result

    def printed(self, result: Result) -> dict[str, str]:
        """The Secret's data, decoded as the kubelet does."""
        manifest = yaml.safe_load(result.stdout)
        assert manifest["kind"] == "Secret"
        return {key: base64.b64decode(text).decode() for key, text in manifest["data"].items()}

    def operators(self, result: Result, folder: Path, *, url: str = "") -> KeycloakRealm:
        """The operator's setting that the printed Secret and value make, with the Secret mounted."""
        folder.mkdir()
        for key, text in self.printed(result).items():
            (folder / key).write_text(text)
        return KeycloakRealm(url=url or self.keycloak.url, realm=self.name, folder=folder)

    def live(self) -> dict[str, Any]:
        """The RealmRepresentation."""
        found: dict[str, Any] = self.admin.call("GET", f"/{self.name}")
        return found

    def watch(self) -> None:
        """Have Keycloak keep a list of what administrators change from now on."""
        self.admin.call("PUT", f"/{self.name}/events/config", {"adminEventsEnabled": True})
        self.admin.call("DELETE", f"/{self.name}/admin-events")

    def changes(self) -> list[str]:
        """What was changed since."""
        events = self.admin.call("GET", f"/{self.name}/admin-events?max=100")
        return [f"{event['operationType']} {event['resourcePath']}" for event in events]

    def operator_client(self) -> dict[str, Any]:
        """The operator's client."""
        found: dict[str, Any] = self.admin.client(self.name, OPERATOR_CLIENT)
        return found

    def make_application(self) -> str:
        """A client by which people log in with their password; its secret."""
        secret = self.admin.make_account(self.name, APPLICATION, {})
        id_ = self.admin.client(self.name, APPLICATION)["id"]
        change = {"clientId": APPLICATION, "directAccessGrantsEnabled": True}
        self.admin.call("PUT", f"/{self.name}/clients/{id_}", change)
        return secret

    def log_in(self, person: Person, secret: str) -> str:
        """An access token of a person. Raises OSError where Keycloak gives none."""
        login = {"grant_type": "password", "username": person.login, "password": person.password}
        form = {**login, "client_id": APPLICATION, "client_secret": secret}
        return access_token(self.keycloak.url, self.name, form)

    def directory(self, slapd: Slapd, *, url: str = "", vendor: str = "other", password: str = "") -> list[str]:
        """The options of a directory."""
        file = self.folder / "bind-password"
        file.write_text(password or READER_PASSWORD)
        return [
            "--ldap-url", url or slapd.tls_url,
            "--ldap-vendor", vendor,
            "--ldap-users-dn", PEOPLE,
            "--ldap-bind-dn", READER,
            "--ldap-bind-password-file", str(file),
        ]  # fmt: skip
