"""Signal states and the fixed-time programs of signal groups: when each lamp changes.

Called by ``model``, which puts intersections together of them, and by ``schedule``, which plays them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

CYCLE: Final = 90  # seconds; a usual length of a fixed-time program in a city
RED_AMBER_SECONDS: Final = 1
AMBER_SECONDS: Final = {"KFZ": 3, "Radfahrer": 2}
"""RiLSA 2010, transition times at 50 km/h: red-amber 1 s; amber 3 s for motor vehicles, 2 s for cyclists."""


class SignalState(IntEnum):
    """The results that Hamburg publishes (``unitOfMeasurement.definition`` of its primary signals)."""

    DARK = 0
    RED = 1
    AMBER = 2
    GREEN = 3
    RED_AMBER = 4
    AMBER_FLASHING = 5
    GREEN_FLASHING = 6
    UNKNOWN = 9


class LaneType(StrEnum):
    """Whom a signal group is for, in the words of Hamburg's ``laneType``."""

    MOTOR_VEHICLES = "KFZ"
    CYCLISTS = "Radfahrer"
    PEDESTRIANS = "Fußgänger"


@dataclass(frozen=True, slots=True)
class Program:
    """A fixed-time program: at which second of the cycle a signal group changes to which state.

    Attributes:
        cycle: length in seconds.
        changes: (second, state) in the order of the seconds, each in [0, cycle), each state another than the last.

    Raises:
        ValueError: the changes are not of that form.
    """

    cycle: int
    changes: tuple[tuple[int, SignalState], ...]

    def __post_init__(self) -> None:
        seconds = [second for second, _ in self.changes]
        states = [state for _, state in self.changes]
        if not seconds or seconds != sorted(set(seconds)) or seconds[0] < 0 or seconds[-1] >= self.cycle:
            message = f"the seconds {seconds} do not rise within a cycle of {self.cycle} s"
            raise ValueError(message)
        if any(state == following for state, following in zip(states, states[1:] + states[:1], strict=True)):
            message = f"the states {states} hold one that does not change"
            raise ValueError(message)

    def state(self, second: float) -> SignalState:
        """The state at a second since the program began; it repeats for ever."""
        within = second % self.cycle
        begun = [state for change, state in self.changes if change <= within]
        return begun[-1] if begun else self.changes[-1][1]

    def occurrences(self, offset: float) -> Iterator[tuple[float, SignalState]]:
        """Every change from second 0 on, without end, of a program whose cycle began at ``offset`` seconds."""
        start = offset % self.cycle - self.cycle
        while True:
            for second, state in self.changes:
                if start + second >= 0:
                    yield start + second, state
            start += self.cycle


def fixed_time(lane_type: LaneType, green: range, cycle: int = CYCLE) -> Program:
    """The program of a signal group that is green in ``green`` (seconds of the cycle), with its transitions.

    Motor vehicles and cyclists: red, red-amber, green, amber, red. Pedestrians: red, green, red.
    """
    changes = {green.start: SignalState.GREEN}
    if lane_type is LaneType.PEDESTRIANS:
        changes[green.stop % cycle] = SignalState.RED
    else:
        changes[(green.start - RED_AMBER_SECONDS) % cycle] = SignalState.RED_AMBER
        changes[green.stop % cycle] = SignalState.AMBER
        changes[(green.stop + AMBER_SECONDS[lane_type]) % cycle] = SignalState.RED
    return Program(cycle, tuple(sorted(changes.items())))
