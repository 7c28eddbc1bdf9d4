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
from sensorthings_operator.cataloguing import Cataloguing
from sensorthings_operator.clients import database, users
from sensorthings_operator.clients.access import AccessSource
from sensorthings_operator.clients.ckan_entries import CkanEntries
from sensorthings_operator.clients.connection import Connection
from sensorthings_operator.clients.datasets import DatasetReader
from sensorthings_operator.clients.delivery import DeliveryChecks
from sensorthings_operator.clients.discovery import Discovery
from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.lease import Lease
from sensorthings_operator.clients.owned import Owned, OwnedStore, ServiceKey
from sensorthings_operator.clients.resources import (
    CONNECTORS,
    OPTIONAL_CHILDREN,
    PODS,
    SERVICES,
    WATCHED_CHILDREN,
    Resource,
)
from sensorthings_operator.clients.watch import Watch, watches
from sensorthings_operator.controller import Controller
from sensorthings_operator.delivery import Delivery
from sensorthings_operator.desired.metadata import MANAGED_SELECTOR
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.feeding import Feeding
from sensorthings_operator.handlers import registry, watch
from sensorthings_operator.observe.bodies import Body
from sensorthings_operator.observe.databasefigures import DatabaseFigures
from sensorthings_operator.observe.databases import Ask
from sensorthings_operator.observe.figures import FIGURES, ServiceFigures
from sensorthings_operator.observe.services import Services
from sensorthings_operator.observe.summaries import SUMMARIES
from sensorthings_operator.observe.users import Keep
from sensorthings_operator.outside import Outside
from sensorthings_operator.probing import AllProbes
from sensorthings_operator.publishing import Publishing
from sensorthings_operator.reconcile import Reconciler
from sensorthings_operator.reporting import Reporter

_LOG: Final = logging.getLogger(__name__)
_CRD_SECONDS: Final = 2.0
_DRAIN_SECONDS: Final = 10.0
_LOST_DRAIN_SECONDS: Final = 3.0
"""How long passes may still run once the Lease is lost: less than others wait until they take it."""
_EVENTS_SECONDS: Final = 1.0
"""How long Events may still be sent after the last pass."""
_NOT_OURS: Final = (ApiError, aiohttp.ClientError, TimeoutError)
"""What a look at the API server may raise without a mistake of the operator's own."""
_SHARED_PART: Final = 0.99
"""Of a service's turn: so old the read of its realm may be that services share, and one alone reads anew in each."""
_CONNECTOR_CONCURRENCY: Final = 4
"""Connectors reconciled at the same time."""


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
        self._served: set[str] = set()
        """Optional kinds that the API server serves."""
        self._controller = Controller(
            self._services,
            self._reconcile,
            tell_failed=self._tell_failed,
            health=self._health,
            resync_seconds=settings.resync_seconds,
            depth=metrics.QUEUE_DEPTH,
        )
        self._events = Events(self._client, instance=identity)
        self._reporter = Reporter(self._client, self._services, settings, events=self._events)
        self._keycloak = KeycloakClients(
            repaired=self._reporter.repaired_outside,
            drifted=lambda client: self._probes.keycloak.ask_now((client.namespace, client.name)),
            secret_days=settings.client_secret_days,
            shared_seconds=settings.keycloak_probe_seconds * _SHARED_PART,
        )
        self._checks = DeliveryChecks(self._keycloak, self._client)
        self._datasets = DatasetReader(AccessSource(self._keycloak, self._client))
        self._ckan = CkanEntries(repaired=self._reporter.repaired_outside)
        self._probes = AllProbes.of(
            settings,
            ask,
            keep,
            self._keycloak,
            self._checks,
            datasets=self._datasets,
            ckan=self._ckan,
            changed=self._controller.add,
            repaired=self._reporter.repaired_outside,
        )
        self._figures = (
            ServiceFigures(self._services, self._store),
            DatabaseFigures(self._services, self._probes.databases.answer),
        )
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
                publishing=Publishing(self._client, settings, ckan=self._ckan, probes=self._probes.entries),
            ),
            delivery=Delivery(
                self._client,
                self._store,
                settings,
                self._checks,
                self._probes.deliveries,
                warn=self._reporter.warn,
            ),
            cataloguing=Cataloguing(self._client, self._store, settings, self._probes.data),
            reporter=self._reporter,
        )
        self._feeding = Feeding(
            self._client,
            settings,
            services=self._services,
            service_children=self._store,
            keycloak=self._keycloak,
            events=self._events,
            health=self._health,
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
        for figures in self._figures:
            REGISTRY.register(figures)
        try:
            async with self._client, self._keycloak, self._checks, self._datasets, self._ckan, self._feeding:
                if await self._unless_stopping(self._wait_for_crd()):
                    await self._work()
        finally:
            await self._probes.close()
            for figures in self._figures:
                REGISTRY.unregister(figures)
            await runner.cleanup()
        return not self._lease_lost

    async def _work(self) -> None:
        always = self._watches(*WATCHED_CHILDREN, PODS)
        always += self._feeding.watches()
        optional = self._watches(*OPTIONAL_CHILDREN)
        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = [group.create_task(watch.run()) for watch in always]
            discovery = Discovery(self._client)
            tasks += [
                group.create_task(watch.run_while_served(discovery, self._served, self._controller.look_at_all))
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
        tasks = self._controller.start(group, self._settings.concurrency)
        tasks += self._feeding.controller.start(group, _CONNECTOR_CONCURRENCY)
        tasks += [group.create_task(task) for task in (self._hold(), self._events.run())]
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
        told = {SERVICES.plural: self._service_told, CONNECTORS.plural: self._feeding.controller.take}
        handlers = registry(self._connection, told)
        kopf = group.create_task(watch(handlers, self._settings.watch_namespaces, ready=ready, stop=stop))
        # Without it nobody hears of services any more, whatever ended it.
        kopf.add_done_callback(lambda _: self.stopping.set())
        if await self._unless_stopping(ready.wait()):
            # kopf took the signals at its start, and would cancel running passes.
            self._take_signals()
            self._health.ready = True
            _LOG.info("ready")
            await self.stopping.wait()
        self._health.ready = False
        seconds = _LOST_DRAIN_SECONDS if self._lease_lost else _DRAIN_SECONDS
        await asyncio.gather(self._controller.drain(seconds), self._feeding.controller.drain(seconds))
        await self._events.drain(_EVENTS_SECONDS)
        # kopf waits 5 s for whatever was started since it began.
        await asyncio.gather(self._probes.close(), self._feeding.close())
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

    def _watches(self, *resources: Resource) -> list[Watch]:
        return watches(
            self._client,
            self._store,
            resources,
            namespaces=self._settings.watch_namespaces,
            label_selector=MANAGED_SELECTOR,
            changed=self._child_changed,
        )

    def _service_told(self, body: Body, deleted: bool) -> None:  # noqa: FBT001 - as the handlers tell it
        for key in self._controller.take(body, deleted):
            self._feeding.service_changed(key)

    async def _reconcile(self, key: ServiceKey) -> float | None:
        return await self._reconciler.reconcile(key)

    async def _tell_failed(self, key: ServiceKey, error: Exception) -> None:
        await self._reporter.failed(key, error)

    def _child_changed(self, child: Owned) -> None:
        if self._services.get(child.service_key) is not None:
            self._controller.add(child.service_key)

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
