"""BackedUp: a managed database can be restored, and what is written now soon can. Clients notice nothing of it."""

from typing import Final

from sensorthings_operator.api.status import RestoreStatus
from sensorthings_operator.conditions.chain import Chain, Verdict, pod_problem, troubled
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import addresses, databases
from sensorthings_operator.desired.database import backups as jobs
from sensorthings_operator.desired.database import pgbackrest, repository, statefulset

ARCHIVING_FAILS: Final = "ArchivingFails"
_MEBIBYTE: Final = 1024 * 1024


def _hibernated(observed: Observed) -> Verdict | None:
    if not observed.service.spec.hibernated:
        return None
    return Verdict("Unknown", "Hibernated", "hibernated: nothing is written, and the backups are kept")


def _secrets(observed: Observed) -> Verdict | None:
    if not observed.missing_backup_secrets:
        return None
    told = "; ".join(observed.missing_backup_secrets.values())
    return Verdict("False", "SecretUnusable", f"{told}. Until then nothing is archived, and the volume fills")


def _archiving(observed: Observed) -> Verdict | None:
    """Before the first backup there is nothing that a segment could be stored in."""
    answer, known = observed.database, observed.backups
    if answer is None or answer.archive is None or not answer.archive.failing:
        return None
    if known is None or (known.succeeded is None and known.failure is None):
        return None
    waiting = answer.archive.waiting_bytes // _MEBIBYTE
    waits = f"up to {waiting} MiB wait" if waiting else "it waits"
    told = (
        f"PostgreSQL can't archive its write-ahead log: {waits} on the database's volume and is kept until it is "
        "archived; when the volume is full, nothing more is written"
    )
    problem = pod_problem(observed, repository.COMPONENT)
    why = "" if problem is None else f"; pod {problem.pod}: {problem.message}"
    return Verdict(
        "False", ARCHIVING_FAILS, f"{told}{why}. See the log of the database's pod, and mend what it says of pgbackrest"
    )


def _failed(observed: Observed) -> Verdict | None:
    known = observed.backups
    if known is None or known.failure is None:
        return None
    told = f"the backup of {known.failure.time} failed: {known.failure.message}"
    again = "" if known.again is None else f"; it is tried again at {known.again}"
    return Verdict("False", "BackupFailed", f"{told}{again}. Mend the cause, then `sensorthings backup now`")


def _gap(observed: Observed) -> Verdict | None:
    gap = observed.backups.gap if observed.backups is not None else None
    if gap is None or gap.until is not None:
        return None
    told = (
        f"the archive has a gap: {gap.segment} and what came after it was lost with a former primary that could not "
        f"archive it. Times after {gap.since} can't be restored to until a new backup is complete, which is on its way"
    )
    return Verdict("False", "ArchiveGap", told)


def _first(observed: Observed) -> Verdict | None:
    known = observed.backups
    if known is not None and known.succeeded is not None:
        return None
    for component in (repository.COMPONENT, jobs.COMPONENT):
        problem = pod_problem(observed, component)
        if problem is not None:
            return troubled(problem)
    return Verdict("False", "BackupAwaited", "the first backup is on its way", expected=True)


def _unchecked(observed: Observed) -> Verdict | None:
    request = observed.backups.request if observed.backups is not None else None
    if request is None or request.kind != "Check" or request.done:
        return None
    told = "another instance is the primary: whether all that the former one wrote is archived is being looked at"
    return Verdict("Unknown", "ArchiveUnchecked", told, expected=True)


def _overdue(observed: Observed) -> Verdict | None:
    known = observed.backups
    if known is None or known.missed is None:
        return None
    problem = pod_problem(observed, jobs.COMPONENT)
    why = "" if problem is None else f"; pod {problem.pod}: {problem.message}"
    told = f"no backup came of the one that was due at {known.missed}; the last one is of {known.succeeded}{why}"
    return Verdict("False", "BackupOverdue", f"{told}. Look at the CronJob {pgbackrest.name(observed.service)}")


