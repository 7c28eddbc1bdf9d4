"""One pass over one connector: from what is wanted to what is there, and to the status. Called by its queue.

Its token is the token service's business; here is what runs it.
"""

from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sensorthings_operator.api.connector import KIND
from sensorthings_operator.api.parse import InvalidSpec
from sensorthings_operator.apply.children import Children
from sensorthings_operator.apply.events import Events
from sensorthings_operator.apply.outcome import Applied, Outcome
from sensorthings_operator.apply.owners import OwnerGoneError
from sensorthings_operator.apply.status import Now, StatusWriter, build_failed, build_invalid, condition, utc_now
from sensorthings_operator.clients.arrivals import Arrivals, ArrivalTarget
from sensorthings_operator.clients.errors import NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.clients.resources import CONNECTOR_CHILDREN, CONNECTORS, SECRETS
from sensorthings_operator.conditions import connector as conditions
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.connector import ObservedConnector
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.conditions.unobserved import UnobservedReason, failed_verdicts, invalid_verdicts
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired import connector as desired
from sensorthings_operator.desired.connector.feed import Connector, Feed
from sensorthings_operator.desired.keycloak import certificates
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe import arrivals, connected
from sensorthings_operator.observe.bodies import Body
from sensorthings_operator.observe.connectors import Connectors, connector_of
from sensorthings_operator.observe.probes import Probes
from sensorthings_operator.observe.services import Services
from sensorthings_operator.reporting import REPAIRED, cause_of

_REFUSED_SECONDS: Final = 30.0
"""How soon a child that was refused is tried again."""
_CERTIFICATE_SECONDS: Final = 10.0
"""How soon the service's certificate is looked for again: nobody watches Secrets."""


