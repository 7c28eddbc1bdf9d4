"""Writes a service's status where it differs from what stands there, and Events about what turned.

Used by the reconcile.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sensorthings_operator.api.base import API_VERSION, Model
from sensorthings_operator.api.sensorthingsservice import KIND
from sensorthings_operator.api.status import BackupStatus, Endpoint
from sensorthings_operator.apply.events import Events
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.conditions.backup import BACKED_UP, RESTORED
from sensorthings_operator.conditions.backups import Backups
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.databasehosts import Replication, Role
from sensorthings_operator.conditions.observed import Observed, Workload
from sensorthings_operator.conditions.reads import READS_AT_PRIMARY
from sensorthings_operator.conditions.replication import DATABASE_REPLICATED
from sensorthings_operator.conditions.schema import SCHEMA_UP_TO_DATE
from sensorthings_operator.conditions.unobserved import UnobservedReason
from sensorthings_operator.desired import addresses, http, mqtt
from sensorthings_operator.desired.metadata import FIELD_MANAGER, selector
from sensorthings_operator.desired.service import Service

Body = Mapping[str, Any]
Now = Callable[[], datetime]
_TOLD_WHEN_THEY_HOLD: Final = (SCHEMA_UP_TO_DATE.type, "Ready")
"""Each Event is a write as dear as a child's: the other parts are told by the status, and by Ready when all hold."""
_TOLD_WHEN_THEY_HOLD_AGAIN: Final = (DATABASE_REPLICATED.type, BACKED_UP.type, RESTORED.type)
"""Ready does not wait for these, and so does not tell."""
_TOLD_AS_THEY_COME_AND_GO: Final = (READS_AT_PRIMARY,)
"""Reasons, whatever the status."""


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


def build(
    body: Body, observed: Observed, verdicts: Mapping[str, Verdict], endpoints: Sequence[Endpoint], now: datetime
) -> dict[str, Any]:
    """The status that should stand. A transition time moves only when the condition's status does."""
    service = observed.service
    before = {condition["type"]: condition for condition in body.get("status", {}).get("conditions", ())}
    status: dict[str, Any] = {
        "observedGeneration": service.generation,
        "conditions": [
            condition(type_, verdict, before.get(type_), service.generation, now) for type_, verdict in verdicts.items()
        ],
        "endpoints": [endpoint.model_dump() for endpoint in endpoints],
        "http": _tier(service, http.COMPONENT, observed.http),
        "mqtt": _tier(service, mqtt.COMPONENT, observed.mqtt),
    }
    database = _database(observed)
    if database:
        status["database"] = database
    if observed.publications:
        status["catalogue"] = {"publications": [_written(each) for each in observed.publications]}
    version = service.spec.version if verdicts["SchemaUpToDate"].holds else body.get("status", {}).get("version")
    return status if version is None else {**status, "version": version}


def build_invalid(body: Body, verdicts: Mapping[str, Verdict], now: datetime) -> dict[str, Any]:
    """The status of a service whose spec can't be acted on; what was known of its parts stays as it was."""
    return {**build_failed(body, verdicts, now), "observedGeneration": body["metadata"]["generation"]}


def build_failed(body: Body, verdicts: Mapping[str, Verdict], now: datetime) -> dict[str, Any]:
    """The status of a service over which passes fail: its newest spec was not acted on, so its generation stays too."""
    generation = body["metadata"]["generation"]
    before = {condition["type"]: condition for condition in body.get("status", {}).get("conditions", ())}
    judged = {t: condition(t, verdict, before.get(t), generation, now) for t, verdict in verdicts.items()}
    return {
        **body.get("status", {}),
        "conditions": list({**judged, **{t: c for t, c in before.items() if t not in judged}}.values()),
    }


def condition(
    type_: str, verdict: Verdict, before: Mapping[str, Any] | None, generation: int, now: datetime
) -> dict[str, Any]:
    """A metav1.Condition; ``before`` is the one that stands, None where there is none."""
    same = before is not None and before["status"] == verdict.status
    return {
        "type": type_,
        "status": verdict.status,
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if before and same else now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": verdict.reason,
        "message": verdict.message,
    }


def _tier(service: Service, component: str, workload: Workload | None) -> dict[str, Any]:
    labels = selector(service, component)
    return {
        "replicas": 0 if workload is None else workload.replicas,
        "readyReplicas": 0 if workload is None else workload.ready,
        "selector": ",".join(f"{name}={value}" for name, value in labels.items()),
    }


