"""Passes over the resources of one kind: woken by what happens, and repeated in each interval. Used by the operator."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import aiohttp
from prometheus_client import Gauge

from sensorthings_operator import metrics
from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.health import Health
from sensorthings_operator.observe.bodies import Bodies, Body
from sensorthings_operator.workqueue import Reconcile, WorkQueue

_LOG: Final = logging.getLogger(__name__)
_NOT_OURS: Final = (ApiError, aiohttp.ClientError, TimeoutError)
"""What a pass may raise without a mistake of the operator's own."""
_FAILURES_TOLD: Final = 3
"""Passes that fail in a row until the status says so: one conflict is nobody's concern."""
_RESYNC_PAUSE_SECONDS: Final = 0.5
"""Between two passes that nothing asked for, at least: what they cost at rest has a bound, however many there are."""


class Controller:
    """The queue of one kind, and what is done about passes that fail.

    Args:
        bodies: The resources.
        reconcile: One pass.
        tell_failed: Says in a resource's status that passes over it fail.
        health: Of the process.
        resync_seconds: In which each resource has a pass also when nothing happens.
        depth: How many wait, for Prometheus.
    """

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        bodies: Bodies,
        reconcile: Reconcile,
        *,
        tell_failed: Callable[[ServiceKey, Exception], Awaitable[None]],
        health: Health,
        resync_seconds: float,
        depth: Gauge,
    ) -> None:
        self._bodies = bodies
        self._reconcile = reconcile
        self._tell_failed = tell_failed
        self._health = health
        self._resync_seconds = resync_seconds
        self._queue = WorkQueue(self._pass, failed=self._failed, depth=depth)
        self.add = self._queue.add
        """Ask for a pass soon."""
        self.drain = self._queue.drain
        """Begin no more passes, and wait for those that run."""

    def start(self, group: asyncio.TaskGroup, concurrency: int) -> list[asyncio.Task[None]]:
        """Begin to work; the tasks never end."""
        tasks: list[asyncio.Task[None]] = [group.create_task(self._queue.work()) for _ in range(concurrency)]
        return [*tasks, group.create_task(self._resync())]

    def take(self, body: Body, deleted: bool) -> frozenset[ServiceKey]:  # noqa: FBT001 - as the handlers tell it
        """Take in a resource as it is now, and look at what it touches; which of the same kind that are."""
        touched = self._bodies.take(body, deleted=deleted)
        for key in touched:
            self.add(key)
        return touched

    def look_at_all(self) -> None:
        """Ask for a pass over everything."""
        for key in self._bodies:
            self.add(key)

    async def _pass(self, key: ServiceKey) -> float | None:
        token = object()
        self._health.pass_started(token)
        try:
            later = await self._reconcile(key)
        except BaseException:
            metrics.PASSES.labels("failed").inc()
            raise
        finally:
            self._health.pass_finished(token)
        metrics.PASSES.labels("done").inc()
        return later

    async def _failed(self, key: ServiceKey, error: Exception, failures: int) -> None:
        where = "/".join(key)
        metrics.LAST_ERROR.labels(_error_name(error)).set_to_current_time()
        if isinstance(error, _NOT_OURS):
            _LOG.warning("pass over %s failed, again later: %s", where, error, extra={"service": where})
        else:
            _LOG.error("pass over %s failed, again later", where, exc_info=error, extra={"service": where})
        if failures < _FAILURES_TOLD:
            return
        try:
            await self._tell_failed(key, error)
        except _NOT_OURS as unheard:
            _LOG.warning("the status of %s can't be written: %s", where, unheard, extra={"service": where})

    async def _resync(self) -> NoReturn:
        """Everything is looked at once in each interval, spread evenly over it; many make it longer."""
        while True:
            keys = list(self._bodies)
            pause = resync_pause_seconds(self._resync_seconds, len(keys))
            for key in keys:
                await asyncio.sleep(pause)
                self.add(key)
            if not keys:
                await asyncio.sleep(pause)


def resync_pause_seconds(interval_seconds: float, resources: int) -> float:
    """How long to wait before each one's turn, so that all have one in the interval, or two of them a second."""
    return max(interval_seconds / max(1, resources), _RESYNC_PAUSE_SECONDS)


def _error_name(error: Exception) -> str:
    """Of few values, for a label: what the API server answered, or the type."""
    return f"{error.status} {error.reason}".strip() if isinstance(error, ApiError) else type(error).__name__