class ConnectorReconciler:
    """Brings connectors to their specs, one pass at a time for each."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        client: KubernetesClient,
        settings: OperatorSettings,
        *,
        services: Services,
        service_children: OwnedStore,
        connectors: Connectors,
        store: OwnedStore,
        probes: Probes[ArrivalTarget],
        events: Events,
        now: Now = utc_now,
    ) -> None:
        self._client = client
        self._settings = settings
        self._services = services
        self._service_children = service_children
        self._connectors = connectors
        self._store = store
        self._probes = probes
        self._events = events
        self._now = now
        self._status = StatusWriter(client, events, kind=KIND)
        self._children = Children(client, store, repaired=self._repaired, owner=CONNECTORS, kinds=CONNECTOR_CHILDREN)

    async def reconcile(self, key: ServiceKey) -> float | None:
        """One pass; the seconds after which to look again, None where only a change is worth a look.

        Raises:
            ApiError: The API server could not be asked or refused for now; the queue tries again later.
        """
        body = self._connectors.get(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            self._probes.forget(key)
            self._children.rivals.forget(key)
            return None
        try:
            connector = connector_of(body)
        except InvalidSpec as error:
            told = [str(problem) for problem in error.problems]
            now, verdicts = self._now(), invalid_verdicts(UnobservedReason.INVALID_SPEC, told)
            await self._write(body, build_invalid(body, verdicts, now), verdicts, now)
            return None
        try:
            with self._children.owners.in_pass(connector.uid, is_new="conditions" not in body.get("status", {})):
                return await self._steps(body, connector)
        except OwnerGoneError:
            return None

    async def failed(self, key: ServiceKey, error: Exception) -> None:
        """Say that passes over a connector fail.

        Raises:
            ApiError: The API server does not take the status.
        """
        body = self._connectors.get(key)
        if body is not None:
            now, status = self._now(), body.get("status", {})
            verdicts = failed_verdicts(cause_of(error), status)
            await self._write(body, build_failed(body, verdicts, now), verdicts, now)

    async def _steps(self, body: Body, connector: Connector) -> float | None:
        service, verdict = connected.service_of(connector, self._services.get(connector.service_key))
        applied: list[Applied] = []
        waits, answer = False, None
        if service is not None:
            authorities = await self._authorities(service)
            waits = authorities is None
            feed = Feed(connector, service, authorities or "")
            answer = self._look(feed)
            if not waits:
                applied = await self._apply(feed)
        else:
            self._probes.forget(connector.key)
            # What it may not feed it does not run for.
            await self._children.prune(connector.uid, connector.key, ())
        observed = connected.gather(self._store, connector, body, verdict, applied)
        await self._report(body, observed, answer)
        refused = any(each.outcome is Outcome.REFUSED for each in applied)
        later = (
            _REFUSED_SECONDS if refused else None,
            _CERTIFICATE_SECONDS if waits else None,
            self._children.rivals.look_again(connector.key),
        )
        return min((seconds for seconds in later if seconds is not None), default=None)

    async def _apply(self, feed: Feed) -> list[Applied]:
        wanted = desired.children(feed, self._settings)
        applied = await self._children.apply_all(wanted)
        if all(each.outcome is not Outcome.REFUSED for each in applied):
            names = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in wanted}
            await self._children.prune(feed.connector.uid, feed.connector.key, names)
        return applied

    async def _authorities(self, service: Service) -> str | None:
        """The private CA of the service's certificate; empty where it has none. None until there is a certificate."""
        if not feeds_by_https(service):
            return ""
        try:
            name = addresses.certificate_secret_name(service)
            live = await self._client.get(SECRETS, service.namespace, name)
        except NotFoundError:
            return None
        return "".join(certificates(b64decode(live.get("data", {}).get("ca.crt", "")).decode(errors="replace")))

    def _look(self, feed: Feed) -> Answer | None:
        target = arrivals.target(self._service_children, feed, self._settings)
        if target is None:
            self._probes.forget(feed.connector.key)
            return None
        return self._probes.watch(feed.connector.key, target)

    async def _report(self, body: Body, observed: ObservedConnector, answer: Answer | None) -> None:
        now = self._now()
        verdicts = conditions.evaluate(observed)
        before = {each["type"]: each for each in body.get("status", {}).get("conditions", ())}
        generation = observed.connector.generation
        status: dict[str, Any] = {
            "observedGeneration": generation,
            "conditions": [
                condition(type_, verdict, before.get(type_), generation, now) for type_, verdict in verdicts.items()
            ],
            "restarts": observed.restarts,
        }
        seen = _arrivals(answer, body)
        if seen:
            status["arrivals"] = seen
        await self._write(body, status, verdicts, now)

    async def _write(self, body: Body, status: dict[str, Any], verdicts: Mapping[str, Verdict], now: datetime) -> None:
        try:
            live = await self._status.write(_without_others(body), _ours(status), verdicts, now)
        except NotFoundError:
            # Deleted while the pass ran: there is nobody left to tell.
            return
        if live is not None:
            self._connectors.wrote(live)

    def _repaired(self, child: Manifest, note: str) -> None:
        metadata = child["metadata"]
        owner = metadata["ownerReferences"][0]
        named = {"namespace": metadata["namespace"], "name": owner["name"], "uid": owner["uid"]}
        self._events.tell(named, warning=True, reason=REPAIRED, note=note, now=self._now(), kind=KIND)


def feeds_by_https(service: Service) -> bool:
    """Whether connectors reach the service as its clients do, encrypted."""
    return service.spec.exposure.type != "None" and service.spec.certificate is not None


def _arrivals(answer: Answer | None, body: Body) -> dict[str, Any]:
    """What was found; what stands, where nobody could be asked."""
    if not isinstance(answer, Arrivals):
        return dict(body.get("status", {}).get("arrivals", {}))
    newest = {"lastObservationTime": answer.newest} if answer.newest else {}
    return {**newest, "perMinute": answer.per_minute}


def _without_others(body: Body) -> Body:
    return {**body, "status": _ours(body.get("status", {}))}


def _ours(status: Mapping[str, Any]) -> dict[str, Any]:
    """A status without what the token service writes into it."""
    ours = {name: value for name, value in status.items() if name != "token"}
    told = [each for each in status.get("conditions", ()) if each["type"] != conditions.TOKEN_ISSUED]
    return {**ours, "conditions": told} if "conditions" in status else ours
