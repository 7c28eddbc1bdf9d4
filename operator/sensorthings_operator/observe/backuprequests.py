"""What the operator asks for beside a backup's schedule: the first one, another try, a look after a failover. Pure.

It stands in the status, so that a Job is made once, and by its number in the Job's name. Used by the reconcile.
"""

from datetime import datetime, timedelta
from typing import Final, Literal

from sensorthings_operator.api.status import BackupRequest
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions.backups import Backups, told
from sensorthings_operator.conditions.observed import SchemaJob
from sensorthings_operator.desired.database import backups
from sensorthings_operator.desired.service import Service

_SILENT: Final = timedelta(hours=1)
"""After so long nothing comes any more of what was asked for and does not run."""


def is_running(store: OwnedStore, service: Service) -> bool:
    """Whether a Job makes a backup, whoever asked for it: two at a time are in each other's way."""
    jobs = (each for each in store.of_service(service.key) if each.kind == "Job")
    return any(
        each.component == backups.COMPONENT
        and isinstance(each.summary, SchemaJob)
        and each.summary.outcome == "Running"
        for each in jobs
    )


def asked(known: Backups, *, timeline: int | None, waits: bool, now: datetime) -> BackupRequest:
    """What is asked for now; what was asked for before, as long as nothing else has to be.

    Args:
        known: Of the backups.
        timeline: That the primary of a pair writes; None where that is not known.
        waits: Whether nothing new may be asked for, as while a backup is being made.
        now: The time of day.
    """
    before = known.request
    if before is None:
        return BackupRequest(number=0, kind="Backup", time=told(now), timeline=timeline)
    if before.timeline is None:
        before = before.model_copy(update={"timeline": timeline})
    kind = None if waits else _next(known, before, timeline, now)
    if kind is None:
        return before
    newest = before.timeline if timeline is None else timeline
    return BackupRequest(number=before.number + 1, kind=kind, time=told(now), timeline=newest)


def _next(
    known: Backups, before: BackupRequest, timeline: int | None, now: datetime
) -> Literal["Backup", "Check"] | None:
    failure = known.failure
    if failure is not None and failure.time >= before.time:
        return "Backup" if known.again is not None and known.again <= told(now) else None
    if not before.done:
        return before.kind if datetime.fromisoformat(before.time) + _SILENT <= now else None
    if known.gap is not None and known.gap.until is None:
        return "Backup"
    changed = timeline is not None and before.timeline is not None and timeline > before.timeline
    return "Check" if changed else None
