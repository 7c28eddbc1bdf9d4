"""One pass over the tokens of one connector: mint what is due, take away what is not wanted. Called by its queue.

Level-triggered: what is out is read from the Secret at the first pass, and from memory afterwards.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sensorthings_operator import metrics
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.keycloak_errors import KeycloakError, roles_missing
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.desired.connector.client import ConnectorClient, client_id
from sensorthings_operator.desired.connector.feed import TOKEN, Connector, device_key
from sensorthings_operator.desired.settings import KeycloakRealm
from sensorthings_operator.tokenservice.held import HeldToken
from sensorthings_operator.tokenservice.secrets import TokenSecrets
from sensorthings_operator.tokenservice.turns import Turns

AGAIN_SECONDS: Final = 10.0
"""How soon a token that Keycloak did not give is asked for again; what is out is good for minutes."""
_AT_ONCE: Final = 8
_LATE_SECONDS: Final = 30.0
"""After which a renewal was late, and with it those of others: Keycloak was away."""
_CATCH_UP_SECONDS: Final = 20.0
"""In which a start renews what became due before it."""
_UNKNOWN: Final = frozenset({""})
"""Made by us, nobody knows which: no client's name, so that they are looked for until it is known."""
_Place = tuple[str, str, str]
"""A realm's URL and name, and a connector's uid."""


@dataclass(frozen=True)
class Minted:
    """What came of it."""

    tokens: Mapping[str, HeldToken]
    """Those that are good, by the device's name; the connector's own by the empty one."""
    problem: KeycloakError | None = None
    """Why there is not a newer one."""

    def look_again(self, now: float) -> float:
        """Seconds until something is due."""
        if self.problem is not None:
            return AGAIN_SECONDS
        return max(0.0, min((token.due for token in self.tokens.values()), default=now) - now)


