"""Notices that somebody takes a child back again and again, and makes the operator the calmer of the two.

Used by the children. A child that is brought back a few times is brought back at once; then later and later, up to five
minutes. Ten minutes without another time, and all is forgotten. Kept in memory alone: a restart starts counting anew.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from sensorthings_operator.clients.owned import ServiceKey

_FREE: Final = 8
"""Times that a child is made or brought back at once."""
_FIRST_DELAY_SECONDS: Final = 2.0
_LONGEST_DELAY_SECONDS: Final = 300.0
FORGET_SECONDS: Final = 600.0


class Contested(NamedTuple):
    """A child that somebody takes back again and again."""

    kind: str
    name: str
    told: str


@dataclass(frozen=True, slots=True)
class _Fight:
    times: int = 0
    last: float = 0.0
    told: str = ""


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class Rivals:
    """How often each child was brought back lately; by the event loop's clock, in seconds."""

    def __init__(self, clock: Callable[[], float] = _loop_time) -> None:
        self._clock = clock
        self._fights: dict[ServiceKey, dict[tuple[str, str], _Fight]] = {}

    def wait(self, service: ServiceKey, kind: str, name: str) -> float:
        """How long to leave a child as somebody else made it; 0 where it is brought back now."""
        fight = self._standing(service).get((kind, name), _Fight())
        return max(0.0, fight.last + delay_seconds(fight.times) - self._clock())

    def note(self, service: ServiceKey, kind: str, name: str, told: str) -> None:
        """A child was made or brought back; what to tell of it, should that go on."""
        fights = self._standing(service)
        times = fights.get((kind, name), _Fight()).times + 1
        self._fights[service] = {**fights, (kind, name): _Fight(times, self._clock(), told)}

    def of(self, service: ServiceKey) -> tuple[Contested, ...]:
        """The children that somebody fights for."""
        fights = self._standing(service)
        return tuple(Contested(kind, name, f.told) for (kind, name), f in fights.items() if f.times >= _FREE)

    def look_again(self, service: ServiceKey) -> float | None:
        """When a child may be brought back that is left for now, or all is forgotten; None where nobody fights."""
        now = self._clock()
        fights = [fight for fight in self._standing(service).values() if fight.times >= _FREE]
        moments = [fight.last + after for fight in fights for after in (delay_seconds(fight.times), FORGET_SECONDS)]
        return min((moment - now for moment in moments if moment > now), default=None)

    def settle(self, service: ServiceKey, kind: str, name: str) -> None:
        """A child is not wanted any more: nobody else is to blame should it be made again."""
        fights = {child: fight for child, fight in self._standing(service).items() if child != (kind, name)}
        if fights:
            self._fights[service] = fights
        else:
            self._fights.pop(service, None)

    def forget(self, service: ServiceKey) -> None:
        """The service is gone."""
        self._fights.pop(service, None)

    def _standing(self, service: ServiceKey) -> dict[tuple[str, str], _Fight]:
        fights = self._fights.get(service)
        if fights is None:
            return {}
        oldest = self._clock() - FORGET_SECONDS
        fights = {child: fight for child, fight in fights.items() if fight.last > oldest}
        if fights:
            self._fights[service] = fights
        else:
            del self._fights[service]
        return fights


def delay_seconds(times: int) -> float:
    """How long to wait after a child was brought back so many times."""
    if times < _FREE:
        return 0.0
    return min(_FIRST_DELAY_SECONDS * 2.0 ** min(times - _FREE, 20), _LONGEST_DELAY_SECONDS)
