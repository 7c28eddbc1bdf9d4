"""The only module that touches kopf: custom resources that come, change and go are told of.

``on.event`` alone: no handler per field, no finalizer, no annotation on the resource, no state kept by the framework.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import kopf

from sensorthings_operator.api.base import GROUP, VERSION
from sensorthings_operator.clients.connection import Connection
from sensorthings_operator.observe.bodies import Body

Told = Callable[[Body, bool], object]
"""Told of a resource as it is now, and whether it was deleted."""


def registry(connection: Connection, told: Mapping[str, Told]) -> kopf.OperatorRegistry:
    """A registry of our own with the login and one handler for each kind, by the plural of its name."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return connection_info(connection)

    for plural, tell in told.items():
        kopf.on.event(GROUP, VERSION, plural, registry=handlers, id=plural)(_handler(tell))
    return handlers


def _handler(tell: Told) -> Callable[..., Awaitable[None]]:
    async def handle(event: Mapping[str, Any], **_: Any) -> None:
        tell(event["object"], event["type"] == "DELETED")

    return handle


def connection_info(connection: Connection) -> kopf.ConnectionInfo:
    """The connection in kopf's terms. kopf asks again when the API server refuses an outdated token."""
    return kopf.ConnectionInfo(
        server=connection.server,
        ca_data=connection.ca,
        certificate_data=connection.client_certificate,
        private_key_data=connection.client_key,
        token=connection.token(),
    )


class NothingRemembered(kopf.DiffBaseStorage):
    """No state that was handled last: kopf would copy each service for each event to compare it with nothing."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing of a service is compared."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        """Nothing was stored."""

    def store(self, **_: Any) -> None:
        """Nothing is stored."""


def settings() -> kopf.OperatorSettings:
    """kopf with everything off that writes, scans or keeps; the numbers are those measured to keep memory small."""
    tuned = kopf.OperatorSettings()
    tuned.persistence.diffbase_storage = NothingRemembered()
    tuned.posting.enabled = False
    tuned.scanning.disabled = True
    tuned.watching.chunk_size = 500
    tuned.queueing.idle_timeout = 0.2
    tuned.queueing.exit_timeout = 0.3
    tuned.process.ultimate_exiting_timeout = None
    return tuned


async def watch(
    handlers: kopf.OperatorRegistry, namespaces: list[str], *, ready: asyncio.Event, stop: asyncio.Event
) -> None:
    """Watch until told to stop; in all namespaces where none is named."""
    # Given, because kopf would look up the user's name, and the image's user has none. Its type is private to kopf.
    identity: Any = socket.gethostname()
    await kopf.operator(
        registry=handlers,
        settings=settings(),
        standalone=True,
        identity=identity,
        clusterwide=not namespaces,
        namespaces=namespaces,
        ready_flag=ready,
        stop_flag=stop,
    )
