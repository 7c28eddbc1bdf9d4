"""Keeps and deletes the clients of services in their realms. Used by the probe and by the finalizer.

A client that does not carry the service's uid is somebody else's, and is never touched.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final, Self

import aiohttp

from sensorthings_operator import metrics
from sensorthings_operator.clients.keycloak_errors import KeycloakError, no_keycloak, place
from sensorthings_operator.clients.keycloak_listings import Listings
from sensorthings_operator.clients.keycloak_realm import AccessToken, RealmApi
from sensorthings_operator.clients.keycloak_repairs import (
    Live,
    drift,
    repair_attributes,
    repair_mappers,
    repair_settings,
)
from sensorthings_operator.clients.keycloak_roles import Roles, repair_roles
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.desired.keycloak import (
    CLIENT_PREFIX,
    ROTATION_ATTRIBUTE,
    UID_ATTRIBUTE,
    RealmClient,
)
from sensorthings_operator.desired.settings import KeycloakRealm

_LOG: Final = logging.getLogger(__name__)
_DAY_SECONDS: Final = 86400
_SECRET_MADE_ATTRIBUTE: Final = "client.secret.creation.time"  # noqa: S105 - Keycloak's own name; Unix time

Repaired = Callable[[RealmClient, str], None]
"""Told of what was put right in Keycloak, in a sentence for people."""
Drifted = Callable[[RealmClient], None]
"""Told of a client that a read for others showed to be otherwise than it should be."""


class KeycloakClients:
    """The clients of services in every realm; an async context manager."""

    def __init__(  # noqa: PLR0913 - who is told of what, and how long things may last
        self,
        *,
        repaired: Repaired = lambda _client, _note: None,
        drifted: Drifted = lambda _client: None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        secret_days: float = 30,
        shared_seconds: float = 0,
        shared_prefix: str = CLIENT_PREFIX,
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._secret_life_seconds = secret_days * _DAY_SECONDS
        self._repaired = repaired
        self._drifted = drifted
        self._seen: set[tuple[str, str, RealmClient]] = set()
        """Those that were there once, by the realm's URL and name: one that is gone was deleted by somebody."""
        self._realms: dict[tuple[str, str, str], RealmApi] = {}
        self._kept: dict[str, tuple[RealmApi, RealmClient]] = {}
        """What ``ensure`` was asked for last, by clientId."""
        self._listings = Listings(shared_seconds, shared_prefix, clock=clock, read=self._look_over)

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def ensure(self, realm: KeycloakRealm, wanted: RealmClient) -> tuple[AuthReason, str]:
        """Make the client, or bring it back to what it should be: how that went, and a sentence for people."""
        try:
            api = self._api(realm)
            self._kept[wanted.client_id] = api, wanted
            await self._ensure(api, wanted, await self._listings.find(api, wanted.client_id))
        except KeycloakError as error:
            return error.reason, error.message
        return (
            AuthReason.READY,
            f"{place(realm)} has client {wanted.client_id} with the roles {', '.join(wanted.roles)}",
        )

    async def token(self, realm: KeycloakRealm, wanted: RealmClient) -> AccessToken:
        """A token of a client that logs in by its secret, which is made where it is not there.

        Raises:
            KeycloakError: The realm could not be asked, or refused.
        """
        api = self._api(realm)
        listed = await self._listings.find(api, wanted.client_id)
        if listed is not None:
            try:
                return await self._token(api, wanted, listed)
            except KeycloakError:
                # What was read a while ago may be outdated.
                self._listings.forget(api, wanted.client_id)
        return await self._token(api, wanted)

    async def _token(self, api: RealmApi, wanted: RealmClient, listed: Live | None = None) -> AccessToken:
        live = await self._ensure(api, wanted, listed)
        secret = live["secret"]
        if _is_to_rotate(wanted, live, self._wall_clock() - self._secret_life_seconds):
            self._listings.forget(api, wanted.client_id)
            secret = await _rotate(api, wanted, live)
        return await api.token_of(wanted.client_id, secret)

    async def remove_others(
        self, realm: KeycloakRealm, uid: str, prefix: str, keep: Collection[str], *, shared: bool = False
    ) -> None:
        """Delete the clients with a mark whose clientId begins so, but for some.

        Args:
            realm: Where.
            uid: The mark.
            prefix: Of the clientIds.
            keep: The clientIds of those that stay.
            shared: What was read for others will do: none of them was made since.

        Raises:
            KeycloakError: The realm could not be asked, or refused.
        """
        api = self._api(realm)
        listed = await self._listings.look(api) if shared else None
        if listed is None:
            found = await api.call("GET", "clients", parameters={"clientId": prefix, "search": "true"})
        else:
            found = list(listed.values())
        for live in found:
            client_id = live["clientId"]
            # Keycloak looks for the text anywhere.
            if client_id.startswith(prefix) and client_id not in keep and _mark(live) == uid:
                await api.call("DELETE", f"clients/{live['id']}")
                self._listings.forget(api, client_id)
                _LOG.info("deleted client %s of %s", client_id, place(realm))

    async def remove(self, realm: KeycloakRealm, wanted: RealmClient) -> bool:
        """Delete the client where it is there and carries the service's uid; whether it was.

        Raises:
            KeycloakError: The realm could not be asked, or refused.
        """
        self._seen.discard((realm.url, realm.realm, wanted))
        self._kept.pop(wanted.client_id, None)
        api = self._api(realm)
        self._listings.forget(api, wanted.client_id)
        live = await _find(api, wanted)
        if live is None or not _is_ours(live, wanted):
            return False
        await api.call("DELETE", f"clients/{live['id']}")
        _log(wanted, "deleted client %s of %s", wanted.client_id, place(realm))
        return True

    def _api(self, realm: KeycloakRealm) -> RealmApi:
        key = (realm.url, realm.realm, str(realm.folder))
        if key not in self._realms:
            self._realms[key] = RealmApi(self._http, realm, clock=self._clock)
        return self._realms[key]

    def _look_over(self, api: RealmApi, listed: Mapping[str, Live], shown: Mapping[str, Roles]) -> None:
        """Nobody has to wait for their turn once it is known that they have something to put right."""
        for client_id, (of, wanted) in list(self._kept.items()):
            if of is not api or _seen(api, wanted) not in self._seen:
                continue
            live = listed.get(client_id)
            # Where none is shown nobody knows: each looks for itself then.
            lacks_roles = client_id in shown and drift(wanted.roles, shown[client_id])
            if live is None or not _is_ours(live, wanted) or drift(wanted.representation, live) or lacks_roles:
                self._drifted(wanted)

    async def _ensure(self, api: RealmApi, wanted: RealmClient, listed: Live | None = None) -> Live:
        live = listed or await _find(api, wanted)
        made = live is None
        if live is None:
            await api.call("POST", "clients", body={**_identity(wanted), **wanted.representation})
            _log(wanted, "made client %s in %s", wanted.client_id, place(api.realm))
            live = await _find(api, wanted)
            if live is None:
                raise no_keycloak(api.realm)
        if not _is_ours(live, wanted):
            raise KeycloakError(
                AuthReason.CLIENT_NOT_OURS,
                f"{place(api.realm)} has a client {wanted.client_id} that was not made for this service, and is left "
                f"alone: delete it, or hand it over by setting its attribute {UID_ATTRIBUTE} to {wanted.uid}",
            )
        changed = list[str]()
        try:
            changed += await repair_settings(api, wanted, live)
            changed += await repair_attributes(api, wanted, live)
            changed += await repair_mappers(api, wanted, live)
            if wanted.roles and (listed is None or not await self._listings.shows_roles(api, wanted)):
                changed += await repair_roles(api, wanted, live["id"])
                await self._listings.have_roles_shown(api, wanted, live["id"])
        finally:
            # Also of what was put right before a call that was refused.
            self._tell_of(api, wanted, changed, made=made)
            if changed:
                self._listings.forget(api, wanted.client_id)
        return live

    def _tell_of(self, api: RealmApi, wanted: RealmClient, changed: list[str], *, made: bool) -> None:
        seen = _seen(api, wanted)
        if made and seen in self._seen:
            self._tell(api, wanted, "made anew", "it was deleted, and whoever had its roles has lost them")
        elif changed and not made:
            self._tell(api, wanted, f"brought back {', '.join(changed)} of", "somebody had changed that")
        self._seen.add(seen)

    def _tell(self, api: RealmApi, wanted: RealmClient, done: str, why: str) -> None:
        metrics.DRIFT_REPAIRS.labels("KeycloakClient").inc()
        told = f"{done} client {wanted.client_id} in {place(api.realm)}: {why}"
        _log(wanted, "%s", told)
        self._repaired(wanted, told)


