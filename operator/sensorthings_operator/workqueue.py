"""The queue between what happens and the passes: one entry for each service, however often it was woken.

A service is in at most one pass at a time; what wakes it meanwhile is one more pass afterwards. Failing services come
back later and later, and never keep others waiting. Used by the operator's entry point.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import Gauge

from sensorthings_operator import metrics
from sensorthings_operator.clients.owned import ServiceKey

_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 300.0

Reconcile = Callable[[ServiceKey], Awaitable[float | None]]
"""One pass; the seconds after which it wants another one, or None."""
Failed = Callable[[ServiceKey, Exception, int], Awaitable[None]]
"""Told of a pass that raised, and how many in a row did so by now."""


class WorkQueue:
    """Deduplicates by service, runs passes with bounded concurrency, backs off by service with jitter."""

    def __init__(self, reconcile: Reconcile, *, failed: Failed, depth: Gauge = metrics.QUEUE_DEPTH) -> None:
        self._depth = depth
        self._reconcile = reconcile
        self._failed = failed
        self._ready: asyncio.Queue[ServiceKey] = asyncio.Queue()
        self._waiting: set[ServiceKey] = set()
        self._running: set[ServiceKey] = set()
        self._again: set[ServiceKey] = set()
        self._timers: dict[ServiceKey, asyncio.TimerHandle] = {}
        self._failures: dict[ServiceKey, int] = {}
        self._draining = False
        self._idle = asyncio.Event()

    def add(self, key: ServiceKey) -> None:
        """Ask for a pass soon."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)
            self._depth.set(len(self._waiting))

    def add_later(self, key: ServiceKey, seconds: float) -> None:
        """Ask for a pass after some time, unless something wakes the service before."""
        previous = self._timers.pop(key, None)
        if previous is not None:
            previous.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self._due, key)

    async def drain(self, seconds: float) -> None:
        """Begin no more passes, and wait for those that run; after ``seconds`` they are given up."""
        self._draining = True
        deadline = asyncio.get_running_loop().time() + seconds
        while self._running and asyncio.get_running_loop().time() < deadline:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), deadline - asyncio.get_running_loop().time())

    async def work(self) -> None:
        """Run passes for ever; as many of these run side by side as services may be in a pass."""
        while True:
            key = await self._ready.get()
            if self._draining:
                continue
            self._waiting.discard(key)
            self._depth.set(len(self._waiting))
            self._running.add(key)
            try:
                await self._pass(key)
            finally:
                self._running.discard(key)
                self._idle.set()
            if key in self._again:
                self._again.discard(key)
                self.add(key)

    async def _pass(self, key: ServiceKey) -> None:
        try:
            later = await self._reconcile(key)
        except Exception as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            await self._failed(key, error, failures)
            self.add_later(key, backoff_seconds(failures))
            return
        self._failures.pop(key, None)
        if later is not None:
            self.add_later(key, later)

    def _due(self, key: ServiceKey) -> None:
        self._timers.pop(key, None)
        self.add(key)


def backoff_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row: doubling, up to five minutes, half of it at random."""
    longest = min(_FIRST_DELAY_SECONDS * 2.0 ** min(failures - 1, 20), _LONGEST_DELAY_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret
