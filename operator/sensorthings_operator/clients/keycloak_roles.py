"""The roles of services' clients, and one read of a realm that shows them all. Used by ``keycloak``.

Keycloak lists the roles of one client alone, but at once what a client scope is mapped to: so the roles of all services
are mapped to a scope that no client has, by which nobody gets anything. Where a realm has no such scope, each client's
roles are read by themselves.
"""

import asyncio
import logging
from typing import Any, Final

from sensorthings_operator.api.base import GROUP
from sensorthings_operator.clients.keycloak_errors import KeycloakError, place
from sensorthings_operator.clients.keycloak_realm import RealmApi
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.desired.keycloak import RealmClient

_LOG: Final = logging.getLogger(__name__)
SCOPE: Final = "sensorthings-roles"
"""Name of the client scope."""
_MARK: Final = f"{GROUP}/shows"
_REPRESENTATION: Final[dict[str, Any]] = {
    "name": SCOPE,
    "description": "Made by sensorthings-operator, which sees the roles of all services by it. Of no use to clients.",
    "protocol": "openid-connect",
    "attributes": {"include.in.token.scope": "false", "display.on.consent.screen": "false", _MARK: "roles"},
}

Roles = dict[str, str]
"""Descriptions by names."""


async def repair_roles(api: RealmApi, wanted: RealmClient, id_: str) -> list[str]:
    """Put the client's roles right; others are left alone.

    Raises:
        KeycloakError: The realm could not be asked, or refused.
    """
    path = f"clients/{id_}/roles"
    there = {role["name"]: role.get("description") for role in await api.call("GET", path)}
    for name, description in wanted.roles.items():
        role = {"name": name, "description": description}
        if name not in there:
            await api.call("POST", path, body=role)
        elif there[name] != description:
            await api.call("PUT", f"{path}/{name}", body=role)
    return [f"the role {name}" for name, description in wanted.roles.items() if there.get(name) != description]


class RoleScope:
    """The client scope of one realm."""

    def __init__(self, api: RealmApi) -> None:
        self._api = api
        self._lock = asyncio.Lock()
        self._id = ""
        self._refused = False

    async def read(self) -> dict[str, Roles]:
        """The roles that are mapped to it, by clientId; none where it is not there, or can't be read."""
        try:
            self._id = self._id or await self._find()
            if not self._id:
                return {}
            answer = await self._api.call("GET", f"client-scopes/{self._id}/scope-mappings")
        except KeycloakError:
            # Somebody may have deleted it. What else it is, the reads of each client will say.
            self._id = ""
            return {}
        mapped: dict[str, Any] = (answer or {}).get("clientMappings") or {}
        return {client_id: _roles(of.get("mappings", ())) for client_id, of in mapped.items()}

    async def add(self, wanted: RealmClient, id_: str) -> None:
        """Have a client's roles shown from now on, as far as the realm lets us."""
        if self._refused:
            return
        try:
            async with self._lock:
                self._id = self._id or await self._find() or await self._make()
            roles = [
                role for role in await self._api.call("GET", f"clients/{id_}/roles") if role["name"] in wanted.roles
            ]
            await self._api.call("POST", f"client-scopes/{self._id}/scope-mappings/clients/{id_}", body=roles)
        except KeycloakError as error:
            self._id = ""
            self._refused = error.reason is not AuthReason.UNREACHABLE
            _LOG.warning("the roles of clients in %s are read one by one: %s", place(self._api.realm), error)

    async def _find(self) -> str:
        for scope in await self._api.call("GET", "client-scopes"):
            if scope["name"] == SCOPE and _MARK in (scope.get("attributes") or {}):
                return str(scope["id"])
        return ""

    async def _make(self) -> str:
        await self._api.call("POST", "client-scopes", body=_REPRESENTATION)
        return await self._find()


def _roles(mapped: list[dict[str, Any]]) -> Roles:
    return {role["name"]: role.get("description", "") for role in mapped}
