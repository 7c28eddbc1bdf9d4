"""Which signal group changes to what, and when, if all programs together are played at a chosen rate.

Called by ``playing``; pure.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from traffic_lights.model import Intersection, Model, SignalGroup
    from traffic_lights.signals import SignalState


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One signal group changes; ``due`` is in seconds since playing began."""

    due: float
    name: str
    state: SignalState


def changes(model: Model, *, rate: float, duration: float) -> Iterator[Change]:
    """Every change due before ``duration`` (seconds), in order of time, ``rate`` per second on average.

    The programs keep their proportions; time is stretched or compressed as a whole. At ``model.pace`` it is real time.
    """
    speed = rate / model.pace
    played = (
        _occurrences(intersection, group, speed)
        for intersection in model.intersections
        for group in intersection.signal_groups
    )
    return itertools.takewhile(lambda change: change.due < duration, heapq.merge(*played))


def _occurrences(intersection: Intersection, group: SignalGroup, speed: float) -> Iterator[Change]:
    for second, state in group.program.occurrences(intersection.offset):
        yield Change(second / speed, group.name, state)
