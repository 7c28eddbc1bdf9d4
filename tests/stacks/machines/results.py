"""What the tests measured, as tables of Markdown: `make stacks-machines` ends with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.stacks.machines.verdict import Verdict

_COLUMNS: Final = (
    "fault",
    "acknowledged",
    "lost",
    "doubled",
    "stored without an answer",
    "two that took writes",
    "failed",
    "another machine writes",
    "201 again",
    "for each client",
    "well",
)


@dataclass(frozen=True)
class Outcome:
    """What became of the writes and of the machines when something happened. Times are in seconds."""

    fault: str
    verdict: Verdict
    failed: int
    """POSTs that were not acknowledged."""
    promoted: float | None
    """From the fault until another machine acknowledged a write; None where none did."""
    silent: float
    """The longest time without an acknowledged POST."""
    silent_at_most: float
    """The same of the one client for which it was longest."""
    well: float
    """From the end of the test's own steps until one leads and the other follows again; infinite where never."""

    @property
    def row(self) -> tuple[str, ...]:
        """As a row of the table."""
        found = self.verdict
        return (
            self.fault,
            *map(str, (found.acknowledged, len(found.lost), len(found.doubled), found.unasked)),
            "yes" if found.two_primaries else "never",
            str(self.failed),
            "" if self.promoted is None else _seconds(self.promoted),
            *map(_seconds, (self.silent, self.silent_at_most, self.well)),
        )


@dataclass
class Results:
    """All that a session measured."""

    outcomes: list[Outcome] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """How long other things took, by what they are."""

    def lines(self) -> Iterator[str]:
        """The tables; nothing where nothing was measured."""
        if self.outcomes:
            yield from _table(_COLUMNS, [outcome.row for outcome in self.outcomes])
        if self.seconds:
            rows = [(what, _seconds(seconds)) for what, seconds in self.seconds.items()]
            yield from ("", *_table(("what", "took"), rows))


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    for row in (columns, ("---",) * len(columns), *rows):
        yield f"| {' | '.join(row)} |"


def _seconds(seconds: float) -> str:
    return "never" if seconds == float("inf") else f"{seconds:.1f} s"
