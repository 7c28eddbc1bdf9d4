"""A client of a SensorThings service that numbers its Observations, and notes when each was sent, taken and told of."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.subscription import Subscription
from tests.e2e.clients import MODEL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import aiohttp

    from sensorthings_operator.cli.access import Access
    from sensorthings_operator.cli.addresses import BrokerUrl, ServiceUrl

_CREATED: Final = 201
_WARM: Final = 300
"""Observations that are posted, and told of, before anything counts: a JVM is slow at first."""
_WARM_AT_MOST: Final = 10 * _WARM
_AT_ONCE: Final = 4
_PAGE: Final = 1000
_TIMEOUT: Final = 30.0


@dataclass
class Poster:
    """POSTs Observations to one Datastream.

    Args:
        http: the session.
        service: the service's URL, down to the version.
        datastream: such as ``Datastreams(1)``.
    """

    http: aiohttp.ClientSession
    service: ServiceUrl
    datastream: str
    begun: list[float] = field(default_factory=list)
    """``time.perf_counter`` when each was sent; its result is its place in this list."""
    acknowledged: dict[int, float] = field(default_factory=dict)
    """When each was taken."""
    failed: list[str] = field(default_factory=list)
    """What came instead."""

    @property
    def topic(self) -> str:
        """Where its Observations are published."""
        return f"{self.service.root.name}/{self.datastream}/Observations"

    async def post(self) -> None:
        """One Observation; never raises for what the network does."""
        number = len(self.begun)
        self.begun.append(time.perf_counter())
        try:
            async with self.http.post(f"{self.service}/{self.datastream}/Observations", json={"result": number}) as got:
                told = await got.text()
                if got.status == _CREATED:
                    self.acknowledged[number] = time.perf_counter()
                else:
                    self.failed.append(f"{got.status} {told[:200]}")
        except (OSError, TimeoutError) as error:
            self.failed.append(repr(error))

    async def paced(self, rate: float, going: Callable[[], bool]) -> range:
        """An open loop: so many a second, whether those before were answered or not; all are answered at its end.

        Returns:
            The numbers that were sent.
        """
        first, start = len(self.begun), time.perf_counter()
        async with asyncio.TaskGroup() as posting:
            while going():
                posting.create_task(self.post())
                await asyncio.sleep(max(0.0, start + (len(self.begun) - first + 1) / rate - time.perf_counter()))
        return range(first, len(self.begun))

    async def pressed(self, workers: int, seconds: float) -> float:
        """A closed loop of so many; acknowledged a second."""
        before, start = len(self.acknowledged), time.perf_counter()

        async def work() -> None:
            while time.perf_counter() < start + seconds:
                await self.post()

        await asyncio.gather(*(work() for _ in range(workers)))
        return (len(self.acknowledged) - before) / (time.perf_counter() - start)

    async def stored(self) -> dict[int, int]:
        """How often each result stands in the database."""
        found: dict[int, int] = {}
        url = f"{self.service}/{self.datastream}/Observations?$select=id,result&$orderby=id&$top={_PAGE}&$skip="
        while True:
            async with self.http.get(f"{url}{sum(found.values())}") as answer:
                answer.raise_for_status()
                page = [int(entity["result"]) for entity in (await answer.json())["value"]]
            if not page:
                return found
            for result in page:
                found[result] = found.get(result, 0) + 1


@dataclass
class Told:
    """What one subscriber was told of."""

    arrived: dict[int, float] = field(default_factory=dict)
    """``time.perf_counter`` when each came first."""
    again: int = 0
    lost: bool = False
    """Whether its connection ended."""


@asynccontextmanager
async def subscribed(broker: BrokerUrl, topic: str, access: Access) -> AsyncIterator[Told]:
    """A subscriber with QoS 1 while the block runs."""
    told = Told()
    async with Subscription(broker, [topic], access=access) as subscription:
        listening = asyncio.create_task(_listen(subscription, told))
        try:
            yield told
        finally:
            listening.cancel()


async def _listen(subscription: Subscription, told: Told) -> None:
    try:
        async for message in subscription:
            number = int(json.loads(message.payload)["result"])
            told.again += number in told.arrived
            told.arrived.setdefault(number, message.arrived)
    except SensorThingsError:
        told.lost = True


@asynccontextmanager
async def poster(service: ServiceUrl, access: Access) -> AsyncIterator[Poster]:
    """A client with a Datastream of its own."""
    async with access.http(timeout=_TIMEOUT) as http:
        async with http.post(f"{service}/Things", json=MODEL) as answer:
            answer.raise_for_status()
            thing = answer.headers["Location"].rpartition("/")[2]
        async with http.get(f"{service}/{thing}/Datastreams?$select=id") as answer:
            datastream = f"Datastreams({(await answer.json())['value'][0]['@iot.id']})"
        yield Poster(http, service, datastream)


async def warm(client: Poster, told: Told) -> None:
    """POST until the whole way is warm; not for ever."""
    while len(told.arrived) < _WARM and len(client.begun) < _WARM_AT_MOST:
        await asyncio.gather(*(client.post() for _ in range(_AT_ONCE)))
