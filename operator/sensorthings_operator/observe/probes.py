"""Asks what lies outside the cluster, beside the reconcile. A pass never waits: only a changed answer wakes it.

One probe for each service, at most ``concurrency`` at a time; soon again while what is asked is not as it should be,
slowly once it is: those that are well are asked one every two seconds at most, however many they are, and one of
them at once where a pass has a reason to doubt it. Many that began together are spread evenly by their second question.
``databases`` and ``keycloak`` say what is asked.
"""

import asyncio
import contextlib
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
_SECONDS_BETWEEN: Final = 2.0
"""Between two questions about what is well: a thousand cost no more than fifteen that are asked twice a minute."""

TargetT = TypeVar("TargetT")
"""Says what is asked, and with which credentials; another one ends the probe of the one before."""


def afresh(ask: Callable[[TargetT], Awaitable[Answer]]) -> Callable[[TargetT, Answer | None], Awaitable[Answer]]:
    """Ask as if for the first time, whatever was answered before."""

    async def asked(target: TargetT, _: Answer | None) -> Answer:
        return await ask(target)

    return asked


class Probes(Generic[TargetT]):
    """The last answer about each service, kept true by one task each."""

    def __init__(  # noqa: PLR0913 - how often what is asked
        self,
        ask: Callable[[TargetT, Answer | None], Awaitable[Answer]],
        *,
        surprised: str,
        changed: Callable[[ServiceKey], None],
        interval_seconds: float,
        concurrency: int = 8,
        seconds_between: float = _SECONDS_BETWEEN,
        longest_delay_seconds: float = _LONGEST_DELAY_SECONDS,
        hurried: Callable[[TargetT], bool] = lambda _: False,
        seconds_between_hurried: float = _SECONDS_BETWEEN,
    ) -> None:
        self._ask = ask
        """Told what is asked, and the last answer where there is one."""
        self._surprised = surprised
        """Reason of the answer when asking failed in a way that nobody foresaw."""
        self._changed = changed
        self._interval = interval_seconds
        self._seconds_between = seconds_between
        self._longest_delay = longest_delay_seconds
        self._hurried = hurried
        """What has turns of its own: clients notice how old its answer is."""
        self._seconds_between_hurried = seconds_between_hurried
        self._limit = asyncio.Semaphore(concurrency)
        self._targets: dict[ServiceKey, TargetT] = {}
        self._in_a_hurry: set[ServiceKey] = set()
        """Those of them that are hurried: counted at each turn of each."""
        self._tasks: dict[ServiceKey, asyncio.Task[None]] = {}
        self._answers: dict[ServiceKey, Answer] = {}
        self._doubts: dict[ServiceKey, asyncio.Event] = {}
        self._asked_at: dict[ServiceKey, float] = {}
        """When each question was last asked, in the event loop's time."""

    def watch(self, key: ServiceKey, target: TargetT, *, known: Answer | None = None) -> Answer | None:
        """Keep asking; the last answer, or None where this target has not answered yet.

        ``known`` is what it answered before the operator started: one that was well can wait for its turn.
        """
        if self._targets.get(key) != target:
            was_asked = key in self._targets
            self.forget(key)
            self._targets[key] = target
            if self._hurried(target):
                self._in_a_hurry.add(key)
            self._doubts[key] = asyncio.Event()
            waits = not was_asked and known is not None and known.holds
            asking = self._keep_asking(key, target, known=known, waits=waits)
            self._tasks[key] = asyncio.create_task(asking, name=f"probe of {key}")
        return self.answer(key)

    def answer(self, key: ServiceKey) -> Answer | None:
        """The last answer; None where there is none yet, or nothing is asked."""
        return self._answers.get(key)

    def doubt(self, key: ServiceKey) -> None:
        """Ask now, unless it was asked within the interval: something depends on it that is not as it should be."""
        asked_at = self._asked_at.get(key)
        recently = asked_at is not None and asyncio.get_running_loop().time() - asked_at < self._interval
        if key in self._doubts and not recently:
            self._doubts[key].set()

    def ask_now(self, key: ServiceKey) -> None:
        """Ask now, whenever it was asked last: somebody else saw that it is not as it should be."""
        if key in self._doubts:
            self._doubts[key].set()

    def asks(self, key: ServiceKey) -> bool:
        """Whether something is being asked for the service, answered or not."""
        return key in self._targets

    def forget(self, key: ServiceKey) -> None:
        """Stop asking."""
        self._targets.pop(key, None)
        self._in_a_hurry.discard(key)
        self._answers.pop(key, None)
        self._doubts.pop(key, None)
        self._asked_at.pop(key, None)
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Stop all probes."""
        tasks = list(self._tasks.values())
        for key in list(self._targets):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_asking(self, key: ServiceKey, target: TargetT, *, known: Answer | None, waits: bool) -> None:
        delay, was_well = _FIRST_DELAY_SECONDS, waits
        if waits:
            await self._pause(key, self._part_of_turn(key))
        while True:
            self._asked_at[key] = asyncio.get_running_loop().time()
            before = self._answers.get(key)
            answer = await self._asked(target, before or known)
            # Kept also where it says the same: it may hold figures that are no news.
            self._answers[key] = answer
            if answer != before:
                self._changed(key)
            if answer.holds:
                delay = _FIRST_DELAY_SECONDS
                await self._pause(key, self._turn(key) if was_well else self._part_of_turn(key))
            else:
                await self._pause(key, delay * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, no secret
                delay = min(delay * _GROWTH, self._longest_delay)
            was_well = answer.holds

    def _turn(self, key: ServiceKey) -> float:
        """Seconds until one that is well is asked again."""
        hurried = len(self._in_a_hurry)
        if key in self._in_a_hurry:
            return max(self._interval, hurried * self._seconds_between_hurried)
        return max(self._interval, (len(self._targets) - hurried) * self._seconds_between)

    def _part_of_turn(self, key: ServiceKey) -> float:
        return self._turn(key) * random.random()  # noqa: S311 - spreads them, no secret

    async def _pause(self, key: ServiceKey, seconds: float) -> None:
        doubt = self._doubts[key]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await doubt.wait()
        doubt.clear()

    async def _asked(self, target: TargetT, before: Answer | None) -> Answer:
        async with self._limit:
            try:
                return await self._ask(target, before)
            except Exception as error:
                # A library's surprise must not end the probing; its text could hold what was sent.
                _LOG.exception("probe failed")
                told = f"asking failed: {type(error).__name__}"
                known = None if before is None else before.replication
                return Answer(holds=False, reason=self._surprised, message=told, replication=known)
