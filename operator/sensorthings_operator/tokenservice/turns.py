"""When tokens are renewed: in seconds in which few others are. Pure but for its count.

Left to chance, the busiest second of some minutes has twice what is usual, and Keycloak is asked that much.
"""

import math
import random
from collections import Counter
from typing import Final

_TRIED: Final = 60
"""Seconds that are compared: enough for the ten in a hundred of a token's life in which it is renewed."""
_PRUNED_SECONDS: Final = 600.0


class Turns:
    """How many renewals are due in each second, by Unix time."""

    def __init__(self) -> None:
        self._due: Counter[int] = Counter()
        self._pruned = 0.0

    def take(self, first: float, last: float) -> float:
        """A moment from ``first`` to ``last``, in one of the seconds in which the fewest are due."""
        self._prune(first)
        seconds = range(math.floor(first), math.floor(last) + 1)
        tried = random.sample(seconds, min(_TRIED, len(seconds)))
        # The first of those that are equal, and their order is random.
        chosen = min(tried, key=lambda second: self._due[second])
        moment = random.uniform(max(first, chosen), min(last, chosen + 1))  # noqa: S311 - jitter, no secret
        self._due[chosen] += 1
        return moment

    def _prune(self, now: float) -> None:
        if now > self._pruned + _PRUNED_SECONDS:
            self._due = Counter({second: count for second, count in self._due.items() if second >= now})
            self._pruned = now
