"""What a look at a database's servers comes to: the answer that DatabaseReachable tells. Pure.

Called by the probe. Warnings begin at one figure and end at a lower one, so that a status does not change to and fro.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from sensorthings_operator.conditions.backups import Archive, archive
from sensorthings_operator.conditions.databasehosts import (
    WORKING,
    DatabaseAnswer,
    HostLook,
    Limits,
    primaries,
    standbys,
)
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.conditions.standbys import marked, replication, seen

_CONNECTIONS_PERCENT: Final = (90, 80)
_VOLUME_PERCENT: Final = (85, 80)
"""At which a warning begins, and below which it ends."""
_WORST_FIRST: Final = (
    DatabaseAnswer.CA_INVALID,
    DatabaseAnswer.CREDENTIALS_REFUSED,
    DatabaseAnswer.DATABASE_MISSING,
    DatabaseAnswer.UNREACHABLE,
)
"""Of servers that all refuse: what somebody has to change goes before what may come back."""

Told = tuple[DatabaseAnswer, str]


def judge(  # noqa: PLR0913 - what is known
    looks: Sequence[HostLook], name: str, limits: Limits, before: Answer | None, *, began: float, now: float
) -> Answer:
    """The answer of a database.

    Args:
        looks: At its servers, as the spec orders them; one at least.
        name: Of the database.
        limits: What it is measured by.
        before: The last answer; None where there is none.
        began: When these looks began, in seconds of a clock that only goes forward.
        now: When they ended.
    """
    reason, message = _reachable(looks, name, limits, before)
    known = before.replication if before is not None else None
    marks = marked(looks, known, began)
    hosts = seen(looks, marks, now)
    follows = replication(hosts, limits, known, marks) if len(looks) > 1 else None
    archived = _archive(looks) if limits.is_archived else None
    return Answer(reason in WORKING, reason.value, message, replication=follows, archive=archived, hosts=hosts)


def _archive(looks: Sequence[HostLook]) -> Archive | None:
    """How the primary's archiver does. What waits is told in steps: each new figure is a new status."""
    found = primaries(looks)
    if len(found) != 1:
        return None
    (primary,) = found
    if not primary.unarchived:
        return Archive(failing=False, waiting_bytes=0, timeline=primary.timeline)
    known = archive(primary.position, primary.archived, failing=True)
    waiting = 1 << max(0, known.waiting_bytes - 1).bit_length()
    return Archive(failing=True, waiting_bytes=waiting, timeline=primary.timeline)


def is_doubtful(looks: Sequence[HostLook], answer: Answer) -> bool:
    """Whether a look a moment later may show another light: while roles change, or after an idle hour."""
    if len(primaries(looks)) > 1:
        return True
    others = [host for host in answer.hosts if host.look in standbys(looks)]
    late: frozenset[str] = answer.replication.lagging if answer.replication is not None else frozenset()
    return any(not host.look.streaming or host.look.host in late for host in others)


def _reachable(looks: Sequence[HostLook], name: str, limits: Limits, before: Answer | None) -> Told:
    found = primaries(looks)
    if len(found) > 1:
        return DatabaseAnswer.TWO_PRIMARIES, _two(found)
    if not found:
        return _none_writes(looks)
    (primary,) = found
    where = f'database "{name}" at {primary.host}'
    if not primary.postgis:
        told = f'{where} has no PostGIS: run "create extension postgis" in it as a superuser'
        return DatabaseAnswer.POSTGIS_MISSING, told
    warnings = list(_warnings(looks, primary, limits, before))
    if not warnings:
        return DatabaseAnswer.REACHABLE, f"{where} answers"
    return warnings[0][0], f"{where} answers, but {'; '.join(told for _, told in warnings)}"


def _two(found: Sequence[HostLook]) -> str:
    each = " and ".join(f"{look.host} (timeline {look.timeline})" for look in found)
    return (
        f"{each} both take writes, and what one holds the other lacks: stop one of them now, mostly that of the lower "
        "timeline, and look at what only it holds before it becomes a standby again. The operator stops neither"
    )


def _none_writes(looks: Sequence[HostLook]) -> Told:
    silent = "; ".join(look.message for look in looks if look.trouble is not None)
    if standbys(looks):
        names = ", ".join(look.host for look in looks)
        rest = f" ({silent})" if silent else ""
        return DatabaseAnswer.NO_PRIMARY, f"no server at {names} takes writes{rest}: promote one of them"
    reasons = [look.trouble for look in looks]
    return next(each for each in _WORST_FIRST if each in reasons), silent


def _warnings(looks: Sequence[HostLook], primary: HostLook, limits: Limits, before: Answer | None) -> Iterator[Told]:
    # Those that come and go stand first: the reason of the last answer says which of them began.
    yield from _volume(looks, limits, before)
    yield from _connections(looks, before)
    allowed = primary.allowed
    if allowed is not None and allowed < limits.connections:
        yield (
            DatabaseAnswer.FEW_CONNECTIONS,
            f"takes {allowed} connections, where all pods together may open {limits.connections}: raise "
            "max_connections (or the limit of the role or the database), or lower maxReplicas or replicas",
        )
    yield from _version(primary, limits)


def _volume(looks: Sequence[HostLook], limits: Limits, before: Answer | None) -> Iterator[Told]:
    percent = _threshold(_VOLUME_PERCENT, DatabaseAnswer.VOLUME_FULL, before)
    for look in looks:
        if limits.volume_bytes and look.size_bytes * 100 >= percent * limits.volume_bytes:
            yield (
                DatabaseAnswer.VOLUME_FULL,
                f"its data nearly fill the volume at {look.host}, which holds the write-ahead log too: delete old "
                "Observations, or move to a larger volume",
            )


def _connections(looks: Sequence[HostLook], before: Answer | None) -> Iterator[Told]:
    percent = _threshold(_CONNECTIONS_PERCENT, DatabaseAnswer.CONNECTIONS_USED, before)
    for look in looks:
        usage = look.tightest
        if usage is not None and usage.used * 100 >= percent * usage.limit:
            yield (
                DatabaseAnswer.CONNECTIONS_USED,
                f"nearly all of the {usage.limit} connections that {look.host} takes are in use: see who has them "
                "(pg_stat_activity), or raise the limit",
            )


def _threshold(percent: tuple[int, int], reason: DatabaseAnswer, before: Answer | None) -> int:
    begins, ends = percent
    return ends if before is not None and before.reason == reason else begins


def _version(primary: HostLook, limits: Limits) -> Iterator[Told]:
    major, oldest = primary.version // 10000, limits.oldest_postgresql
    if major < oldest:
        told = f"PostgreSQL {major} is older than {oldest}, the oldest that FROST-Server's own tests run on: upgrade it"
        yield DatabaseAnswer.VERSION_OLD, told
    postgis = _minor(primary.postgis)
    if postgis < limits.oldest_postgis:
        wanted = ".".join(map(str, limits.oldest_postgis))
        told = f"PostGIS {primary.postgis} is older than {wanted}, the oldest that FROST-Server's own tests run on"
        yield DatabaseAnswer.VERSION_OLD, f"{told}: upgrade it"


def _minor(version: str) -> tuple[int, int]:
    """Major and minor of PostGIS's version, such as 3.3.2 or 3.4.0dev."""
    numbers = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (numbers[0] if numbers else 0, 0)
