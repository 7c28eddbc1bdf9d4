"""How far another machine's clock is ahead, as far as a Date header tells. Pure; used by ``web`` and the judges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_CUT_SECONDS = 1.0
"""A Date header says no more than the second (RFC 9110, section 5.6.7)."""


@dataclass(frozen=True, slots=True)
class Offset:
    """Seconds by which another clock is ahead of one here: somewhere from ``least`` to ``most``."""

    least: float
    most: float

    @classmethod
    def of(cls, date: datetime, *, sent: datetime, received: datetime) -> Offset:
        """From an answer that was dated ``date``, at some time between ``sent`` and ``received`` of the clock here."""
        return cls((date - received).total_seconds(), (date - sent).total_seconds() + _CUT_SECONDS)

    @property
    def certain(self) -> float:
        """Seconds that it is ahead at least; below zero where it is behind, zero where the clocks may agree."""
        return max(self.least, 0.0) or min(self.most, 0.0)

    def against(self, other: Offset) -> Offset:
        """How far this clock is ahead of that other one."""
        return Offset(self.least - other.most, self.most - other.least)

    def there(self, here: datetime) -> datetime:
        """What the other clock shows, as well as can be known."""
        return here + timedelta(seconds=(self.least + self.most) / 2)


def parse_date(text: str) -> datetime | None:
    """The instant of a Date header; None where it is none."""
    try:
        parsed = parsedate_to_datetime(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def span(seconds: float) -> str:
    """A time in words: ``300 s``, ``12 min``, ``5 h``, ``3 days``."""
    length = abs(seconds)
    for unit, size, least in (("days", 86400, 2), ("h", 3600, 2), ("min", 60, 10)):
        if length >= least * size:
            return f"{length / size:.0f} {unit}"
    return f"{length:.0f} s"
