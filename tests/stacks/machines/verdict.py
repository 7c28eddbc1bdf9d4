"""What became of a stream of writes: pure, from the records of the client and the rows of the database afterwards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.stacks.machines.stream import Attempt

Row = tuple[str, int]
"""Writer and number."""


@dataclass(frozen=True)
class Verdict:
    """What became of the writes."""

    acknowledged: int
    lost: list[Row]
    """Acknowledged, and not there."""
    doubled: list[Row]
    """There more than once."""
    unasked: int
    """There, and not acknowledged: the answer was lost, not the row."""
    two_primaries: list[tuple[Attempt, Attempt]]
    """An acknowledgement that a newer primary gave, and one that an older one gave to a write that began later."""


def judged(attempts: Iterable[Attempt], rows: Iterable[Row]) -> Verdict:
    """Compare what was acknowledged with what is there."""
    acknowledged = [each for each in attempts if each.answer is not None]
    keys = {(each.writer, each.number) for each in acknowledged}
    there = Counter(rows)
    return Verdict(
        acknowledged=len(acknowledged),
        lost=sorted(keys - there.keys()),
        doubled=sorted(row for row, count in there.items() if count > 1),
        unasked=len(there.keys() - keys),
        two_primaries=two_primaries(acknowledged),
    )


def two_primaries(acknowledged: Sequence[Attempt]) -> list[tuple[Attempt, Attempt]]:
    """Pairs that show two servers taking writes at once: (by the newer one, began later and by the older one).

    A timeline belongs to one server from its promotion on. So an older timeline must not acknowledge a write that
    began after a newer one acknowledged another, and no timeline may acknowledge by two servers. Answers that don't
    tell their timeline are left out.
    """
    found = []
    newest: Attempt | None = None
    told = [each for each in acknowledged if _timeline(each)]
    by_end = sorted(told, key=lambda each: each.ended)
    position = 0
    for attempt in sorted(told, key=lambda each: each.began):
        while position < len(by_end) and by_end[position].ended < attempt.began:
            ended = by_end[position]
            if newest is None or _timeline(ended) > _timeline(newest):
                newest = ended
            position += 1
        if newest is not None and (
            _timeline(attempt) < _timeline(newest)
            or (_timeline(attempt) == _timeline(newest) and _server(attempt) != _server(newest))
        ):
            found.append((newest, attempt))
    return found


def silence(attempts: Iterable[Attempt], since: float) -> float:
    """The longest time, in seconds, for which none of some writes was acknowledged after a moment.

    Counted from the later of the moment and the last acknowledgement before. Infinite where none came after.
    """
    ends = sorted(each.ended for each in attempts if each.answer is not None)
    after = [end for end in ends if end > since]
    if not after:
        return float("inf")
    return max(later - earlier for earlier, later in pairwise([since, *after]))


def promotion(attempts: Iterable[Attempt], since: float) -> float | None:
    """Seconds from a moment to the first write that another timeline acknowledged. None where no other one did."""
    told = sorted((each for each in attempts if _timeline(each)), key=lambda each: each.ended)
    before = max((_timeline(each) for each in told if each.ended <= since), default=0)
    return next((each.ended - since for each in told if each.ended > since and _timeline(each) > before), None)


def _timeline(attempt: Attempt) -> int:
    return 0 if attempt.answer is None else attempt.answer.timeline


def _server(attempt: Attempt) -> str:
    return "" if attempt.answer is None else attempt.answer.server
