"""A trial: streams of writes, a fault in them, and the judgement of what became of both."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.stacks.machines import posts, stream, verdict
from tests.stacks.machines.results import Outcome, Results
from tests.stacks.machines.site import until
from tests.stacks.machines.sql import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.stacks.machines.client import Client
    from tests.stacks.machines.frost import Frost
    from tests.stacks.machines.site import Site

_BEFORE = 5  # seconds of writes before the fault
_AFTER = 10  # and after all is well again
_CLIENTS: Final = tuple(posts.name(number) for number in range(4))
"""Those that POST, each to a Datastream of its own."""


@dataclass
class Trial:
    """A fault in the streams of writes, and what became of both."""

    name: str
    place: Site
    node: Client
    datastreams: Sequence[int]
    """Keys of the clients' Datastreams."""
    records: stream.Records
    began: float = 0.0
    well: float = float("inf")
    """Seconds until the cluster was well again; infinite while it is not."""

    def fault(self) -> None:
        """The fault begins now."""
        self.began = time.time()

    def acknowledged_since(self, moment: float) -> bool:
        """Whether a POST that began after a moment was acknowledged by now."""
        return any(
            each.began > moment and each.answer is not None and each.writer in _CLIENTS for each in self.records.read()
        )

    def until_written(self, patience: float = 180) -> float:
        """Seconds until a POST that begins from now on is acknowledged."""
        now = time.time()
        return until(lambda: self.acknowledged_since(now), "a POST to be acknowledged", patience)

    def outcome(self) -> Outcome:
        """The records beside the rows."""
        attempts = self.records.read()
        posted = [each for each in attempts if each.writer in _CLIENTS]
        return Outcome(
            fault=self.name,
            verdict=verdict.judged(attempts, self._rows()),
            failed=sum(each.answer is None for each in posted),
            promoted=verdict.promotion(attempts, self.began),
            silent=verdict.silence(posted, self.began),
            silent_at_most=max(
                verdict.silence([each for each in posted if each.writer == client], self.began) for client in _CLIENTS
            ),
            well=self.well,
        )

    def _rows(self) -> list[verdict.Row]:
        keys = ", ".join(map(str, self.datastreams))
        found = self.node.ask_primary(
            f"""SELECT "PARAMETERS"->>'writer', "PARAMETERS"->>'number' FROM "OBSERVATIONS"
                WHERE "DATASTREAM_ID" IN ({keys})
                UNION ALL SELECT writer, number::text FROM written"""  # noqa: S608 - keys are numbers
        )
        return [(writer, int(number)) for writer, number in (row.rsplit("|", 1) for row in found.splitlines())]


def judge(outcome: Outcome) -> None:
    """What must hold whatever happened."""
    found = outcome.verdict
    assert found.acknowledged > 100
    assert found.lost == []
    assert found.two_primaries == []
    assert outcome.well < float("inf"), "it did not become well again by itself"


@contextmanager
def trial(name: str, node: Client, frost: Frost, records: Path, results: Results) -> Iterator[Trial]:
    """A trial that is judged in the end, when the cluster is well again by itself."""
    place = node.place
    node.ask_primary(f"DROP TABLE IF EXISTS written; {TABLE}")
    until(frost.answers, "FROST-Server to answer")
    made = Trial(name, place, node, [frost.http.create_datastream() for _ in _CLIENTS], stream.Records(records))
    with node.writing(records, list(map(frost.observations, made.datastreams))):
        until(lambda: records.exists() and made.acknowledged_since(0), "the streams to begin", 60)
        time.sleep(_BEFORE)
        yield made
        with suppress(AssertionError):
            made.well = place.until_well()
        time.sleep(_AFTER)
    outcome = made.outcome()
    results.outcomes.append(outcome)
    judge(outcome)
