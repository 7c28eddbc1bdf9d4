"""The clients of a kind as one read of a realm shows them all, shared by the looks at each. Used by ``keycloak``."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sensorthings_operator.clients.keycloak_realm import RealmApi
from sensorthings_operator.clients.keycloak_repairs import Live
from sensorthings_operator.clients.keycloak_roles import Roles, RoleScope
from sensorthings_operator.desired.keycloak import CLIENT_PREFIX, RealmClient


@dataclass
class _Listing:
    """Of one realm."""

    scope: RoleScope
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    read_at: float = float("-inf")
    clients: dict[str, Live] = field(default_factory=dict, repr=False)
    roles: dict[str, Roles] = field(default_factory=dict)


class Listings:
    """Reads all of them at most once in so many seconds; not at all where that is 0.

    Args:
        seconds: How old what was read may be.
        prefix: What their clientIds begin with.
        clock: Seconds that only grow.
        read: Told of each read.
    """

    def __init__(
        self,
        seconds: float,
        prefix: str,
        *,
        clock: Callable[[], float],
        read: Callable[[RealmApi, Mapping[str, Live], Mapping[str, Roles]], None],
    ) -> None:
        self._seconds = seconds
        self._prefix = prefix
        # Those of connectors have no roles of their own.
        self._with_roles = prefix == CLIENT_PREFIX and seconds > 0
        self._clock = clock
        self._read = read
        self._listings: dict[tuple[str, str], _Listing] = {}

    async def find(self, api: RealmApi, client_id: str) -> Live | None:
        """The client as it was then; None where that is not known, or it was not there.

        Raises:
            KeycloakError: The realm could not be asked, or refused.
        """
        listed = await self.look(api)
        return None if listed is None else listed.get(client_id)

    async def look(self, api: RealmApi) -> Mapping[str, Live] | None:
        """All of them as they were then, by clientId; None where nothing is shared.

        Raises:
            KeycloakError: The realm could not be asked, or refused.
        """
        if not self._seconds:
            return None
        listing = self._listing(api)
        # Looks that come at once share one read.
        async with listing.lock:
            if self._clock() - listing.read_at > self._seconds:
                found = await api.call("GET", "clients", parameters={"clientId": self._prefix, "search": "true"})
                listing.clients = {live["clientId"]: live for live in found}
                listing.roles = await listing.scope.read() if self._with_roles else {}
                listing.read_at = self._clock()
                self._read(api, listing.clients, listing.roles)
        return listing.clients

    async def shows_roles(self, api: RealmApi, wanted: RealmClient) -> bool:
        """Whether the client had its roles then, as they should be.

        Raises:
            KeycloakError: The realm could not be asked, or refused.
        """
        await self.look(api)
        shown = self._listing(api).roles.get(wanted.client_id, {})
        return wanted.roles.items() <= shown.items()

    async def have_roles_shown(self, api: RealmApi, wanted: RealmClient, id_: str) -> None:
        """Have a client's roles among those that are read for all from now on; ``id_`` is Keycloak's own."""
        if self._with_roles and not await self.shows_roles(api, wanted):
            await self._listing(api).scope.add(wanted, id_)

    def _listing(self, api: RealmApi) -> _Listing:
        return self._listings.setdefault(_key(api), _Listing(RoleScope(api)))

    def forget(self, api: RealmApi, client_id: str) -> None:
        """It was changed since."""
        listing = self._listings.get(_key(api))
        if listing is not None:
            listing.clients.pop(client_id, None)


def _key(api: RealmApi) -> tuple[str, str]:
    return (api.realm.url, api.realm.realm)
