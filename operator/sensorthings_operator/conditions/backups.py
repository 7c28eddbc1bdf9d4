"""What is known of the backups of a managed database, and of one that is restored. No judgement, no I/O."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sensorthings_operator.api.status import (
    ArchiveGap,
    BackupEntry,
    BackupFailure,
    BackupRequest,
    DrillStatus,
    RestoreStatus,
)

SEGMENT_BYTES: Final = 16 * 1024 * 1024
"""Of the write-ahead log, as PostgreSQL makes it unless told otherwise."""
_LOG_BYTES: Final = 2**32
"""Of the write-ahead log that the second number in a segment's name counts."""
_SEGMENT_DIGITS: Final = 24


@dataclass(frozen=True)
class Archive:
    """How PostgreSQL's archiver does (pg_stat_archiver), as the primary tells."""

    failing: bool
    """Its last try failed."""
    waiting_bytes: int
    """Of the write-ahead log that is not in the archive yet; PostgreSQL keeps it on the volume."""
    timeline: int | None = None
    """That the primary writes; None where that is not known."""


@dataclass(frozen=True)
class Run:
    """A run of a backup, a drill or a restore that ended, as its pod tells."""

    component: str
    database: str
    """Whose: the name of the database's StatefulSet."""
    ended: str
    """When, as Kubernetes writes a time."""
    failed: str = ""
    """Why it failed; empty where it did not."""
    location: str = ""
    """Where the backups lie."""
    backups: tuple[BackupEntry, ...] = ()
    oldest: str | None = None
    """The time from which on the database can be restored."""
    gap: ArchiveGap | None = None
    """What was missing in the archive."""
    request: int | None = None
    """Number of what the operator asked for, where it did."""
    drill: DrillStatus | None = None
    restored: RestoreStatus | None = None


@dataclass(frozen=True)
class Backups:
    """What is known of a database's backups."""

    database: str
    location: str = ""
    succeeded: str | None = None
    """When the newest backup was complete."""
    oldest: str | None = None
    failure: BackupFailure | None = None
    """The last backup, where it failed."""
    gap: ArchiveGap | None = None
    request: BackupRequest | None = None
    again: str | None = None
    """When one that failed is tried again; None where it is not."""
    drill: DrillStatus | None = None
    kept: tuple[BackupEntry, ...] = ()
    due: str | None = None
    """When the next one is due."""
    missed: str | None = None
    """The last time at which one was due and none came; None where all came."""


def told(moment: datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def archive(position: int, archived: str, *, failing: bool) -> Archive:
    """The archiver's state.

    Args:
        position: Where the primary writes, in bytes.
        archived: Name of the file that was archived last; empty where none was.
        failing: Whether the last try failed.
    """
    end = segment_end(archived)
    # With nothing archived ever, all that there is waits: how much that is nobody knows.
    return Archive(failing, max(0, position - end) if end is not None else 0)


def segment_end(name: str) -> int | None:
    """Where a segment of the write-ahead log ends, in bytes; None where a name is none of a segment.

    The files beside segments (``….partial``, ``….00000028.backup``) are named by theirs; a history file (``….history``)
    belongs to none. https://www.postgresql.org/docs/15/wal-internals.html
    """
    digits = name[:_SEGMENT_DIGITS]
    if len(digits) < _SEGMENT_DIGITS or not set(digits) <= set("0123456789ABCDEF"):
        return None
    log, segment = int(digits[8:16], 16), int(digits[16:24], 16)
    return log * _LOG_BYTES + (segment + 1) * SEGMENT_BYTES
