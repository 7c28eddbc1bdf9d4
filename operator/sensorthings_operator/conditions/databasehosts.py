"""The servers of a database as one look found them, and what is kept from look to look. No judgement, no I/O.

Filled by ``clients.database``, judged by ``databasejudging`` and ``standbys``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class DatabaseAnswer(StrEnum):
    """How a database answered; reasons of the condition DatabaseReachable."""

    REACHABLE = "DatabaseAnswers"
    FEW_CONNECTIONS = "DatabaseConnectionsFew"
    CONNECTIONS_USED = "DatabaseConnectionsNearlyUsed"
    VOLUME_FULL = "DatabaseVolumeNearlyFull"
    VERSION_OLD = "DatabaseVersionOld"
    UNREACHABLE = "DatabaseUnreachable"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    DATABASE_MISSING = "DatabaseMissing"
    POSTGIS_MISSING = "PostGISMissing"
    NO_PRIMARY = "NoPrimary"
    TWO_PRIMARIES = "TwoPrimaries"
    CA_INVALID = "DatabaseCAInvalid"


WORKING: Final = frozenset(
    {
        DatabaseAnswer.REACHABLE,
        DatabaseAnswer.FEW_CONNECTIONS,
        DatabaseAnswer.CONNECTIONS_USED,
        DatabaseAnswer.VOLUME_FULL,
        DatabaseAnswer.VERSION_OLD,
    }
)
"""Answers of a database on which a FROST-Server works."""


class Role(StrEnum):
    """What a server of a database is, as PostgreSQL names it."""

    PRIMARY = "primary"
    STANDBY = "standby"


class ReplicationReason(StrEnum):
    """How the standbys follow; reasons of the condition DatabaseReplicated."""

    STREAMING = "StandbysStreaming"
    MISSING = "StandbyMissing"
    NOT_STREAMING = "StandbyNotStreaming"
    LAGGING = "StandbyLagging"
    UNKNOWN = "ReplicationUnknown"


@dataclass(frozen=True)
class Usage:
    """Connections that count against a limit, and the limit."""

    used: int
    limit: int


@dataclass(frozen=True)
class Sender:
    """A standby as its primary tells of it (pg_stat_replication); only roles with pg_monitor are told."""

    application: str
    address: str
    sync_state: str


@dataclass(frozen=True)
class HostLook:
    """What one server answered; where ``trouble`` says that it did not, nothing else is known of it."""

    host: str
    """Host and port, as the spec names them."""
    trouble: DatabaseAnswer | None = None
    message: str = ""
    """Why, for people."""
    role: Role | None = None
    server: str = ""
    """When it started, to the microsecond: two names of one server have the same."""
    version: int = 0
    """PostgreSQL's server_version_num."""
    postgis: str = ""
    """Version of the extension; empty where the database has none."""
    usages: tuple[Usage, ...] = ()
    """Of the server, the role and the database, as far as they have limits."""
    size_bytes: int = 0
    """Of the database, without the write-ahead log."""
    position: int = 0
    """In the write-ahead log, in bytes: written by a primary, replayed by a standby."""
    timeline: int | None = None
    """Of a primary."""
    replay_age_seconds: float | None = None
    """Of a standby: since the last transaction that it replayed was committed. None where it has replayed none."""
    streaming: bool = False
    """Whether a standby receives from another server."""
    archived: str = ""
    """Of a primary: the file that its archiver stored last; empty where there is none."""
    unarchived: bool = False
    """Of a primary: whether its archiver has failed for minutes."""
    address: str = ""
    """At which it was reached."""
    senders: tuple[Sender, ...] = ()

    @property
    def allowed(self) -> int | None:
        """Connections that the service may have here, with everybody's together; None where that is not known."""
        return min((usage.limit for usage in self.usages), default=None)

    @property
    def tightest(self) -> Usage | None:
        """The limit that is nearest its end."""
        return max(self.usages, key=lambda usage: usage.used / max(usage.limit, 1), default=None)


@dataclass(frozen=True)
class Lag:
    """How far what a standby shows lies behind its primary."""

    bytes: int
    """Of the write-ahead log."""
    seconds: float | None
    """At most; None where nothing is known of it."""


@dataclass(frozen=True)
class HostSeen:
    """A server with what follows from the others' answers. For metrics and the command line: it wakes no pass."""

    look: HostLook
    lag: Lag | None = None
    """Of a standby whose primary is known."""
    sync_state: str = ""
    """Of a standby: async, potential, sync or quorum (pg_stat_replication); empty where nobody may tell."""


@dataclass(frozen=True)
class Mark:
    """Where the primary's write-ahead log was, at the least, at a time of the operator's own clock."""

    at: float
    """Seconds."""
    position: int


@dataclass(frozen=True)
class Limits:
    """What a database is measured by."""

    connections: int = 0
    """That the service's pods may open, all together."""
    standby_lag_seconds: float = 30.0
    volume_bytes: int | None = None
    """Of each server; None where the operator does not know."""
    is_archived: bool = False
    """Whether its write-ahead log goes to an archive that the operator knows."""
    oldest_postgresql: int = 0
    """Major version that FROST-Server's own tests ran on."""
    oldest_postgis: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Replication:
    """How the servers of a database that has several stand to each other."""

    reason: ReplicationReason
    message: str
    roles: tuple[tuple[str, Role], ...] = ()
    """Of each server that answers, or that answered before."""
    reads_at_primary: bool = False
    """Whether reads had better go to the pods that ask the primary."""
    lagging: frozenset[str] = frozenset()
    """Standbys beyond the limit, which are so until they are well within it."""
    good_looks: int = field(default=0, compare=False)
    """In a row in which every standby was well within the limit, while reads are at the primary."""
    marks: tuple[Mark, ...] = field(default=(), compare=False)
    """Newest last; those of one primary."""


def primaries(looks: Sequence[HostLook]) -> list[HostLook]:
    """Servers that take writes; one that has two names is one server."""
    found = {look.server or look.host: look for look in reversed(looks) if look.role is Role.PRIMARY}
    return [look for look in looks if look in found.values()]


def standbys(looks: Sequence[HostLook]) -> list[HostLook]:
    """Servers that answer and take no writes."""
    return [look for look in looks if look.role is Role.STANDBY]
