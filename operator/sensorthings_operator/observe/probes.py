"""Asks databases beside the reconcile. A pass never waits for a probe: only a changed answer wakes it.

One probe for each service, at most ``concurrency`` at a time; soon again while a database does not answer, slowly
once it does.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sensorthings_operator.clients.database import Credentials, DatabaseAnswer
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.conditions.database import DATABASE_REACHABLE
from sensorthings_operator.conditions.observed import DatabaseProbe
from sensorthings_operator.desired.addresses import DatabaseAddress

_LOG: Final = logging.getLogger(__name__)
_FIRST_DELAY_SECONDS: Final = 0.3
_LONGEST_DELAY_SECONDS: Final = 15.0
_GROWTH: Final = 1.5

Ask = Callable[[DatabaseAddress, Credentials], Awaitable[tuple[DatabaseAnswer, str]]]


def last_answer(body: Mapping[str, Any]) -> DatabaseProbe | None:
    """What the status of a service says that its database answered: it stands until it is known better.

    Without it, each start of the operator would take every service for not ready.
    """
    for condition in body.get("status", {}).get("conditions", ()):
        if condition["type"] == DATABASE_REACHABLE.type and condition["reason"] in set(DatabaseAnswer):
            return DatabaseProbe(condition["status"] == "True", condition["reason"], condition["message"])
    return None


@dataclass(frozen=True)
class Target:
    """What is asked, and with which credentials."""

    address: DatabaseAddress
    credentials: Credentials


class DatabaseProbes:
    """The last answer of each service's database, kept true by one task each."""

    def __init__(
        self, ask: Ask, *, changed: Callable[[ServiceKey], None], interval_seconds: float, concurrency: int = 8
    ) -> None:
        self._ask = ask
        self._changed = changed
        self._interval = interval_seconds
        self._limit = asyncio.Semaphore(concurrency)
        self._targets: dict[ServiceKey, Target] = {}
        self._tasks: dict[ServiceKey, asyncio.Task[None]] = {}
        self._answers: dict[ServiceKey, DatabaseProbe] = {}

    def watch(self, key: ServiceKey, target: Target) -> DatabaseProbe | None:
        """Keep asking this database; its last answer, or None where a new one has not answered yet."""
        if self._targets.get(key) != target:
            self.forget(key)
            self._targets[key] = target
            self._tasks[key] = asyncio.create_task(self._keep_asking(key, target), name=f"database probe {key}")
        return self._answers.get(key)

    def asks(self, key: ServiceKey) -> bool:
        """Whether a database is being asked for the service, answered or not."""
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

    async def _keep_asking(self, key: ServiceKey, target: Target) -> None:
        delay = _FIRST_DELAY_SECONDS
        while True:
            answer = await self._asked(target)
            if answer != self._answers.get(key):
                self._answers[key] = answer
                self._changed(key)
            pause = self._interval if answer.reachable else delay
            delay = _FIRST_DELAY_SECONDS if answer.reachable else min(delay * _GROWTH, _LONGEST_DELAY_SECONDS)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, no secret

    async def _asked(self, target: Target) -> DatabaseProbe:
        async with self._limit:
            try:
                answer, message = await self._ask(target.address, target.credentials)
            except Exception as error:
                # A driver's surprise must not end the probing; its text could hold what was sent.
                _LOG.exception("database probe failed")
                answer, message = DatabaseAnswer.UNREACHABLE, f"the database could not be asked: {type(error).__name__}"
        return DatabaseProbe(answer is DatabaseAnswer.REACHABLE, answer.value, message)
