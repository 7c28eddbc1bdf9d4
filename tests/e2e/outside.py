"""What a client outside the cluster sees of a service: everything encrypted, by one name."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from sensorthings_operator.cli import tls
from sensorthings_operator.cli.access import Access
from sensorthings_operator.cli.addresses import BrokerUrl
from sensorthings_operator.cli.subscription import Subscription
from tests.e2e.clients import MODEL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.e2e.services import Service


class Outside:
    """A client of a service that is exposed.

    Args:
        service: the service.
        address: where its names lead, on the host's loopback.
        authority: PEM file of the CAs to trust.
    """

    def __init__(self, service: Service, address: str, authority: Path) -> None:
        self.service = service
        self.access = Access(authority=tls.Authority.read(authority), connect_to=ip_address(address))

    def endpoint(self, name: str) -> str:
        """A URL of the status."""
        (url,) = (each["url"] for each in self.service.body["status"]["endpoints"] if each["name"] == name)
        return str(url)

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any, str]:
        """One request below the version: status, JSON and Location."""
        async with self.access.http(timeout=20) as session:
            url = f"{self.endpoint('sensorthings')}/{path}"
            async with session.request(method, url, json=body) as answer:
                text = await answer.text()
                return answer.status, json.loads(text) if text else None, answer.headers.get("Location", "")

    async def datastream(self) -> int:
        """A new one."""
        status, _, location = await self.call("POST", "Things", MODEL)
        assert status == 201
        thing = location.rsplit("/", 1)[1]
        _, found, _ = await self.call("GET", f"{thing}/Datastreams?$select=id")
        return int(found["value"][0]["@iot.id"])

    async def observe(self, datastream: int, result: int) -> None:
        """POST an Observation, which has to be acknowledged."""
        status, told, _ = await self.call("POST", f"Datastreams({datastream})/Observations", {"result": result})
        assert status == 201, told

    @asynccontextmanager
    async def subscribed(self, endpoint: str, datastream: int) -> AsyncIterator[Subscription]:
        """A subscriber by MQTT or WebSocket, verified."""
        topic = f"v1.1/Datastreams({datastream})/Observations"
        async with Subscription(BrokerUrl.parse(self.endpoint(endpoint)), [topic], access=self.access) as there:
            yield there


async def next_result(subscription: Subscription) -> int:
    """The result of the next Observation that a subscriber is told of."""
    message = await asyncio.wait_for(anext(aiter(subscription)), 20)
    return int(json.loads(message.payload)["result"])
