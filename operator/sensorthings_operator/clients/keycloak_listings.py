"""The clients of a kind as one read of a realm shows them all, shared by the looks at each. Used by ``keycloak``."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sensorthings_operator.clients.keycloak_realm import RealmApi

Live = dict[str, Any]
"""A ClientRepresentation. It holds the client's secret: never to be printed."""


@dataclass
class _Listing:
    """Of one realm."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    read_at: float = float("-inf")
    clients: dict[str, Live] = field(default_factory=dict, repr=False)


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
        read: Callable[[RealmApi, Mapping[str, Live]], None],
    ) -> None:
        self._seconds = seconds
        self._prefix = prefix
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
        listing = self._listings.setdefault(_key(api), _Listing())
        # Looks that come at once share one read.
        async with listing.lock:
            if self._clock() - listing.read_at > self._seconds:
                found = await api.call("GET", "clients", parameters={"clientId": self._prefix, "search": "true"})
                listing.clients = {live["clientId"]: live for live in found}
                listing.read_at = self._clock()
                self._read(api, listing.clients)
        return listing.clients

    def forget(self, api: RealmApi, client_id: str) -> None:
        """It was changed since."""
        listing = self._listings.get(_key(api))
        if listing is not None:
            listing.clients.pop(client_id, None)


def _key(api: RealmApi) -> tuple[str, str]:
    return (api.realm.url, api.realm.realm)
