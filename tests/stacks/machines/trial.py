"""A trial: a stream of writes, a fault in it, and the judgement of what became of both."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.stacks.machines import stream, verdict
from tests.stacks.machines.site import until
from tests.stacks.machines.sql import ANY, TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stacks.machines.site import Client, Site

_BEFORE = 5  # seconds of writes before the fault
_AFTER = 10  # and after all is well again


@dataclass
class Trial:
    """A stream of writes, a fault in it, and what became of both."""

    name: str
    place: Site
    node: Client
    records: Path
    began: float = 0.0
    well_again: float = 0.0
    found: verdict.Verdict | None = None
    silence: float = 0.0
    _attempts: list[stream.Attempt] = field(default_factory=list)

    def fault(self) -> None:
        """The fault begins now."""
        self.began = time.time()

    def acknowledged_since(self, moment: float) -> bool:
        """Whether a write that began after a moment was acknowledged by now."""
        return any(
            each.began > moment and each.answer is not None and each.writer == ANY for each in stream.read(self.records)
        )

    def until_written(self, patience: float = 120) -> float:
        """Seconds until a write that begins from now on is acknowledged."""
        now = time.time()
        return until(lambda: self.acknowledged_since(now), "a write to be acknowledged", patience)

    def judge(self) -> None:
        """Compare the records with the rows."""
        self._attempts = stream.read(self.records)
        rows = self.node.ask_primary("SELECT writer, number FROM written")
        there = [(writer, int(number)) for writer, number in (row.rsplit("|", 1) for row in rows.splitlines())]
        self.found = verdict.judged(self._attempts, there)
        self.silence = verdict.silence(self._attempts, ANY, self.began)
        print(  # noqa: T201 - the measurement
            f"FAULT {self.name}: {self.found} silence={self.silence:.1f}s well-again={self.well_again:.1f}s"
        )
        assert self.found.acknowledged > 100
        assert self.found.lost == []
        assert self.found.doubled == []
        assert self.found.two_primaries == []


@contextmanager
def trial(name: str, place: Site, node: Client, records: Path) -> Iterator[Trial]:
    """A trial that is judged in the end, when the cluster is well again by itself."""
    node.ask_primary(f"DROP TABLE IF EXISTS written; {TABLE}")
    made = Trial(name, place, node, records)
    with node.writing(made.records):
        until(made.records.exists, "the stream to begin", 60)
        time.sleep(_BEFORE)
        yield made
        made.well_again = place.until_well()
        time.sleep(_AFTER)
    made.judge()
