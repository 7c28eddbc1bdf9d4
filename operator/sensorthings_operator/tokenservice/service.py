"""The token service put together: what it watches, its queue and the door, from start to a graceful stop."""

import asyncio
import contextlib
import logging
import signal
import socket
from typing import Final

import aiohttp

from sensorthings_operator import health, metrics
from sensorthings_operator.api.connector import KIND
from sensorthings_operator.apply.events import Events
from sensorthings_operator.apply.status import utc_now
from sensorthings_operator.clients.connection import Connection
from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.clients.resources import CONNECTORS
from sensorthings_operator.controller import Controller
from sensorthings_operator.desired.connector.client import CLIENT_PREFIX
from sensorthings_operator.desired.keycloak import RealmClient
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.handlers import registry, watch
from sensorthings_operator.observe.connectors import Connectors
from sensorthings_operator.reporting import REPAIRED
from sensorthings_operator.tokenservice import door
from sensorthings_operator.tokenservice.authority import DoorAuthority, authority_of
from sensorthings_operator.tokenservice.keys import DoorKeys
from sensorthings_operator.tokenservice.minting import Mint
from sensorthings_operator.tokenservice.passes import TokenPasses
from sensorthings_operator.tokenservice.secrets import TokenSecrets
from sensorthings_operator.tokenservice.status import TokenStatus

_LOG: Final = logging.getLogger(__name__)
_CONCURRENCY: Final = 8
_DRAIN_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 2.0
_SHARED_SECONDS: Final = 60.0
"""How old what is known of a client may be when its token is renewed."""


class TokenService:
    """One token service on one cluster. It keeps no state of its own: two of them would only mint more than is needed.

    Args:
        connection: To the API server.
        settings: The operator's.
        name: Of its Service and Secret in the operator's namespace.
        health_port: Of /livez, /readyz and /metrics.
        door_port: Of the door.
    """

    def __init__(
        self,
        connection: Connection,
        settings: OperatorSettings,
        *,
        name: str,
        health_port: int = health.PORT,
        door_port: int = door.PORT,
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._name = name
        self._ports = health_port, door_port
        self._client = KubernetesClient(connection)
        self._connectors = Connectors()
        self._events = Events(self._client, instance=socket.gethostname())
        self._keycloak = KeycloakClients(
            repaired=self._repaired,
            secret_days=settings.client_secret_days,
            shared_seconds=_SHARED_SECONDS,
            shared_prefix=CLIENT_PREFIX,
        )
        self._authority: DoorAuthority | None = None
        secrets = TokenSecrets(self._client)
        self._mint = Mint(self._keycloak, secrets)
        # Counted when it is asked for: at each renewal it would be all of them.
        metrics.TOKENS_GOOD.set_function(self._mint.good)
        passes = TokenPasses(
            self._client,
            settings,
            connectors=self._connectors,
            mint=self._mint,
            door_keys=DoorKeys(secrets, lambda: None if self._authority is None else self._authority.signer),
            status=TokenStatus(self._client, self._events),
        )
        self._health = health.Health(self._passes_are_due, interval_seconds=settings.resync_seconds)
        self._controller = Controller(
            self._connectors,
            passes.look,
            tell_failed=_nobody,
            health=self._health,
            resync_seconds=settings.resync_seconds,
            depth=metrics.CONNECTOR_QUEUE_DEPTH,
        )
        self.stopping = asyncio.Event()
        """Set it to stop: running passes are finished, none is begun."""

    async def run(self) -> None:
        """Work until ``stopping`` is set or a signal says so.

        Raises:
            ExceptionGroup: A task that must not end did.
        """
        self._take_signals()
        runner = await health.serve(self._health, port=self._ports[0])
        try:
            async with self._client, self._keycloak:
                await self._wait_for_crd()
                async with contextlib.AsyncExitStack() as open_door:
                    if self._settings.token_door.enabled and not self.stopping.is_set():
                        door_runner = await self._open_door()
                        open_door.push_async_callback(door_runner.cleanup)
                    await self._work()
        finally:
            await runner.cleanup()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = self._controller.start(group, _CONCURRENCY)
            tasks.append(group.create_task(self._events.run()))
            ready, stop = asyncio.Event(), asyncio.Event()
            handlers = registry(self._connection, {CONNECTORS.plural: self._controller.take})
            kopf = group.create_task(watch(handlers, self._settings.watch_namespaces, ready=ready, stop=stop))
            # Without it nobody hears of connectors any more, whatever ended it.
            kopf.add_done_callback(lambda _: self.stopping.set())
            await asyncio.wait(
                [asyncio.ensure_future(ready.wait()), asyncio.ensure_future(self.stopping.wait())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            # kopf took the signals at its start, and would cancel running passes.
            self._take_signals()
            self._health.ready = True
            _LOG.info("ready")
            await self.stopping.wait()
            self._health.ready = False
            await self._controller.drain(_DRAIN_SECONDS)
            await self._events.drain(1)
            stop.set()
            await kopf
            for task in tasks:
                task.cancel()

    async def _open_door(self) -> aiohttp.web.AppRunner:
        namespace = self._settings.namespace
        inside = f"{self._name}.{namespace}.svc.{self._settings.cluster_domain}"
        hosts = [inside, *self._settings.token_door.hosts]
        self._authority = await authority_of(self._client, namespace, self._name, hosts, utc_now())
        opened = door.Door(self._connectors, self._mint.tokens)
        return await door.serve(opened, self._authority.signer, self._authority.server, port=self._ports[1])

    async def _wait_for_crd(self) -> None:
        namespace = next(iter(self._settings.watch_namespaces), None)
        while not self.stopping.is_set():
            try:
                if await self._client.exists(f"{CONNECTORS.path(namespace)}?limit=1"):
                    return
                told = "is not served yet: install the CRDs of this release"
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                told = f"can't be asked for: {error}"
            _LOG.warning("%s %s", CONNECTORS.api_version, told)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), _AGAIN_SECONDS)

    def _repaired(self, client: RealmClient, note: str) -> None:
        """The client of a connector, or of its device, was put right."""
        named = {"namespace": client.namespace, "name": client.name, "uid": client.uid}
        self._events.tell(named, warning=True, reason=REPAIRED, note=note, now=utc_now(), kind=KIND)

    def _passes_are_due(self) -> bool:
        return self._health.ready and any(True for _ in self._connectors)

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)


async def _nobody(_: ServiceKey, __: Exception) -> None:
    """A pass that failed is in the log; the status says what is known of the token, and until when it is good."""
