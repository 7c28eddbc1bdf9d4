"""One pass over one connector: whether it may have tokens, that it has them, and what its status says of that.

Called by the token service's queue.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sensorthings_operator.api.base import GROUP
from sensorthings_operator.api.connector import KIND
from sensorthings_operator.api.parse import InvalidSpec
from sensorthings_operator.apply.finalizer import Finalizer
from sensorthings_operator.apply.status import utc_now
from sensorthings_operator.clients.errors import NotFoundError
from sensorthings_operator.clients.keycloak_errors import KeycloakError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.clients.resources import SERVICES
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.connector import ConnectorReason, suspended
from sensorthings_operator.desired import keycloak
from sensorthings_operator.desired.connector.client import ConnectorClient, clients
from sensorthings_operator.desired.connector.feed import Connector, Feed
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import KeycloakRealm, OperatorSettings
from sensorthings_operator.observe.bodies import Body
from sensorthings_operator.observe.connected import service_of
from sensorthings_operator.observe.connectors import Connectors, connector_of
from sensorthings_operator.tokenservice.keys import DoorKeys
from sensorthings_operator.tokenservice.minting import AGAIN_SECONDS, Mint, Minted
from sensorthings_operator.tokenservice.secrets import FIELD_MANAGER, ForeignSecretError
from sensorthings_operator.tokenservice.status import TokenStatus

TOKENS_FINALIZER: Final = Finalizer(KIND, f"{GROUP}/tokens", FIELD_MANAGER)
"""Of connectors that may have clients in Keycloak."""
_LOOK_SECONDS: Final = 60.0
"""How soon a service that is missing, or does not let the connector in, is looked at again."""
_SERVICE_SECONDS: Final = 10.0
"""How old what a service said may be where it lets a connector in: many feed one."""
_RELEASE_SECONDS: Final = 5.0
_LONGEST_RELEASE: Final = timedelta(minutes=10)
"""A connector that is deleted does not wait longer for a Keycloak that may never come back."""


class TokenPasses:
    """Brings the tokens of connectors to what their specs, their services and their annotations say."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        client: KubernetesClient,
        settings: OperatorSettings,
        *,
        connectors: Connectors,
        mint: Mint,
        door_keys: DoorKeys,
        status: TokenStatus,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._settings = settings
        self._connectors = connectors
        self._mint = mint
        self._door_keys = door_keys
        self._status = status
        self._clock = clock
        self._services: dict[ServiceKey, tuple[float, Body]] = {}
        """When each was read, and what it said."""

    async def look(self, key: ServiceKey) -> float | None:
        """One pass; the seconds after which to look again, None where only a change is worth a look.

        Raises:
            ApiError: The API server could not be asked or refused for now; the queue tries again later.
        """
        body = self._connectors.get(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            self._door_keys.forget(self._mint.forget(key))
            return None if body is None else await self._release(key, body)
        try:
            connector = connector_of(body)
        except InvalidSpec:
            # The operator says so.
            return None
        service, verdict = await self._service_of(connector)
        if service is None:
            return await self._shut_out(body, connector, verdict)
        feed = Feed(connector, service)
        if not feed.takes_tokens():
            return await self._shut_out(body, connector, _not_needed(feed))
        realm = keycloak.realm_of(service, self._settings)
        if realm is None:
            await self._status.tell(body, _unknown_realm(feed), self._mint.tokens(key))
            return _LOOK_SECONDS
        return await self._keep(body, feed, realm)

    async def _keep(self, body: Body, feed: Feed, realm: KeycloakRealm) -> float | None:
        connector = feed.connector
        if not TOKENS_FINALIZER.is_held(body):
            body = await TOKENS_FINALIZER.hold(self._client, body)
            self._connectors.wrote(body)
        wanted = clients(feed, body["metadata"].get("annotations", {}))
        if not wanted:
            return await self._take_away(body, connector, realm)
        try:
            await self._door_keys.keep(connector, wanted)
            minted = await self._mint.keep(connector, realm, wanted)
        except ForeignSecretError as error:
            await self._status.tell(body, Verdict("False", "NameTaken", str(error)), {})
            return _LOOK_SECONDS
        await self._status.tell(body, _verdict(minted, wanted), minted.tokens)
        return minted.look_again(self._clock())

    async def _take_away(self, body: Body, connector: Connector, realm: KeycloakRealm) -> float | None:
        """Suspended or revoked: no token is handed out, and the clients go, so that nobody else has one minted."""
        await self._withdraw(connector)
        try:
            await self._mint.release(realm, connector.key, connector.uid)
        except KeycloakError as error:
            await self._status.tell(body, Verdict("False", error.reason, error.message), {}, ended=True)
            return AGAIN_SECONDS
        await self._status.tell(body, _ended(body, connector, self._clock()), {}, ended=True)
        return None

    async def _shut_out(self, body: Body, connector: Connector, verdict: Verdict) -> float:
        """Its service is not there, does not let it in, or takes no tokens: the clients go from any realm."""
        await self._withdraw(connector)
        problem = await self._left_behind(connector.key, body)
        if problem is not None:
            told = f"{verdict.message}; its client in Keycloak is not deleted yet: {problem.message}"
            verdict = replace(verdict, message=told)
        await self._status.tell(body, verdict, {})
        return _LOOK_SECONDS if problem is None else AGAIN_SECONDS

    async def _withdraw(self, connector: Connector) -> None:
        await self._mint.withdraw(connector)
        await self._door_keys.withdraw(connector)

    async def _service_of(self, connector: Connector) -> tuple[Service | None, Verdict]:
        """The connector's service; refused is only what it says now."""
        read_at, known = self._services.get(connector.service_key, (0.0, None))
        if known is not None and 0 <= self._clock() - read_at < _SERVICE_SECONDS:
            found, verdict = service_of(connector, known)
            if found is not None:
                return found, verdict
        return service_of(connector, await self._service(connector))

    async def _service(self, connector: Connector) -> Body | None:
        namespace, name = connector.service_key
        read_at = self._clock()
        try:
            live = await self._client.get(SERVICES, namespace, name)
        except NotFoundError:
            return None
        fresh = {key: known for key, known in self._services.items() if read_at - known[0] < _SERVICE_SECONDS}
        self._services = {**fresh, connector.service_key: (read_at, live)}
        return live

    async def _release(self, key: ServiceKey, body: Body) -> float | None:
        """Let a deleted connector go once it has no client in any realm, or after that was tried for long enough."""
        if not TOKENS_FINALIZER.is_held(body):
            return None
        problem = await self._left_behind(key, body)
        deleted = datetime.fromisoformat(body["metadata"]["deletionTimestamp"])
        if problem is not None and utc_now() - deleted < _LONGEST_RELEASE:
            message = f"deleted, and may leave behind a client: {problem.message}"
            await self._status.tell(body, Verdict("False", problem.reason, message), {})
            return _RELEASE_SECONDS
        await TOKENS_FINALIZER.drop(self._client, body)
        return None

    async def _left_behind(self, key: ServiceKey, body: Body) -> KeycloakError | None:
        """Delete its clients in every realm; why one may still be there."""
        if not TOKENS_FINALIZER.is_held(body):
            return None
        uid, realms = body["metadata"]["uid"], self._settings.keycloak_realms.values()
        told = await asyncio.gather(*(self._released(realm, key, uid) for realm in realms))
        return next((problem for problem in told if problem is not None), None)

    async def _released(self, realm: KeycloakRealm, key: ServiceKey, uid: str) -> KeycloakError | None:
        try:
            await self._mint.release(realm, key, uid)
        except KeycloakError as error:
            return error
        return None


def _not_needed(feed: Feed) -> Verdict:
    told = f"the service takes no tokens: its auth.type is {feed.service.spec.auth.type}"
    return Verdict("True", ConnectorReason.TOKEN_NOT_NEEDED, told)


def _unknown_realm(feed: Feed) -> Verdict:
    name = keycloak.realm_name(feed.service)
    told = f"the token service knows no realm {name}: have it added to the chart's value keycloakRealms"
    return Verdict("False", AuthReason.UNKNOWN_REALM, told)


def _ended(body: Body, connector: Connector, now: float) -> Verdict:
    """Why there is no token, and when the last one ends."""
    expires = body.get("status", {}).get("token", {}).get("expiresAt", "")
    out = expires and datetime.fromisoformat(expires).timestamp() > now
    told = f"no token is minted; the last one is good until {expires}" if out else "no token is minted"
    if connector.spec.suspend:
        return suspended(f"spec.suspend is true: {told}")
    return Verdict("False", ConnectorReason.REVOKED, f"revoked: {told}. `sensorthings token restore` takes that back")


def _verdict(minted: Minted, wanted: Sequence[ConnectorClient]) -> Verdict:
    missing = [each.device or "the connector itself" for each in wanted if each.device not in minted.tokens]
    problem = minted.problem
    if problem is not None and missing:
        return Verdict("False", problem.reason, f"no token for {', '.join(missing)}: {problem.message}")
    if problem is not None:
        first = min(token.expires_at for token in minted.tokens.values())
        told = f"the tokens that are out are good until {first} and later, but not renewed: {problem.message}"
        return Verdict("True", ConnectorReason.RENEWAL_FAILING, told)
    devices = f", and so are those of {len(wanted) - 1} devices" if len(wanted) > 1 else ""
    return Verdict("True", ConnectorReason.TOKEN_ISSUED, f"its token is renewed in time{devices}")
