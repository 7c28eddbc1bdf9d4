"""A client of a SensorThings service that numbers its Observations, and notes when each was sent, taken and told of."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import aiohttp

from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.subscription import Subscription
from tests.e2e.clients import MODEL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sensorthings_operator.cli.access import Access
    from sensorthings_operator.cli.addresses import BrokerUrl, ServiceUrl
    from sensorthings_operator.cli.subscription import Message

_CREATED: Final = 201
_WARM_SECONDS: Final = 5.0
"""Of each loop before anything counts: a JVM is slow at first."""
_WARM_LOOPS: Final = range(4, 25)
"""At least and at most."""
_WARM_GAIN: Final = 1.05
"""What a loop must have over the fastest before it for another one to follow."""
_QUIET_SECONDS: Final = 2.0
_AT_ONCE: Final = 16
_PAGE: Final = 1000
_TIMEOUT: Final = 30.0
_AGAIN_SECONDS: Final = 0.2
"""Until a subscriber whose connection ended tries again."""
_ANSWERS_SECONDS: Final = 120.0
_ANSWERS_IN_A_ROW: Final = 20
"""Until a service counts as one that answers."""


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
    """What came instead, and how many seconds after the first was sent."""

    @property
    def topic(self) -> str:
        """Where its Observations are published."""
        return f"{self.service.root.name}/{self.datastream}/Observations"

    async def post(self) -> bool:
        """One Observation, and whether it was taken; never raises for what the network does."""
        number = len(self.begun)
        self.begun.append(time.perf_counter())
        try:
            async with self.http.post(f"{self.service}/{self.datastream}/Observations", json={"result": number}) as got:
                told = await got.text()
                if got.status == _CREATED:
                    self.acknowledged[number] = time.perf_counter()
                    return True
                self._note(f"{got.status} {told[:200]}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._note(repr(error))
        return False

    def _note(self, failure: str) -> None:
        self.failed.append(f"after {time.perf_counter() - self.begun[0]:.1f} s: {failure}")

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
    lost: int = 0
    """How often its connection ended, or did not come about again."""

    def hear(self, message: Message) -> None:
        """Note an Observation."""
        number = int(json.loads(message.payload)["result"])
        self.again += number in self.arrived
        self.arrived.setdefault(number, message.arrived)

    def silence(self) -> float:
        """The most seconds that passed between two Observations it was told of."""
        return max((later - earlier for earlier, later in pairwise(sorted(self.arrived.values()))), default=0.0)

    def missed(self, client: Poster) -> list[int]:
        """What was acknowledged and never came, from the first that came: FROST-Server's broker acknowledges a
        subscription before FROST-Server knows of it (docs/limits.md).
        """
        first = min(self.arrived, default=0)
        return [number for number in client.acknowledged if number >= first and number not in self.arrived]


@asynccontextmanager
async def subscribed(broker: BrokerUrl, topic: str, access: Access) -> AsyncIterator[Told]:
    """A subscriber with QoS 1 while the block runs, which comes back by itself."""
    told, granted = Told(), asyncio.Event()
    listening = asyncio.create_task(_listen(lambda: Subscription(broker, [topic], access=access), told, granted))
    try:
        async with asyncio.timeout(_TIMEOUT):
            await granted.wait()
        yield told
    finally:
        listening.cancel()
        await asyncio.wait([listening])


async def _listen(subscription: Callable[[], Subscription], told: Told, granted: asyncio.Event) -> None:
    while True:
        try:
            async with subscription() as there:
                granted.set()
                async for message in there:
                    told.hear(message)
        except SensorThingsError:
            told.lost += granted.is_set()
            await asyncio.sleep(_AGAIN_SECONDS)


@asynccontextmanager
async def poster(service: ServiceUrl, access: Access) -> AsyncIterator[Poster]:
    """A client with a Datastream of its own."""
    async with access.http(timeout=_TIMEOUT) as http:
        await _answers(http, service)
        async with http.post(f"{service}/Things", json=MODEL) as answer:
            answer.raise_for_status()
            thing = answer.headers["Location"].rpartition("/")[2]
        async with http.get(f"{service}/{thing}/Datastreams?$select=id") as answer:
            datastream = f"Datastreams({(await answer.json())['value'][0]['@iot.id']})"
        yield Poster(http, service, datastream)


async def _answers(http: aiohttp.ClientSession, service: ServiceUrl) -> None:
    """Wait until a service answers steadily.

    Raises:
        TimeoutError: It does not.
    """
    in_a_row = 0
    async with asyncio.timeout(_ANSWERS_SECONDS):
        while in_a_row < _ANSWERS_IN_A_ROW:
            async with http.get(f"{service}/Things?$top=0") as answer:
                in_a_row = in_a_row + 1 if answer.ok else 0
            await asyncio.sleep(_AGAIN_SECONDS)


async def warm(client: Poster, told: Told) -> None:
    """POST as fast as it is taken until that gets no faster, then wait until nothing is told any more; not for ever."""
    rates = list[float]()
    while len(rates) < _WARM_LOOPS.stop and (len(rates) < _WARM_LOOPS.start or gains(rates)):
        rates.append(await client.pressed(_AT_ONCE, _WARM_SECONDS))
    before = -1
    while before != len(told.arrived):
        before = len(told.arrived)
        await asyncio.sleep(_QUIET_SECONDS)


def gains(rates: list[float]) -> bool:
    """Whether one of the last two loops was faster than all before them."""
    return max(rates[-2:]) > _WARM_GAIN * max(rates[:-2])
