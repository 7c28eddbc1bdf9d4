"""A line to Keycloak that counts what is asked over it, and can be cut; and how evenly that is spread."""

from __future__ import annotations

import asyncio
import math
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from tests.keycloak.conftest import Line

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Sequence

_REQUEST_LINE: Final = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.1\r\n")
"""Clients here send a request once the one before is answered, so that each begins a piece of its own."""
_PATIENCE: Final = 10.0


@dataclass(frozen=True)
class Call:
    """One request; ``at`` in the seconds of ``time.monotonic``."""

    at: float
    method: str
    target: str
    """Path and query."""


class Tally:
    """What was asked; made by ``counting``."""

    def __init__(self, target: int, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._line = Line(target, self._hear)
        self._calls: list[Call] = []

    @property
    def url(self) -> str:
        """Of Keycloak, by way of the line."""
        return f"http://127.0.0.1:{self._line.port}"

    def connect(self) -> None:
        """Lead to Keycloak, again."""
        self._run(self._line.connect())

    def cut(self) -> None:
        """Lead nowhere."""
        self._run(self._line.cut())

    def taken(self) -> list[Call]:
        """The calls since this was asked last."""
        calls, self._calls = self._calls, []
        return calls

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_PATIENCE)

    def _hear(self, piece: bytes) -> None:
        found = _REQUEST_LINE.match(piece)
        if found is not None:
            self._calls.append(Call(time.monotonic(), found[1].decode(), found[2].decode()))


@contextmanager
def counting(port: int) -> Iterator[Tally]:
    """A line to a port of the loopback, served by a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="tally", daemon=True)
    thread.start()
    tally = Tally(port, loop)
    tally.connect()
    try:
        yield tally
    finally:
        tally.cut()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE)


@dataclass(frozen=True)
class PerSecond:
    """How many calls a second had."""

    least: int
    median: float
    most: int
    mean: float
    seconds: int

    def __str__(self) -> str:
        return f"{self.least}, {self.median:g}, {self.most} (least, median, most) with a mean of {self.mean:.1f}"


def per_second(times: Sequence[float], begun: float, ended: float) -> PerSecond:
    """Of the whole seconds from a beginning to an end."""
    seconds = int(ended - begun)
    counted = Counter(int(at - begun) for at in times if begun <= at < begun + seconds)
    counts = [counted[second] for second in range(seconds)]
    return PerSecond(min(counts), median(counts), max(counts), sum(counts) / seconds, seconds)


def likely_peak(mean: float, seconds: int) -> int:
    """The most in a second that one would see half of the time, if calls came one by one and at random (Poisson)."""
    count, term = 0, math.exp(-mean)
    at_most = term
    while at_most**seconds < 0.5:
        count += 1
        term *= mean / count
        at_most += term
    return count
