"""A steady stream of writes of which each is written down: what was asked, when, what was answered and by whom.

What one write is, the caller says: `posts.py` POSTs to FROST-Server, `sql.py` inserts rows. What became of the writes
is judged by `verdict.py`, from the records and from what is in the database afterwards.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """Who acknowledged a write."""

    server: str
    """Its address; empty where the protocol does not tell."""
    timeline: int
    """PostgreSQL's timeline there, which grows with every promotion; 0 where the protocol does not tell."""


@dataclass(frozen=True)
class Attempt:
    """One write. Times are those of `time.time`, in seconds."""

    writer: str
    number: int
    began: float
    ended: float
    answer: Answer | None
    """None where it was not acknowledged: it failed, or nobody knows."""
    error: str

    def line(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self))


class Records:
    """The attempts in a file to which more are written."""

    def __init__(self, path: Path) -> None:
        self._path, self._position = path, 0
        self._read: list[Attempt] = []

    def read(self) -> list[Attempt]:
        """All so far; a last line that is not whole is left for the next time."""
        with self._path.open("rb") as file:
            file.seek(self._position)
            for line in file:
                if line.endswith(b"\n"):
                    self._read.append(_attempt(json.loads(line)))
                    self._position += len(line)
        return self._read


def _attempt(record: dict[str, object]) -> Attempt:
    answer = record.pop("answer")
    return Attempt(**record, answer=None if answer is None else Answer(**answer))  # type: ignore[arg-type]


async def stream(
    writer: str,
    write: Callable[[int], Awaitable[Answer]],
    *,
    pause: float,
    record: Callable[[Attempt], None],
    stop: asyncio.Event,
) -> None:
    """Write one after the other until told to stop. A number is used once: what failed is not tried again.

    Args:
        writer: Name of this stream.
        write: Makes the write with a number; whatever it raises is a write that was not acknowledged.
        pause: Seconds between the end of a write and the beginning of the next.
        record: Called with each attempt when it has ended.
        stop: Set by who wants it to end.
    """
    number = 0
    while not stop.is_set():
        number += 1
        began = time.time()
        answer, error = None, ""
        try:
            answer = await write(number)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        record(Attempt(writer, number, began, time.time(), answer, error))
        await asyncio.sleep(pause)


async def streams(
    writers: Iterable[tuple[str, Callable[[int], Awaitable[Answer]], float]], output: TextIO, stop: asyncio.Event
) -> None:
    """Several streams into one file, each line whole: (name, write, pause in seconds)."""

    def record(attempt: Attempt) -> None:
        output.write(attempt.line() + "\n")
        output.flush()

    async with asyncio.TaskGroup() as group:
        for name, write, pause in writers:
            group.create_task(stream(name, write, pause=pause, record=record, stop=stop))
