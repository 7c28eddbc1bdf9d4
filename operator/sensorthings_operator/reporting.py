"""What a pass says in a service's status. Used by the reconcile, and by the operator where passes fail."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sensorthings_operator.apply.events import Events
from sensorthings_operator.apply.status import Now, StatusWriter, build, build_failed, build_invalid, utc_now
from sensorthings_operator.clients.ckan_entries import PublishTarget
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.conditions.unobserved import failed_verdicts, invalid_verdicts, release_verdicts
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.keycloak import RealmClient
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe.bodies import Body
from sensorthings_operator.observe.services import Services
from sensorthings_operator.observe.users import UsersTarget

REPAIRED: Final = "Repaired"
"""Reason of the Event about a child, a client in Keycloak or users that were put right; no condition has it."""


class Reporter:
    """Writes statuses, and remembers the services as they are then.

    Every method that writes one raises ApiError where the API server does not take it.
    """

    def __init__(
        self,
        client: KubernetesClient,
        services: Services,
        settings: OperatorSettings,
        *,
        events: Events,
        now: Now = utc_now,
    ) -> None:
        self._events = events
        self._status = StatusWriter(client, events)
        self._services = services
        self._settings = settings
        self.now = now

    async def observed(self, body: Body, observed: Observed) -> None:
        """What a whole pass has seen."""
        now = self.now()
        verdicts = evaluate(observed)
        endpoints = addresses.endpoints(observed.service, self._settings)
        await self._write(body, build(body, observed, verdicts, endpoints, now), verdicts, now)

    def repaired(self, child: Manifest, note: str) -> None:
        """A child was put right, and who had changed it."""
        metadata = child["metadata"]
        owner = metadata["ownerReferences"][0]
        service = {"namespace": metadata["namespace"], "name": owner["name"], "uid": owner["uid"]}
        self._events.tell(service, warning=True, reason=REPAIRED, note=note, now=self.now())

    def repaired_outside(self, of: RealmClient | UsersTarget | PublishTarget, note: str) -> None:
        """What a service has in Keycloak or in a catalogue, or which users in its database, was put right."""
        named = {"namespace": of.namespace, "name": of.name, "uid": of.uid}
        self._events.tell(named, warning=True, reason=REPAIRED, note=note, now=self.now())

    def warn(self, service: Service, reason: str, note: str) -> None:
        """Something was done about a service that people should know of."""
        named = {"namespace": service.namespace, "name": service.name, "uid": service.uid}
        self._events.tell(named, warning=True, reason=reason, note=note, now=self.now())

    async def invalid(self, body: Body, reason: str, problems: Sequence[str]) -> None:
        """That the spec can't be acted on."""
        now = self.now()
        verdicts = invalid_verdicts(reason, problems)
        await self._write(body, build_invalid(body, verdicts, now), verdicts, now)

    async def release(self, body: Body, reason: str, left: Sequence[str]) -> None:
        """That something of a deleted service may be left outside."""
        now = self.now()
        verdicts = release_verdicts(reason, left)
        await self._write(body, build_invalid(body, verdicts, now), verdicts, now)

    async def failed(self, key: ServiceKey, error: Exception) -> None:
        """That passes fail, and why the last one did."""
        body = self._services.get(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return
        now = self.now()
        verdicts = failed_verdicts(cause_of(error), body.get("status", {}))
        await self._write(body, build_failed(body, verdicts, now), verdicts, now)

    async def _write(self, body: Body, status: dict[str, Any], verdicts: Mapping[str, Verdict], now: datetime) -> None:
        try:
            live = await self._status.write(body, status, verdicts, now)
        except NotFoundError:
            # Deleted while the pass ran: there is nobody left to tell.
            return
        if live is not None:
            self._services.wrote(live)


def cause_of(error: Exception) -> str:
    """What failed; the text of an error of our own may hold anything, and stands in the log alone."""
    if isinstance(error, ApiError):
        return f"{error.request}: {error.message}"
    return f"{type(error).__name__}, the operator's log has all of it"