def _drill(observed: Observed) -> Verdict | None:
    drill = observed.backups.drill if observed.backups is not None else None
    if drill is None or drill.succeeded or _drill_is_off(observed):
        return None
    told = f"the restore for practice of {drill.time} failed: {drill.message}"
    return Verdict("False", "DrillFailed", f"{told}. Mend the cause, then `sensorthings backup drill`")


def _drill_is_off(observed: Observed) -> bool:
    """What an old one said is of no concern any more."""
    backup = pgbackrest.wanted(observed.service)
    return backup is None or not backup.drill.enabled


def _well(observed: Observed) -> Verdict:
    known = observed.backups
    since = "" if known is None else f" from {known.oldest} on"
    gap = None if known is None else known.gap
    but = "" if gap is None else f", but none from {gap.since} to {gap.until}: the archive has a gap there"
    return Verdict("True", "BackedUp", f"the database can be restored to any time{since}, up to a minute ago{but}")


def _is_backed_up(observed: Observed) -> bool:
    return pgbackrest.wanted(observed.service) is not None


BACKED_UP: Final = Chain(
    "BackedUp",
    (_hibernated, _secrets, _archiving, _failed, _first, _gap, _unchecked, _overdue, _drill, _well),
    applies=_is_backed_up,
    needed=False,
)


def _asleep(observed: Observed) -> Verdict | None:
    if observed.service.spec.hibernated:
        return Verdict("Unknown", "Hibernated", "hibernated: no database runs")
    return None


def _failing(observed: Observed) -> Verdict | None:
    if not observed.restore_failure:
        return None
    told = f"the restore failed and is tried again: {observed.restore_failure}"
    return Verdict("False", "RestoreFailed", f"{told}. Mend the cause, or take restore out of the spec")


def _made(observed: Observed) -> Verdict | None:
    wanted = databases.restore(observed.service)
    if wanted is None or (observed.restored is not None and observed.restored.name == wanted.name):
        return None
    restored = databases.beside(observed.service) or observed.service
    component = addresses.database_component(restored)
    problem = pod_problem(observed, component)
    if problem is not None and statefulset.RESTORES not in problem.message:
        return troubled(problem)
    return Verdict("False", "RestoreProgressing", f"{addresses.database_name(restored)} is restored", expected=True)


def _checked(observed: Observed) -> Verdict | None:
    wanted, found = databases.restore(observed.service), observed.restored
    if wanted is None or found is None:
        return None
    rows = _rows(found)
    newest = f", the newest of {found.newest_observation}" if found.newest_observation else ""
    told = f"it holds {rows}{newest}; its last transaction is of {found.last_transaction_time or 'an unknown time'}"
    restored = databases.beside(observed.service)
    if restored is None:
        return Verdict("True", "RestoreServing", f"the restored database serves; when it was made, {told}")
    ready = observed.restored_database
    if ready is None or ready.ready == 0:
        problem = pod_problem(observed, addresses.database_component(restored))
        if problem is not None:
            return troubled(problem)
        return Verdict("False", "RestoreStarting", f"restored, and starting: {told}", expected=True)
    how = f"set spec.database.managed.serving to {wanted.name}"
    return Verdict("True", "RestoreReady", f"{told}. To switch over, {how}; what was written since is not in it")


def _never(observed: Observed) -> Verdict:
    return Verdict("Unknown", "RestoreProgressing", "nothing is known of the restore yet")


def _rows(found: RestoreStatus) -> str:
    if found.observations is not None:
        return f"{found.observations} Observations"
    if found.estimated_observations is not None:
        return f"about {found.estimated_observations} Observations"
    return "no table of FROST-Server"


def _is_restored(observed: Observed) -> bool:
    return databases.restore(observed.service) is not None


RESTORED: Final = Chain("Restored", (_asleep, _failing, _made, _checked, _never), applies=_is_restored, needed=False)