class Mint:
    """Keeps the tokens of connectors good."""

    def __init__(
        self,
        keycloak: KeycloakClients,
        secrets: TokenSecrets,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keycloak = keycloak
        self._secrets = secrets
        self._clock = clock
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._turns = Turns()
        self._held: dict[ServiceKey, tuple[str, dict[str, HeldToken]]] = {}
        """By connector: its uid, and its tokens by device."""
        self._made: dict[_Place, frozenset[str]] = {}
        """The clients that a realm may have of a connector."""

    def tokens(self, key: ServiceKey) -> Mapping[str, HeldToken]:
        """What is held for a connector now."""
        return self._held.get(key, ("", {}))[1]

    def good(self) -> int:
        """How many tokens have not expired."""
        now = self._clock()
        return sum(token.is_good(now) for _, held in self._held.values() for token in held.values())

    def forget(self, key: ServiceKey) -> str:
        """The connector is gone, or goes; its uid, where it was known."""
        uid, _ = self._held.pop(key, ("", {}))
        for place in [each for each in self._made if each[2] == uid]:
            del self._made[place]
        self._secrets.forget(uid)
        return uid

    async def keep(self, connector: Connector, realm: KeycloakRealm, wanted: Sequence[ConnectorClient]) -> Minted:
        """Have each client its token, and nobody else one.

        Raises:
            ApiError: The API server could not be asked, or refused.
            ForeignSecretError: Somebody else has a Secret of that name.
        """
        before = await self._known(connector, wanted)
        held = {each.device: before[each.device] for each in wanted if self._stands(each, before)}
        begun = self._clock()
        due = [each for each in wanted if each.device not in held or begun >= held[each.device].due]
        problem = await self._remove_others(connector, realm, wanted, renewing=bool(due))
        for each, found in zip(due, await asyncio.gather(*(self._mint(realm, each) for each in due)), strict=True):
            if isinstance(found, KeycloakError):
                problem = found
                continue
            known = held.get(each.device)
            in_time = known is not None and begun - known.due < _LATE_SECONDS
            first, last = found.renewed_between
            # Those that began together, or were held up together, are renewed at any time from then on.
            held[each.device] = found.due_at(self._turns.take(first if in_time else found.issued, last))
        if held != before:
            await self._write(connector, held)
        self._held[connector.key] = connector.uid, held
        return Minted(held, problem)

    async def withdraw(self, connector: Connector) -> None:
        """Hold no token for a connector any more, and take away its Secret.

        Raises:
            ApiError: The API server could not be asked, or refused.
        """
        if self._held.get(connector.key) == (connector.uid, {}):
            return
        await self._secrets.delete(connector, connector.token_secret)
        self._held[connector.key] = connector.uid, {}

    async def release(self, realm: KeycloakRealm, key: ServiceKey, uid: str) -> None:
        """Delete the clients of a connector in a realm.

        Raises:
            KeycloakError: The realm could not be asked, or refused.
        """
        place = _place(realm, uid)
        if self._made.get(place) == frozenset():
            return
        await self._keycloak.remove_others(realm, uid, client_id(*key), ())
        self._made[place] = frozenset()

    def _stands(self, wanted: ConnectorClient, held: Mapping[str, HeldToken]) -> bool:
        token = held.get(wanted.device)
        return token is not None and token.is_good(self._clock()) and token.is_of(wanted)

    async def _known(self, connector: Connector, wanted: Sequence[ConnectorClient]) -> dict[str, HeldToken]:
        uid, held = self._held.get(connector.key, ("", {}))
        if uid == connector.uid:
            return held
        values = await self._secrets.read(connector, connector.token_secret)
        found = {
            each.device: HeldToken.read(
                values.get(_key(each.device), b"").decode(errors="replace"), each.service_client
            )
            for each in wanted
        }
        now = self._clock()
        return {
            device: token.due_at(self._turns.take(*token.found_at(now, _CATCH_UP_SECONDS)))
            for device, token in found.items()
            if token is not None
        }

    async def _remove_others(
        self, connector: Connector, realm: KeycloakRealm, wanted: Sequence[ConnectorClient], *, renewing: bool
    ) -> KeycloakError | None:
        """Take away the clients of devices that are not wanted any more.

        After a start anything may be there. It is looked for with the first renewal: nobody but the token service has
        the secret of a client, and a thousand connectors with good tokens would ask at once.
        """
        names, place = frozenset(each.client_id for each in wanted), _place(realm, connector.uid)
        made = self._made.get(place)
        if made is None and not renewing:
            return None
        if made is not None and names >= made:
            self._made[place] = names
            return None
        prefix = client_id(connector.namespace, connector.name)
        try:
            # What nobody has looked at since the start was not made since.
            await self._keycloak.remove_others(realm, connector.uid, prefix, names, shared=made is None)
        except KeycloakError as error:
            # Clients are made meanwhile, which what is read for others may not show.
            self._made[place] = _UNKNOWN
            return error
        self._made[place] = names
        return None

    async def _mint(self, realm: KeycloakRealm, wanted: ConnectorClient) -> HeldToken | KeycloakError:
        async with self._limit:
            try:
                token = await self._keycloak.token(realm, wanted)
            except KeycloakError as error:
                metrics.TOKENS.labels(error.reason.value).inc()
                return error
        held = HeldToken.read(token.value, wanted.service_client)
        if held is None or not held.is_of(wanted):
            metrics.TOKENS.labels("WithoutRoles").inc()
            return roles_missing(wanted.client_id, wanted.service_client)
        metrics.TOKENS.labels("Issued").inc()
        return held

    async def _write(self, connector: Connector, held: Mapping[str, HeldToken]) -> None:
        values = {_key(device): token.value.encode() for device, token in held.items()}
        await self._secrets.write(connector, connector.token_secret, values)


def _place(realm: KeycloakRealm, uid: str) -> _Place:
    return realm.url, realm.realm, uid


def _key(device: str) -> str:
    return device_key(device) if device else TOKEN
