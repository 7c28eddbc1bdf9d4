"""What is known of a database's backups, from what its pods say and from the status. Used by the reconcile.

Pods go with their Jobs, so what they said stays in the status.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cronsim import CronSim, CronSimError
from pydantic import ValidationError

from sensorthings_operator.api.status import ArchiveGap, BackupFailure, BackupRequest, BackupStatus
from sensorthings_operator.conditions.backups import Backups, Run, told
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.database import backups, pgbackrest
from sensorthings_operator.desired.service import Service

_LATE: Final = timedelta(hours=12)
"""So long a backup may take that was due, before it is told of as missed."""
_SOONEST: Final = timedelta(minutes=5)
_LATEST: Final = timedelta(hours=1)
"""Between a run that failed and the next try."""
_LONG_ENOUGH: Final = timedelta(days=1)
"""After so long in vain the schedule alone tries again."""


def known(service: Service, body: Mapping[str, Any], runs: Iterable[Run], now: datetime) -> Backups:
    """What is known of the backups of the database that serves.

    Args:
        service: As it is wanted, with backups.
        body: The resource, with what stands in its status.
        runs: What its pods say.
        now: The time of day.
    """
    backup = pgbackrest.wanted(service)
    assert backup is not None  # noqa: S101 - for the type checker
    state = _remembered(Backups(addresses.database_name(service), pgbackrest.location(service)), _status(body))
    if service.backup_request is not None:
        state = replace(state, request=service.backup_request)
    mine = [each for each in runs if (each.database, each.location) == (state.database, state.location)]
    for each in sorted(mine, key=lambda one: one.ended):
        state = _after(state, each)
    state = replace(state, due=due(backup.schedule, now), missed=missed(backup.schedule, state, now))
    return state if state.failure is None else replace(state, again=again(state.failure))


def _status(body: Mapping[str, Any]) -> BackupStatus | None:
    """What stands in a status; None where it is not there, or of another version of the operator."""
    value = body.get("status", {}).get("database", {}).get("backup")
    try:
        return None if value is None else BackupStatus.model_validate(value)
    except ValidationError:
        return None


def _remembered(state: Backups, before: BackupStatus | None) -> Backups:
    """With what is known of before; nothing is of another database, or of another place."""
    if before is None or (before.database, before.location) != (state.database, state.location):
        return state
    return replace(
        state,
        succeeded=before.last_success_time,
        oldest=before.oldest_restorable_time,
        failure=before.last_failure,
        gap=before.gap,
        request=before.request,
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
        since = made.ended if state.failure is None else state.failure.since or state.failure.time
        return replace(state, failure=BackupFailure(time=made.ended, message=made.failed, since=since))
    newest = max(each.time for each in made.backups)
    return replace(
        state,
        succeeded=newest,
        oldest=made.oldest,
        kept=made.backups,
        failure=None,
        gap=_gap(state.gap if made.gap is None else made.gap, newest, made.oldest),
        request=_request(state.request, made, newest),
    )


def _gap(gap: ArchiveGap | None, newest: str, oldest: str | None) -> ArchiveGap | None:
    """A gap ends with a backup after it, and concerns nobody any more when all backups are from after it."""
    if gap is not None and gap.until is None and newest > gap.since:
        gap = gap.model_copy(update={"until": newest})
    over = gap is not None and gap.until is not None and oldest is not None and gap.until <= oldest
    return None if over else gap


def _request(request: BackupRequest | None, made: Run, newest: str) -> BackupRequest | None:
    """What was asked for is done by its own run, or by a backup that came later, whoever asked for that."""
    if request is None or request.done or (made.request != request.number and newest < request.time):
        return request
    return request.model_copy(update={"done": True})


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


def again(failure: BackupFailure) -> str | None:
    """When a backup that failed is tried again: twice as late each time; None after a day, where the schedule does."""
    last = datetime.fromisoformat(failure.time)
    trying = last - datetime.fromisoformat(failure.since or failure.time)
    return told(last + min(_LATEST, max(_SOONEST, trying))) if trying < _LONG_ENOUGH else None
