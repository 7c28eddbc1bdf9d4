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
        self.scopes: dict[str, dict[str, Any]] = {}
        self.mapped: dict[str, set[tuple[str, str]]] = {}
        """What a client scope is mapped to: a client and the id of a role of it."""
        self.scopes_allowed = True
        self.role_ids: dict[tuple[str, str], str] = {}
        """By client and name. One that is made again is another one."""
        self.calls: list[str] = []
        self.tokens: set[str] = set()
        self.secrets: dict[str, str] = {}
        """Of clients whose secret was made anew."""
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
        if secret != self.secrets.get(client_id, CLIENT_SECRET if client_id in accounts else SECRET):
            refused = {"error": "unauthorized_client", "error_description": f"not {secret}"}
            return web.json_response(refused, status=401)
        token = f"token-{next(self._numbers)}"
        self.tokens.add(token)
        return web.json_response({"access_token": token, "expires_in": self.lifetime})

    async def _admin(self, request: web.Request, path: list[str]) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        match path:
            case ["clients"]:
                return self._clients(request, body)
            case ["clients", id_]:
                self._client(request.method, id_, body)
            case ["clients", id_, "client-secret"]:
                return self._new_secret(self.clients[id_])
            case ["clients", id_, "protocol-mappers", "models", *named]:
                self._mapper(request.method, self.clients[id_], body, *named)
            case ["clients", id_, "roles", *_]:
                return self._role(request.method, id_, body)
            case ["client-scopes", *below]:
                return self._scopes(request.method, body, below)
        return web.Response(status=204)

    def _clients(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        if request.method == "GET":
            asked, search = request.query["clientId"], request.query.get("search") == "true"
            found = [c for c in self.clients.values() if c["clientId"] == asked or (search and asked in c["clientId"])]
            return web.json_response(found)
        id_ = f"id-{next(self._numbers)}"
        self.clients[id_] = {"secret": CLIENT_SECRET, "redirectUris": [], **body, "id": id_}
        self.roles[id_] = {}
        return web.Response(status=201)

    def _client(self, method: str, id_: str, body: dict[str, Any]) -> None:
        if method == "DELETE":
            del self.clients[id_]
            return
        attributes = {**self.clients[id_].get("attributes", {}), **body.get("attributes", {})}
        self.clients[id_] |= {**body, "attributes": attributes}

    def _new_secret(self, client: dict[str, Any]) -> web.Response:
        client["secret"] = self.secrets[client["clientId"]] = secret = f"secret-{next(self._numbers)}"
        return web.json_response({"type": "secret", "value": secret})

    def _mapper(self, method: str, client: dict[str, Any], mapper: dict[str, Any], id_: str = "") -> None:
        there = [each for each in client.get("protocolMappers", ()) if each["id"] != id_]
        new = [] if method == "DELETE" else [{**mapper, "id": id_ or f"mapper-{next(self._numbers)}"}]
        client["protocolMappers"] = [*there, *new]

    def _role(self, method: str, id_: str, body: dict[str, Any]) -> web.Response:
        roles = self.roles[id_]
        if method == "GET":
            return web.json_response([self._shown(id_, name) for name in roles])
        if body["name"] not in roles:
            self.role_ids[id_, body["name"]] = f"role-{next(self._numbers)}"
        roles[body["name"]] = body["description"]
        return web.Response(status=204)

    def _shown(self, id_: str, name: str) -> dict[str, str]:
        return {"id": self.role_ids.get((id_, name), "theirs"), "name": name, "description": self.roles[id_][name]}

    def _scopes(self, method: str, body: Any, below: list[str]) -> web.Response:
        if not self.scopes_allowed:
            return web.json_response({"error": "HTTP 403 Forbidden"}, status=403)
        if below:
            return self._scope_mappings(below[0], body, *below[2:])
        if method == "GET":
            return web.json_response(list(self.scopes.values()))
        id_ = f"scope-{next(self._numbers)}"
        self.scopes[id_], self.mapped[id_] = {**body, "id": id_}, set()
        return web.Response(status=201)

    def _scope_mappings(self, id_: str, body: list[dict[str, Any]], *named: str) -> web.Response:
        if id_ not in self.scopes:
            return web.json_response({"error": "Could not find client scope"}, status=404)
        if named:
            self.mapped[id_] |= {(named[1], role["id"]) for role in body}
            return web.Response(status=204)
        # A role that is gone is gone from here, too.
        shown = {
            live["clientId"]: {"mappings": [self._shown(key, n) for n in self.roles[key] if self._maps(id_, key, n)]}
            for key, live in self.clients.items()
        }
        return web.json_response({"clientMappings": {name: of for name, of in shown.items() if of["mappings"]}})

    def _maps(self, id_: str, client: str, name: str) -> bool:
        return (client, self._shown(client, name)["id"]) in self.mapped[id_]