def _seen(api: RealmApi, wanted: RealmClient) -> tuple[str, str, RealmClient]:
    return (api.realm.url, api.realm.realm, wanted)


async def _find(api: RealmApi, wanted: RealmClient) -> Live | None:
    found = await api.call("GET", "clients", parameters={"clientId": wanted.client_id})
    match found:
        case []:
            return None
        case [{"id": str(), "clientId": wanted.client_id} as live]:
            return dict(live)
    raise no_keycloak(api.realm)


def _identity(wanted: RealmClient) -> Live:
    attributes = {UID_ATTRIBUTE: wanted.uid, ROTATION_ATTRIBUTE: wanted.rotation, **wanted.attributes}
    return {"clientId": wanted.client_id, "attributes": {name: value for name, value in attributes.items() if value}}


def _mark(live: Live) -> str:
    return str((live.get("attributes") or {}).get(UID_ATTRIBUTE, ""))


def _is_ours(live: Live, wanted: RealmClient) -> bool:
    return _mark(live) == wanted.uid


def _is_to_rotate(wanted: RealmClient, live: Live, oldest: float) -> bool:
    """Whether the secret is older than it may be (Unix time), or another one was asked for."""
    attributes = live["attributes"]
    made = attributes.get(_SECRET_MADE_ATTRIBUTE, "")
    asked = wanted.rotation != attributes.get(ROTATION_ATTRIBUTE, "")
    return asked or (made.isdecimal() and int(made) < oldest)


async def _rotate(api: RealmApi, wanted: RealmClient, live: Live) -> str:
    """Have the secret made anew; the new one. Tokens that are out stay good until their end."""
    answer = await api.call("POST", f"clients/{live['id']}/client-secret")
    await api.call("PUT", f"clients/{live['id']}", body={"attributes": {ROTATION_ATTRIBUTE: wanted.rotation}})
    _log(wanted, "made the secret of client %s in %s anew", wanted.client_id, place(api.realm))
    return str(answer["value"])


def _log(wanted: RealmClient, text: str, *values: str) -> None:
    _LOG.info(text, *values, extra={"service": f"{wanted.namespace}/{wanted.name}"})
