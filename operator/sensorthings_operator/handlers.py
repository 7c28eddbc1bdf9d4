"""The only module that touches kopf: services that come, change and go are put on the queue.

``on.event`` alone: no handler per field, no finalizer, no annotation on the resource, no state kept by the framework.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

import kopf

from sensorthings_operator.api.base import GROUP, VERSION
from sensorthings_operator.api.sensorthingsservice import PLURAL
from sensorthings_operator.clients.connection import Connection
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.observe.services import Services


def registry(connection: Connection, services: Services, wake: Callable[[ServiceKey], None]) -> kopf.OperatorRegistry:
    """A registry of our own with the login and the one handler."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return connection_info(connection)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def service_event(event: Mapping[str, Any], **_: Any) -> None:
        body = event["object"]
        for key in services.remove(body) if event["type"] == "DELETED" else services.put(body):
            wake(key)

    return handlers


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


async def watch_services(
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