def _database(observed: Observed) -> dict[str, Any]:
    """The servers, where there are several, the backups, where there are some, and who serves, if not the first one."""
    serving = addresses.database_in_use(observed.service)
    told: dict[str, Any] = {"serving": serving} if serving else {}
    answer = observed.database
    if answer is not None and answer.replication is not None:
        told |= _servers(answer.replication)
    if observed.backups is not None:
        told["backup"] = _backups(observed.backups)
    if observed.restored is not None:
        told["restored"] = _written(observed.restored)
    return told


def _servers(replication: Replication) -> dict[str, Any]:
    roles = replication.roles
    primaries = [host for host, role in roles if role is Role.PRIMARY]
    return {
        "hosts": [{"host": host, "role": role.value} for host, role in roles],
        **({"primary": primaries[0]} if len(primaries) == 1 else {}),
    }


def _backups(known: Backups) -> dict[str, Any]:
    return _written(
        BackupStatus(
            database=known.database,
            location=known.location,
            last_success_time=known.succeeded,
            oldest_restorable_time=known.oldest,
            next_schedule_time=known.due,
            last_failure=known.failure,
            gap=known.gap,
            request=known.request,
            last_drill=known.drill,
            backups=list(known.kept),
        )
    )


def _written(model: Model) -> dict[str, Any]:
    return model.model_dump(by_alias=True, exclude_none=True)


def worth_an_event(body: Body, verdicts: Mapping[str, Verdict]) -> list[tuple[str, Verdict]]:
    """New causes for a warning, the schema that is there, and that it is Ready: a part that starts is not told."""
    before = {c["type"]: (c["status"], c["reason"]) for c in body.get("status", {}).get("conditions", ())}
    told = []
    for type_, verdict in verdicts.items():
        status, reason = before.get(type_, ("Unknown", ""))
        newly_holds = verdict.holds and status != "True" and type_ in _TOLD_WHEN_THEY_HOLD
        newly_bad = is_warning(type_, verdict) and (status, reason) != (verdict.status, verdict.reason)
        again = verdict.holds and status == "False" and type_ in _TOLD_WHEN_THEY_HOLD_AGAIN
        turned = reason != verdict.reason and not {reason, verdict.reason}.isdisjoint(_TOLD_AS_THEY_COME_AND_GO)
        if newly_holds or newly_bad or again or turned:
            told.append((type_, verdict))
    return told


def is_warning(type_: str, verdict: Verdict) -> bool:
    """Whether somebody should look: Stalled where it is True, the others where they are unexpectedly False."""
    if type_ == "Stalled":
        return verdict.holds
    if type_ == "Reconciling":
        return verdict.reason == UnobservedReason.FAILED
    return verdict.status == "False" and not verdict.expected


def _stands(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether all that is wanted stands; conditions that somebody else added are theirs."""
    ours = [condition["type"] for condition in wanted["conditions"]]
    found = {condition["type"]: condition for condition in live.get("conditions", ())}
    return {**live, "conditions": [found.get(type_) for type_ in ours]} == dict(wanted)


class StatusWriter:
    """Sends statuses, and tells of the conditions that turned."""

    def __init__(
        self, client: KubernetesClient, events: Events, *, kind: str = KIND, field_manager: str = FIELD_MANAGER
    ) -> None:
        self._client = client
        self._events = events
        self._kind = kind
        self._field_manager = field_manager

    async def write(
        self, body: Body, status: Mapping[str, Any], verdicts: Mapping[str, Verdict], now: datetime
    ) -> Body | None:
        """Apply the status where it is another one; the service as it is afterwards, or None where nothing was sent."""
        if _stands(body.get("status", {}), status):
            return None
        metadata = body["metadata"]
        live = await self._client.apply(
            {
                "apiVersion": API_VERSION,
                "kind": self._kind,
                "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]},
                "status": dict(status),
            },
            field_manager=self._field_manager,
            subresource="status",
        )
        for type_, verdict in worth_an_event(body, verdicts):
            self._events.tell(
                metadata,
                warning=is_warning(type_, verdict),
                reason=verdict.reason,
                note=f"{type_}={verdict.status}: {verdict.message}",
                now=now,
                kind=self._kind,
            )
        return live
