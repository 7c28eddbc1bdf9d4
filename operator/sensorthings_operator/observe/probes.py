"""Asks what lies outside the cluster, beside the reconcile. A pass never waits: only a changed answer wakes it.

One probe for each service, at most ``concurrency`` at a time; soon again while what is asked is not as it should be,
slowly once it is. ``databases`` and ``keycloak`` say what is asked.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.conditions.observed import Answer

_LOG: Final = logging.getLogger(__name__)
_FIRST_DELAY_SECONDS: Final = 0.3
_LONGEST_DELAY_SECONDS: Final = 15.0
_GROWTH: Final = 1.5

TargetT = TypeVar("TargetT")
"""Says what is asked, and with which credentials; another one ends the probe of the one before."""


class Probes(Generic[TargetT]):
    """The last answer about each service, kept true by one task each."""

    def __init__(
        self,
        ask: Callable[[TargetT], Awaitable[Answer]],
        *,
        surprised: str,
        changed: Callable[[ServiceKey], None],
        interval_seconds: float,
        concurrency: int = 8,
    ) -> None:
        self._ask = ask
        self._surprised = surprised
        """Reason of the answer when asking failed in a way that nobody foresaw."""
        self._changed = changed
        self._interval = interval_seconds
        self._limit = asyncio.Semaphore(concurrency)
        self._targets: dict[ServiceKey, TargetT] = {}
        self._tasks: dict[ServiceKey, asyncio.Task[None]] = {}
        self._answers: dict[ServiceKey, Answer] = {}

    def watch(self, key: ServiceKey, target: TargetT) -> Answer | None:
        """Keep asking; the last answer, or None where this target has not answered yet."""
        if self._targets.get(key) != target:
            self.forget(key)
            self._targets[key] = target
            self._tasks[key] = asyncio.create_task(self._keep_asking(key, target), name=f"probe of {key}")
        return self._answers.get(key)

    def asks(self, key: ServiceKey) -> bool:
        """Whether something is being asked for the service, answered or not."""
        return key in self._targets

    def forget(self, key: ServiceKey) -> None:
        """Stop asking."""
        self._targets.pop(key, None)
        self._answers.pop(key, None)
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Stop all probes."""
        tasks = list(self._tasks.values())
        for key in list(self._targets):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_asking(self, key: ServiceKey, target: TargetT) -> None:
        delay = _FIRST_DELAY_SECONDS
        while True:
            answer = await self._asked(target)
            if answer != self._answers.get(key):
                self._answers[key] = answer
                self._changed(key)
            pause = self._interval if answer.holds else delay
            delay = _FIRST_DELAY_SECONDS if answer.holds else min(delay * _GROWTH, _LONGEST_DELAY_SECONDS)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, no secret

    async def _asked(self, target: TargetT) -> Answer:
        async with self._limit:
            try:
                return await self._ask(target)
            except Exception as error:
                # A library's surprise must not end the probing; its text could hold what was sent.
                _LOG.exception("probe failed")
                return Answer(holds=False, reason=self._surprised, message=f"asking failed: {type(error).__name__}")
