"""``sensorthings realm`` as a person calls it, where Keycloak refuses, is none, or is not to be told a password."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import typer
from aiohttp import web
from typer.testing import CliRunner, Result

from sensorthings_operator.api.realm import CLIENT_SETTINGS, MAKER, MARK, OPERATOR_CLIENT, REALM_SETTINGS
from sensorthings_operator.cli.realm.command import realm
from tests.unit.cli.secure import Authority, Web

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer()
app.command()(realm)

PASSWORD = "administrators-own"
SECRET = "drawn-by-keycloak"


@dataclass
class Keycloak(Web):
    """Has one realm as it should be, and lets one administrator look at it. ``answers``: other statuses, by path."""

    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=lambda: {MARK: MAKER})
    issuer: str = ""
    lives: int = 60
    requests: list[str] = field(default_factory=list)
    logins: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/admin/realms/city").removeprefix("/")
        self.requests.append(f"{request.method} {path}")
        if path in self.answers:
            status, body = self.answers[path]
            return web.json_response(body, status=status)
        if path == "realms/master/protocol/openid-connect/token":
            form = await request.post()
            self.logins += 1
            if form["password"] != PASSWORD:
                return web.json_response({"error": "invalid_grant"}, status=401)
            return web.json_response({"access_token": "the-token", "expires_in": self.lives})
        if path.endswith("openid-configuration"):
            return web.json_response({"issuer": self.issuer or f"http://127.0.0.1:{self.port}/realms/city"})
        if request.headers.get("Authorization") != "Bearer the-token" or request.method != "GET":
            return web.json_response({"error": "HTTP 403 Forbidden"}, status=403)
        return web.json_response(self._standing(path, request.query.get("clientId", "")))

    def _standing(self, path: str, client_id: str) -> Any:
        role = {"name": "manage-clients"}
        if path == "clients":
            settings = CLIENT_SETTINGS if client_id == OPERATOR_CLIENT else {}
            return [{"id": f"id-{client_id}", "clientId": client_id, **settings}]
        if path.endswith("roles/manage-clients"):
            return role
        if "-mappings/" in path:
            return [role]
        if path.endswith("client-secret"):
            return {"value": SECRET}
        return {"id": "id", "realm": "city", **REALM_SETTINGS, "attributes": self.attributes}


async def run(keycloak: Keycloak, folder: Path, *arguments: str, url: str = "", password: str = PASSWORD) -> Result:
    """Call the command in a thread: it has an event loop of its own."""
    file = folder / "password"
    file.write_text(f"{password}\n")
    options = ["--url", url or f"http://127.0.0.1:{keycloak.port}", "--admin-password-file", str(file)]
    result = await asyncio.to_thread(CliRunner().invoke, app, ["city", *options, *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    for secret in (password, SECRET, "the-token"):
        assert secret not in result.output
    return result


async def test_what_stands_is_looked_at_and_not_changed(tmp_path: Path) -> None:
    async with Keycloak() as keycloak:
        result = await run(keycloak, tmp_path)
    assert result.exit_code == 0, result.output
    assert "name: keycloak-city" in result.stdout
    assert {request.split()[0] for request in keycloak.requests[1:]} == {"GET"}
    assert keycloak.logins == 1


async def test_a_token_that_ends_soon_is_renewed(tmp_path: Path) -> None:
    async with Keycloak(lives=1) as keycloak:
        assert (await run(keycloak, tmp_path)).exit_code == 0
    assert keycloak.logins > 1


async def test_another_issuer_is_warned_of(tmp_path: Path) -> None:
    async with Keycloak(issuer="https://id.city.example/realms/city") as keycloak:
        result = await run(keycloak, tmp_path)
    assert result.exit_code == 0
    assert "Warning: this realm's tokens name https://id.city.example/realms/city" in result.stderr


async def test_a_realm_of_somebody_else(tmp_path: Path) -> None:
    async with Keycloak(attributes={}) as keycloak:
        result = await run(keycloak, tmp_path)
        dry = await run(keycloak, tmp_path, "--adopt", "--dry-run")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--adopt" in result.stderr
    assert dry.exit_code == 0
    assert "realm city: would be taken over" in dry.stderr


@pytest.mark.parametrize(
    ("path", "status", "body", "said"),
    [
        ("", 403, {"error": "HTTP 403 Forbidden"}, "role 'admin' of realm master"),
        ("", 500, {"error": "unknown_error"}, "answered GET with 500: unknown_error"),
        ("clients", 500, {"client": {"secret": "of-theirs"}}, "answered GET with 500"),
        ("realms/master/protocol/openid-connect/token", 404, {"error": "Realm does not exist"}, "404: Realm does not"),
        ("realms/master/protocol/openid-connect/token", 200, ["none"], "not one of Keycloak's"),
    ],
)
async def test_what_keycloak_refuses(tmp_path: Path, path: str, status: int, body: Any, said: str) -> None:
    async with Keycloak(answers={path: (status, body)}) as keycloak:
        result = await run(keycloak, tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert "of-theirs" not in result.output


async def test_a_wrong_password(tmp_path: Path) -> None:
    async with Keycloak() as keycloak:
        result = await run(keycloak, tmp_path, password="guessed")
    assert result.exit_code == 1
    assert "--admin-password-file" in result.stderr


async def test_a_password_is_not_sent_unencrypted_to_another_machine(tmp_path: Path) -> None:
    async with Keycloak() as keycloak:
        result = await run(keycloak, tmp_path, url="http://192.0.2.1")
    assert result.exit_code == 1
    assert "is not sent without TLS" in result.stderr
    assert keycloak.requests == []


async def test_a_certificate_that_is_not_trusted_and_one_that_is(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with Keycloak(tls=authority.server("id.city.example")) as keycloak:
        keycloak.issuer = f"https://id.city.example:{keycloak.port}/realms/city"
        url = f"https://id.city.example:{keycloak.port}"
        refused = await run(keycloak, tmp_path, "--connect-to", "127.0.0.1", url=url)
        trusted = ("--connect-to", "127.0.0.1", "--cacert", str(authority.file))
        result = await run(keycloak, tmp_path, *trusted, url=f"{url}/")
    assert refused.exit_code == 1
    assert "--cacert" in refused.stderr
    assert result.exit_code == 0, result.output
    assert "ca.crt:" in result.stdout
    assert "Warning" not in result.stderr


async def test_nobody_answers(tmp_path: Path) -> None:
    result = await run(Keycloak(), tmp_path, url="http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "cannot be reached" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["master"], ["ci ty"], ["city", "--url", "id.city.example"], ["city", "--url", "https://a@b"],
     ["city", "--ldap-url", "x"]],
)  # fmt: skip
def test_called_wrongly_ends_with_2(arguments: list[str], tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    url = [] if "--url" in arguments else ["--url", "https://id.city.example"]
    result = CliRunner().invoke(app, [*arguments, *url, "--admin-password-file", str(file)])
    assert result.exit_code == 2
    assert PASSWORD not in result.output
