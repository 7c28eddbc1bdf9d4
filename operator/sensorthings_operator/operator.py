"""The operator put together: watches, queue, workers, probes and kopf, from start to a graceful stop.

Started by ``__main__``; tests start it in their own event loop.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable
from typing import Final

import aiohttp
from prometheus_client import REGISTRY

from sensorthings_operator import health, metrics
from sensorthings_operator.apply.events import Events
from sensorthings_operator.clients import database, users
from sensorthings_operator.clients.connection import Connection
from sensorthings_operator.clients.delivery import DeliveryChecks
from sensorthings_operator.clients.discovery import Discovery
from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.lease import Lease
from sensorthings_operator.clients.owned import Owned, OwnedStore, ServiceKey
from sensorthings_operator.clients.resources import OPTIONAL_CHILDREN, PODS, SERVICES, WATCHED_CHILDREN, Resource
from sensorthings_operator.clients.watch import Watch
from sensorthings_operator.delivery import Delivery
from sensorthings_operator.desired.metadata import MANAGED_SELECTOR
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.handlers import registry, watch_services
from sensorthings_operator.observe.databases import Ask
from sensorthings_operator.observe.figures import FIGURES, ServiceFigures
from sensorthings_operator.observe.services import Services
from sensorthings_operator.observe.summaries import SUMMARIES
from sensorthings_operator.observe.users import Keep
from sensorthings_operator.outside import Outside
from sensorthings_operator.probing import AllProbes
from sensorthings_operator.reconcile import Reconciler
from sensorthings_operator.reporting import Reporter
from sensorthings_operator.workqueue import WorkQueue

_LOG: Final = logging.getLogger(__name__)
_CRD_SECONDS: Final = 2.0
_DRAIN_SECONDS: Final = 10.0
_LOST_DRAIN_SECONDS: Final = 3.0
"""How long passes may still run once the Lease is lost: less than others wait until they take it."""
_EVENTS_SECONDS: Final = 1.0
"""How long Events may still be sent after the last pass."""
_NOT_OURS: Final = (ApiError, aiohttp.ClientError, TimeoutError)
"""What a pass may raise without a mistake of the operator's own."""
_FAILURES_TOLD: Final = 3
"""Passes that fail in a row until the status says so: one conflict is nobody's concern."""
_RESYNC_PAUSE_SECONDS: Final = 0.5
"""Between two passes that nothing asked for, at least: what they cost at rest has a bound, however many services."""


