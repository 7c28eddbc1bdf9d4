"""Pieces of the write-ahead log by their names: which of them a restore reads, and the first that is missing. Pure.

A name is timeline, and number in two parts (https://www.postgresql.org/docs/15/wal-internals.html).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

SEGMENT_BYTES: Final = 16 * 1024 * 1024
"""initdb's default."""
_SEGMENTS_OF_A_LOG: Final = 256


@dataclass(frozen=True)
class Gap:
    """A segment that is missing, and the time up to which all is there, in seconds since 1970."""

    segment: str
    since: float


def timeline(segment: str) -> int:
    """The timeline that a segment is of."""
    return int(segment[:8], 16)


def begin(segment: str) -> int:
    """Where a segment begins, in bytes."""
    return _number(segment) * SEGMENT_BYTES


def folder(segment: str) -> str:
    """Where pgBackRest keeps it: with the others whose names begin alike."""
    return segment[:16]


def position(lsn: str) -> int:
    """A position in the write-ahead log as PostgreSQL writes it (``1/6B3FA8``), in bytes."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def newest(known: Mapping[str, Any]) -> str:
    """The last segment in the archive; empty where there is none."""
    return max((each.get("max") or "" for each in known.get("archive", ())[-1:]), default="")


def needed(first: str, last: str, history: str) -> Iterator[str]:
    """Names of the segments that a replay reads, from one to another.

    Args:
        first: Where it begins.
        last: The newest one there is.
        history: Of the timeline of ``last``: its ancestors, and where each of them ended.
    """
    ends = [(int(parent), position(lsn) // SEGMENT_BYTES) for parent, lsn in _ancestors(history)]
    for number in range(_number(first), _number(last) + 1):
        # The segment in which a timeline ends is read from its successor, who has its beginning, too.
        owner = next((parent for parent, end in ends if number < end), timeline(last))
        yield f"{owner:08X}{number // _SEGMENTS_OF_A_LOG:08X}{number % _SEGMENTS_OF_A_LOG:08X}"


def gap(segments: Iterable[str], stored: Callable[[str], Mapping[str, float]], since: float) -> Gap | None:
    """The first of some segments that is missing.

    Args:
        segments: In their order.
        stored: The segments in a folder, and when each was stored.
        since: The time of the backup before.
    """
    for each in segments:
        at = stored(folder(each)).get(each)
        if at is None:
            return Gap(each, since)
        since = max(since, at)
    return None


def _number(segment: str) -> int:
    return int(segment[8:16], 16) * _SEGMENTS_OF_A_LOG + int(segment[16:24], 16)


def _ancestors(history: str) -> Iterator[tuple[str, str]]:
    """As PostgreSQL writes them, the oldest first (its own timeline.c)."""
    for line in history.splitlines():
        match line.partition("#")[0].split(maxsplit=2):
            case [parent, lsn, *_]:
                yield parent, lsn
            case _:
                pass
