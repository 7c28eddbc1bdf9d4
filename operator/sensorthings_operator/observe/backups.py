"""What the pods around backups say when they end, and what is known of the backups from them and from the status.

Pods go with their Jobs, so what they said stays in the status. What they say is untrusted: whoever has the database's
pods may write anything there, so it is read as data of known types and lengths, or not at all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import orjson
from cronsim import CronSim, CronSimError
from pydantic import ValidationError

from sensorthings_operator.api.status import BackupEntry, BackupFailure, BackupStatus, DrillStatus, RestoreStatus
from sensorthings_operator.conditions.backups import Backups, Run
from sensorthings_operator.conditions.observed import Observed, PodState
from sensorthings_operator.desired import addresses, databases
from sensorthings_operator.desired.database import backups, pgbackrest, statefulset
from sensorthings_operator.desired.metadata import COMPONENT_LABEL
from sensorthings_operator.desired.service import Service

_Status = TypeVar("_Status", BackupStatus, RestoreStatus)
_LONGEST_REASON: Final = 1000
_MOST_BACKUPS: Final = 40
_LATE: Final = timedelta(hours=12)
"""So long a backup may take that was due, before it is told of as missed."""
_SILENT: Final = "it ended without a word"


@dataclass(frozen=True)
class _Said:
    """A termination message, read."""

    failed: str
    values: Mapping[str, Any]


def run(live: Mapping[str, Any]) -> Run | None:
    """What came of a backup, a drill or a restore, of its pod; None for other pods and for those that still run."""
    component = live["metadata"].get("labels", {}).get(COMPONENT_LABEL, "")
    spec, status = live.get("spec", {}), live.get("status", {})
    if component in (backups.COMPONENT, backups.DRILL):
        return _ended(component, component, spec.get("containers", ()), status.get("containerStatuses", ()))
    made_of, seen = spec.get("initContainers", ()), status.get("initContainerStatuses", ())
    return _ended(component, statefulset.RESTORES, made_of, seen)


def _ended(
    component: str, name: str, containers: Iterable[Mapping[str, Any]], statuses: Iterable[Mapping[str, Any]]
) -> Run | None:
    container = next((each for each in containers if each["name"] == name), None)
    status = next((each for each in statuses if each["name"] == name), None)
    if container is None or status is None:
        return None
    over = status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated")
    if not over or not over.get("finishedAt"):
        return None
    variables = {each["name"]: each.get("value", "") for each in container.get("env", ())}
    said = read(over.get("message", ""), succeeded=over.get("exitCode") == 0)
    made = Run(component, variables.get("STANZA", ""), over["finishedAt"], said.failed)
    match name:
        case backups.COMPONENT:
            return made if said.failed else _backup(made, said.values)
        case backups.DRILL:
            return replace(made, drill=_drill(made, said.values))
        case _:
            # Pods beside the first of a pair restore nothing, and say nothing.
            return replace(made, restored=_restored(made, said.values)) if said.values else made


def read(message: str, *, succeeded: bool) -> _Said:
    """A termination message: why it failed, or what it found."""
    try:
        values = orjson.loads(message)
    except orjson.JSONDecodeError:
        values = None
    if not isinstance(values, dict):
        values = {}
    if succeeded:
        return _Said("", values)
    failed = values.get("failed")
    told = failed if isinstance(failed, str) and failed.strip() else message.strip()[-_LONGEST_REASON:] or _SILENT
    return _Said(" ".join(told.split())[:_LONGEST_REASON] or _SILENT, {})


def _backup(made: Run, values: Mapping[str, Any]) -> Run:
    listed = values.get("backups")
    entries = tuple(
        entry
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, list) and (entry := _entry(each)) is not None
    )[:_MOST_BACKUPS]
    distinct = tuple({entry.label: entry for entry in entries}.values())
    if not distinct:
        return replace(made, failed="it ended well, and says nothing of a backup: look at its log")
    return replace(made, backups=distinct, oldest=_time(values.get("oldest")) or distinct[-1].time)


def _entry(values: list[Any]) -> BackupEntry | None:
    match values:
        case [str() as label, int() | float() as seconds, size, stored]:
            time, whole, added = _time(seconds), _count(size), _count(stored)
            if time is None or whole is None or added is None:
                return None
            try:
                return BackupEntry(label=label, time=time, size_bytes=whole, stored_bytes=added)
            except ValidationError:
                return None
        case _:
            return None


def _drill(made: Run, values: Mapping[str, Any]) -> DrillStatus:
    if made.failed:
        return DrillStatus(time=made.ended, succeeded=False, message=made.failed)
    return DrillStatus(time=made.ended, succeeded=True, **_found(values))


def _restored(made: Run, values: Mapping[str, Any]) -> RestoreStatus:
    # The component is "database-NAME".
    name = made.component.partition("-")[2][:8]
    return RestoreStatus(name=name, last_transaction_time=_time(values.get("last_transaction")), **_found(values))


def _found(values: Mapping[str, Any]) -> dict[str, Any]:
    label, seconds, number = values.get("label"), values.get("seconds"), values.get("observations")
    return {
        "label": label[:64] if isinstance(label, str) else "",
        "seconds": _count(seconds) or 0,
        "observations": _count(number),
        "newest_observation": _time(values.get("newest")),
    }


def _count(value: object) -> int | None:
    """A number of things; what etcd and JSON hold safely."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _time(seconds: object) -> str | None:
    """Seconds since 1970 as Kubernetes writes a time."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    try:
        return told(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return None


def told(moment: datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def look(observed: Observed, body: Mapping[str, Any], pods: Iterable[PodState], now: datetime) -> Observed:
    """With what is known of the service's backups and of its restore."""
    service, runs = observed.service, [pod.run for pod in pods if pod.run is not None]
    before = body.get("status", {}).get("database", {})
    kept = _status(BackupStatus, before.get("backup"))
    observed = replace(observed, backups=known(service, kept, runs, now))
    wanted = databases.restore(service)
    if wanted is None:
        return observed
    stanza = addresses.named_database(service, wanted.name)
    restores = (each for each in runs if each.database == stanza and (each.restored is not None or _failed(each)))
    mine = sorted(restores, key=lambda each: each.ended)
    found = next((each.restored for each in mine if each.restored is not None), None)
    remembered = _status(RestoreStatus, before.get("restored"))
    if found is None and remembered is not None and remembered.name == wanted.name:
        found = remembered
    failure = mine[-1].failed if mine else ""
    return replace(observed, restored=found, restore_failure=failure if found is None else "")