class Operator:
    """One operator on one cluster."""

    def __init__(  # noqa: PLR0913 - what tests replace
        self,
        connection: Connection,
        settings: OperatorSettings,
        *,
        health_port: int = health.PORT,
        identity: str = "",
        ask: Ask = database.ask,  # replaced where tests have no PostgreSQL
        keep: Keep = users.keep,  # as above
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._health_port = health_port
        self._client = KubernetesClient(connection)
        identity = identity or socket.gethostname()
        self._lease = Lease(self._client, namespace=settings.namespace, name=settings.lease_name, identity=identity)
        self._lease_lost = False
        self._services = Services()
        self._health = health.Health(self._passes_are_due, interval_seconds=settings.resync_seconds)
        self._store = OwnedStore(SUMMARIES, FIGURES)
        self._figures = ServiceFigures(self._services, self._store)
        self._served: set[str] = set()
        """Optional kinds that the API server serves."""
        self._queue = WorkQueue(self._pass, failed=self._failed)
        self._events = Events(self._client, instance=identity)
        self._reporter = Reporter(self._client, self._services, settings, events=self._events)
        self._keycloak = KeycloakClients(repaired=self._reporter.repaired_in_keycloak)
        self._checks = DeliveryChecks(self._keycloak, self._client)
        self._probes = AllProbes.of(settings, ask, keep, self._keycloak, self._checks, changed=self._queue.add)
        self._reconciler = Reconciler(
            self._client,
            settings=settings,
            services=self._services,
            store=self._store,
            served=self._served,
            probes=self._probes.databases,
            outside=Outside(
                self._client,
                settings,
                keycloak_clients=self._keycloak,
                keycloak_probes=self._probes.keycloak,
                store=self._store,
                host_probes=self._probes.hosts,
                users_probes=self._probes.users,
            ),
            delivery=Delivery(
                self._client,
                self._store,
                settings,
                self._checks,
                self._probes.deliveries,
                warn=self._reporter.warn,
            ),
            reporter=self._reporter,
        )
        self.stopping = asyncio.Event()
        """Set it to stop: running passes are finished, none is begun."""

    async def run(self) -> bool:
        """Work until ``stopping`` is set or a signal says so; False where it stopped because the Lease was lost.

        Raises:
            ExceptionGroup: A task that must not end did.
        """
        self._take_signals()
        runner = await health.serve(self._health, port=self._health_port)
        REGISTRY.register(self._figures)
        try:
            async with self._client, self._keycloak, self._checks:
                if await self._unless_stopping(self._wait_for_crd()):
                    await self._work()
        finally:
            await self._probes.close()
            REGISTRY.unregister(self._figures)
            await runner.cleanup()
        return not self._lease_lost

    async def _work(self) -> None:
        always = [watch for resource in (*WATCHED_CHILDREN, PODS) for watch in self._watches(resource)]
        optional = [watch for resource in OPTIONAL_CHILDREN for watch in self._watches(resource)]
        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = [group.create_task(watch.run()) for watch in always]
            discovery = Discovery(self._client)
            tasks += [
                group.create_task(watch.run_while_served(discovery, self._served, self._look_at_all))
                for watch in optional
            ]
            # A pass before everything is listed would take what it does not know yet for missing.
            listed = asyncio.gather(*(watch.listed.wait() for watch in (*always, *optional)))
            if await self._unless_stopping(listed) and await self._unless_stopping(self._lease.acquire()):
                tasks += await self._lead(group)
            for task in tasks:
                task.cancel()

    async def _lead(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Act until it is time to stop; the tasks that still run then."""
        metrics.LEADER.set(1)
        tasks = [group.create_task(self._queue.work()) for _ in range(self._settings.concurrency)]
        tasks += [group.create_task(task) for task in (self._resync(), self._hold(), self._events.run())]
        await self._serve(group)
        metrics.LEADER.set(0)
        if not self._lease_lost:
            await self._lease.release()
        return tasks

    async def _hold(self) -> None:
        await self._lease.hold()
        self._lease_lost = True
        self.stopping.set()

    async def _serve(self, group: asyncio.TaskGroup) -> None:
        ready, stop = asyncio.Event(), asyncio.Event()
        handlers = registry(self._connection, self._services, self._queue.add)
        kopf = group.create_task(watch_services(handlers, self._settings.watch_namespaces, ready=ready, stop=stop))
        # Without it nobody hears of services any more, whatever ended it.
        kopf.add_done_callback(lambda _: self.stopping.set())
        if await self._unless_stopping(ready.wait()):
            # kopf took the signals at its start, and would cancel running passes.
            self._take_signals()
            self._health.ready = True
            _LOG.info("ready")
            await self.stopping.wait()
        self._health.ready = False
        await self._queue.drain(_LOST_DRAIN_SECONDS if self._lease_lost else _DRAIN_SECONDS)
        await self._events.drain(_EVENTS_SECONDS)
        # kopf waits 5 s for whatever was started since it began.
        await self._probes.close()
        stop.set()
        await kopf

    def _passes_are_due(self) -> bool:
        return self._health.ready and any(True for _ in self._services)

    async def _unless_stopping(self, step: Awaitable[object]) -> bool:
        """Wait for a step of the start; whether it came to its end before it was time to stop."""
        tasks = [asyncio.ensure_future(step), asyncio.ensure_future(self.stopping.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
            return tasks[0].done()
        finally:
            for task in tasks:
                task.cancel()

    def _watches(self, resource: Resource) -> list[Watch]:
        namespaces: list[str | None] = [*self._settings.watch_namespaces] or [None]
        return [
            Watch(
                self._client,
                self._store,
                resource,
                namespace=namespace,
                label_selector=MANAGED_SELECTOR,
                changed=self._child_changed,
            )
            for namespace in namespaces
        ]

    def _look_at_all(self) -> None:
        for key in self._services:
            self._queue.add(key)

    def _child_changed(self, child: Owned) -> None:
        if self._services.get(child.service_key) is not None:
            self._queue.add(child.service_key)

    async def _pass(self, key: ServiceKey) -> float | None:
        token = object()
        self._health.pass_started(token)
        try:
            later = await self._reconciler.reconcile(key)
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
            await self._reporter.failed(key, error)
        except _NOT_OURS as unheard:
            _LOG.warning("the status of %s can't be written: %s", where, unheard, extra={"service": where})

    async def _resync(self) -> None:
        """Every service is looked at once in each interval, spread evenly over it; many make it longer."""
        while True:
            keys = list(self._services)
            pause = resync_pause_seconds(self._settings.resync_seconds, len(keys))
            for key in keys:
                await asyncio.sleep(pause)
                self._queue.add(key)
            if not keys:
                await asyncio.sleep(pause)

    async def _wait_for_crd(self) -> None:
        namespace = next(iter(self._settings.watch_namespaces), None)
        while True:
            try:
                if await self._client.exists(f"{SERVICES.path(namespace)}?limit=1"):
                    return
                told = "is not served yet: install the CRDs of this release"
            except _NOT_OURS as error:
                told = f"can't be asked for: {error}"
            _LOG.warning("%s %s", SERVICES.api_version, told)
            await asyncio.sleep(_CRD_SECONDS)

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)


def resync_pause_seconds(interval_seconds: float, services: int) -> float:
    """How long to wait before each service's turn, so that all have one in the interval, or two of them a second."""
    return max(interval_seconds / max(1, services), _RESYNC_PAUSE_SECONDS)


def _error_name(error: Exception) -> str:
    """Of few values, for a label: what the API server answered, or the type."""
    return f"{error.status} {error.reason}".strip() if isinstance(error, ApiError) else type(error).__name__
