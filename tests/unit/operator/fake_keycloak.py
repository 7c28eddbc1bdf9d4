"""A Keycloak in memory, as much of it as the operator's client asks for, on a port of the loopback.

What it answers was seen of Keycloak 26.7.3; tests/keycloak asks the real one.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestServer

from sensorthings_operator.desired.settings import KeycloakRealm

REALM: Final = "city"
SECRET: Final = "the-secret-of-the-operator"
CLIENT_SECRET: Final = "the-secret-of-a-service"


class FakeKeycloak:
    """One realm; ``calls`` are method and path below the realm, logins are ``login``."""

    def __init__(self, folder: Path) -> None:
        self.clients: dict[str, dict[str, Any]] = {}
        self.roles: dict[str, dict[str, str]] = {}
        self.calls: list[str] = []
        self.tokens: set[str] = set()
        self.lifetime = 300
        self.next_answer: web.Response | None = None
        """Given instead of the right answer, once."""
        self._numbers = itertools.count()
        self._folder = folder
        self.url = ""
        self.credentials()

    def credentials(self, client_id: str | None = "operator", secret: str | None = SECRET, ca: str = "") -> None:
        """What the realm's folder holds."""
        for name, value in (("client-id", client_id), ("client-secret", secret), ("ca.crt", ca or None)):
            if value is None:
                (self._folder / name).unlink(missing_ok=True)
            else:
                (self._folder / name).write_text(f"{value}\n")

    @property
    def realm(self) -> KeycloakRealm:
        """As the operator's settings have it."""
        return KeycloakRealm(url=self.url, realm=REALM, folder=self._folder)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Answers inside of the context."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        async with TestServer(application) as server:
            self.url = str(server.make_url("")).rstrip("/")
            yield

    def admin_calls(self) -> list[str]:
        """Calls but for logins, and forget them all."""
        calls = [call for call in self.calls if call != "login"]
        self.calls.clear()
        return calls

    async def _answer(self, request: web.Request) -> web.Response:
        form, path = await request.post(), request.path.removeprefix(f"/admin/realms/{REALM}/")
        self.calls.append("login" if path.endswith("/token") else f"{request.method} {path}")
        answer, self.next_answer = self.next_answer, None
        if answer is not None:
            return answer
        if path.endswith("/token"):
            return self._login(str(form["client_id"]), str(form["client_secret"]))
        if request.headers["Authorization"].removeprefix("Bearer ") not in self.tokens:
            return web.json_response({"error": "HTTP 401 Unauthorized"}, status=401)
        return await self._admin(request, path.split("/"))

    def _login(self, client_id: str, secret: str) -> web.Response:
        accounts = {c["clientId"] for c in self.clients.values() if c.get("serviceAccountsEnabled")}
        if secret != (CLIENT_SECRET if client_id in accounts else SECRET):
            refused = {"error": "unauthorized_client", "error_description": f"not {secret}"}
            return web.json_response(refused, status=401)
        token = f"token-{next(self._numbers)}"
        self.tokens.add(token)
        return web.json_response({"access_token": token, "expires_in": self.lifetime})

    def _map(self, client: dict[str, Any], mapper: dict[str, Any], id_: str = "") -> None:
        there = [each for each in client.get("protocolMappers", ()) if each["id"] != id_]
        client["protocolMappers"] = [*there, {**mapper, "id": id_ or f"mapper-{next(self._numbers)}"}]

    async def _admin(self, request: web.Request, path: list[str]) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        match request.method, path:
            case "GET", ["clients"]:
                found = [c for c in self.clients.values() if c["clientId"] == request.query["clientId"]]
                return web.json_response(found)
            case "POST", ["clients"]:
                id_ = f"id-{next(self._numbers)}"
                self.clients[id_] = {"secret": CLIENT_SECRET, "redirectUris": [], **body, "id": id_}
                self.roles[id_] = {}
                return web.Response(status=201)
            case "PUT", ["clients", id_]:
                self.clients[id_] |= body
            case "DELETE", ["clients", id_]:
                del self.clients[id_]
            case "POST" | "PUT", ["clients", id_, "protocol-mappers", "models", *named]:
                self._map(self.clients[id_], body, *named)
            case "GET", ["clients", id_, "roles"]:
                return web.json_response([{"name": n, "description": d} for n, d in self.roles[id_].items()])
            case "POST" | "PUT", ["clients", id_, "roles", *_]:
                self.roles[id_][body["name"]] = body["description"]
        return web.Response(status=204)