def known(service: Service, before: BackupStatus | None, runs: Iterable[Run], now: datetime) -> Backups | None:
    """What is known of the backups of the database that serves; None where the spec asks for none.

    Args:
        service: As it is wanted.
        before: What stands in its status.
        runs: What its pods say.
        now: The time of day.
    """
    backup = pgbackrest.wanted(service)
    if backup is None:
        return None
    database = addresses.database_name(service)
    state = _remembered(database, before)
    mine = [each for each in runs if each.database == database]
    for each in sorted(mine, key=lambda one: one.ended):
        state = _after(state, each)
    return replace(state, due=due(backup.schedule, now), missed=missed(backup.schedule, state, now))


def _remembered(database: str, before: BackupStatus | None) -> Backups:
    if before is None or before.database != database:
        return Backups(database)
    return Backups(
        database,
        succeeded=before.last_success_time,
        oldest=before.oldest_restorable_time,
        failure=before.last_failure,
        drill=before.last_drill,
        kept=tuple(before.backups),
    )


def _after(state: Backups, made: Run) -> Backups:
    """What is known after a run; runs come in the order in which they ended."""
    if made.drill is not None:
        newer = state.drill is None or state.drill.time <= made.ended
        return replace(state, drill=made.drill) if newer else state
    if made.component != backups.COMPONENT:
        return state
    last = max(state.succeeded or "", "" if state.failure is None else state.failure.time)
    if made.ended < last:
        return state
    if made.failed:
        return replace(state, failure=BackupFailure(time=made.ended, message=made.failed))
    newest = max(made.backups, key=lambda entry: entry.time)
    return replace(state, succeeded=newest.time, oldest=made.oldest, kept=made.backups, failure=None)


def due(schedule: str, now: datetime) -> str | None:
    """When a schedule asks for the next run; None where it never does."""
    try:
        return told(next(CronSim(schedule, now.astimezone(UTC))))
    except (CronSimError, StopIteration):
        return None


def missed(schedule: str, state: Backups, now: datetime) -> str | None:
    """The last time at which a backup was due and none came since, where there was time enough for it."""
    if state.succeeded is None or state.failure is not None:
        return None
    try:
        last = told(next(CronSim(schedule, now.astimezone(UTC) - _LATE, reverse=True)))
    except (CronSimError, StopIteration):
        return None
    return last if state.succeeded < last else None


def _failed(made: Run) -> bool:
    """Whether it is a restore that failed."""
    return bool(made.failed) and made.component not in (backups.COMPONENT, backups.DRILL)


def _status(model: type[_Status], value: object) -> _Status | None:
    """What stands in a status; None where it is not there, or of another version of the operator."""
    try:
        return None if value is None else model.model_validate(value)
    except ValidationError:
        return None
