"""How far standbys are behind, what there is to say of it, and whether reads had better leave them. Pure.

A standby alone can't say how old its data are: the age of the last transaction that it replayed grows while nobody
writes. So positions in the write-ahead log decide: what has reached the primary's is not behind. Where it has not, two
bounds are known, and the smaller one counts: that age, since all that was committed before is there, and the time of
the newest earlier look whose position of the primary it has reached since. Neither needs more than a login.
"""

from collections.abc import Sequence
from typing import Final

from sensorthings_operator.conditions.databasehosts import (
    HostLook,
    HostSeen,
    Lag,
    Limits,
    Mark,
    Replication,
    ReplicationReason,
    Role,
    Sender,
    primaries,
    standbys,
)

_LOOKS_UNTIL_BACK: Final = 2
"""In a row in which the standbys are well within the limit, until they are read from again."""
_WELL_WITHIN: Final = 0.5
"""Of the limit: what was beyond it has to come so near to count as within it again."""
_MOST_MARKS: Final = 32


def lag(standby: HostLook, primary: HostLook, marks: Sequence[Mark], now: float) -> Lag:
    """How far a standby is behind; ``marks`` are of earlier looks at the same primary, ``now`` of the same clock."""
    behind = max(0, primary.position - standby.position)
    if behind == 0:
        return Lag(0, 0.0)
    known = [now - mark.at for mark in marks if mark.position <= standby.position]
    if standby.replay_age_seconds is not None:
        # Clocks of two machines differ by a little.
        known.append(max(0.0, standby.replay_age_seconds))
    return Lag(behind, min(known, default=None))


def seen(looks: Sequence[HostLook], marks: Sequence[Mark], now: float) -> tuple[HostSeen, ...]:
    """The servers, each standby with what its primary and earlier looks say of it."""
    found, others = primaries(looks), standbys(looks)
    if len(found) != 1:
        return tuple(HostSeen(look) for look in looks)
    (primary,) = found
    return tuple(
        HostSeen(look, lag(look, primary, marks, now), _sync_state(look, primary.senders, alone=len(others) == 1))
        if look in others
        else HostSeen(look)
        for look in looks
    )


def _sync_state(standby: HostLook, senders: Sequence[Sender], *, alone: bool) -> str:
    """What the primary calls a standby: found by its name, by its address, or because there is no other."""
    name = standby.host.partition(":")[0].partition(".")[0]
    named = [each for each in senders if each.application == name]
    reached = [each for each in senders if each.address and each.address == standby.address]
    for found in (named, reached, list(senders) if alone else []):
        if len(found) == 1:
            return found[0].sync_state
    return ""


def marked(looks: Sequence[HostLook], before: Replication | None, at: float) -> tuple[Mark, ...]:
    """The marks to go on with: those of before, where the primary is the same, and this look's."""
    found = primaries(looks)
    if len(found) != 1:
        return ()
    (primary,) = found
    same = before is not None and (primary.host, Role.PRIMARY) in before.roles
    kept = before.marks if before is not None and same else ()
    reached = min((look.position for look in standbys(looks)), default=primary.position)
    # Of marks that every standby has passed the newest says the most.
    passed = [mark for mark in kept if mark.position <= reached][-1:]
    ahead = [mark for mark in kept if mark.position > reached]
    return (*passed, *ahead, Mark(at, primary.position))[-_MOST_MARKS:]


def replication(
    hosts: Sequence[HostSeen], limits: Limits, before: Replication | None, marks: tuple[Mark, ...]
) -> Replication:
    """What there is to say of servers that are to follow each other; ``marks`` for the next look."""
    lagging = frozenset(_lagging(hosts, limits, before))
    reason, message = _told(hosts, limits, lagging)
    at_primary, good_looks = _reads(hosts, limits, before)
    return Replication(
        reason=reason,
        message=message,
        roles=_roles([host.look for host in hosts], before),
        reads_at_primary=at_primary,
        lagging=lagging,
        good_looks=good_looks,
        marks=marks,
    )


def _roles(looks: Sequence[HostLook], before: Replication | None) -> tuple[tuple[str, Role], ...]:
    """Of those that answer, and what the others were; but of a primary that is silent while another one answers."""
    known = dict(before.roles) if before is not None else {}
    if primaries(looks):
        known = {host: role for host, role in known.items() if role is not Role.PRIMARY}
    roles = ((look.host, look.role or known.get(look.host)) for look in looks)
    return tuple((host, role) for host, role in roles if role is not None)


def _lagging(hosts: Sequence[HostSeen], limits: Limits, before: Replication | None) -> list[str]:
    were = before.lagging if before is not None else frozenset[str]()
    return [
        host.look.host
        for host in hosts
        if host.lag is not None
        and not within(host.lag, limits.standby_lag_seconds * (_WELL_WITHIN if host.look.host in were else 1))
    ]


def within(found: Lag, seconds: float) -> bool:
    """Whether a standby is no more than so much behind; not where nobody knows."""
    return found.seconds is not None and found.seconds <= seconds


def _told(hosts: Sequence[HostSeen], limits: Limits, lagging: frozenset[str]) -> tuple[ReplicationReason, str]:
    """No figure that changes from look to look: a status that changes is a write."""
    looks = [host.look for host in hosts]
    if len(primaries(looks)) != 1:
        return ReplicationReason.UNKNOWN, "how far the standbys follow is known where one server takes writes"
    others = [look for look in looks if look.role is not Role.PRIMARY]
    silent = [look.host for look in others if look.trouble is not None]
    idle = [look.host for look in others if look.trouble is None and not look.streaming]
    late = [look.host for look in others if look.host in lagging]
    told = {
        ReplicationReason.MISSING: ("does not answer as a standby: see to the server, or to what lies between", silent),
        ReplicationReason.NOT_STREAMING: ("receives nothing from the primary: see its log for why", idle),
        ReplicationReason.LAGGING: (f"is more than {limits.standby_lag_seconds:g} s behind the primary", late),
    }
    wrong = [(reason, f"{', '.join(names)} {what}") for reason, (what, names) in told.items() if names]
    if wrong:
        return wrong[0][0], "; ".join(sentence for _, sentence in wrong)
    if not others:
        return ReplicationReason.MISSING, "no server that the spec names is a standby"
    names = ", ".join(look.host for look in others)
    return ReplicationReason.STREAMING, f"{names}: streaming, no more than {limits.standby_lag_seconds:g} s behind"


def _reads(hosts: Sequence[HostSeen], limits: Limits, before: Replication | None) -> tuple[bool, int]:
    """Whether reads are led to the primary's pods from now on, and good looks since they are.

    The driver takes any standby that answers, so one that is too far behind is enough to leave them all.
    """
    were_at_primary = before is not None and before.reads_at_primary
    found = [host for host in hosts if host.look.role is Role.STANDBY]
    if len(primaries([host.look for host in hosts])) != 1:
        # Without a primary, old data are better than none; two of them are no time to change anything.
        alone = bool(found) and not primaries([host.look for host in hosts])
        return (were_at_primary and not alone, 0)
    limit = limits.standby_lag_seconds
    if not found or not all(_follows(host, limit) for host in found):
        return (True, 0)
    if not were_at_primary:
        return (False, 0)
    good = (before.good_looks if before is not None else 0) + 1
    if not all(_follows(host, limit * _WELL_WITHIN) for host in found):
        good = 0
    return (good < _LOOKS_UNTIL_BACK, good)


def _follows(host: HostSeen, seconds: float) -> bool:
    return host.look.streaming and host.lag is not None and within(host.lag, seconds)
