"""A client in the cluster's own network that writes all the while, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Self

from benchmarks.edge.client import Poster, poster
from sensorthings_operator.cli.access import Access
from sensorthings_operator.cli.addresses import ServiceUrl
from tests.e2e.netns import inside

if TYPE_CHECKING:
    from tests.e2e.services import Service

_RATE: Final = 20.0
"""POSTs a second, whether those before were answered or not."""
_STEADY_SECONDS: Final = 10.0
"""Of POSTs before anything happens, and after all is well again."""
_END_SECONDS: Final = 120.0


@dataclass
class Retrying(Poster):
    """Sends a POST that failed once more."""

    retried: int = 0
    given_up: int = 0

    async def post(self) -> bool:
        """One Observation, at most two times."""
        if await super().post():
            return True
        self.retried += 1
        taken = await super().post()
        self.given_up += not taken
        return taken


@dataclass
class Writing:
    """POSTs to a service while the block runs; then knows what is stored."""

    service: Service
    stored: dict[int, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._ending = threading.Event()
        self._steady = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._steady.wait(_END_SECONDS):
            raise TimeoutError("the service takes no POSTs")
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(_STEADY_SECONDS)
        self._ending.set()
        self._thread.join(_END_SECONDS)

    @property
    def lost(self) -> int:
        """Acknowledged, and not stored once."""
        return sum(self.stored.get(number, 0) != 1 for number in self.client.acknowledged)

    def pause(self, since: float) -> tuple[float, float]:
        """The longest time without an acknowledgement that ended after ``since``: its seconds, and when it ended."""
        times = sorted(self.client.acknowledged.values())
        return max((after - before, after) for before, after in pairwise(times) if after > since)

    def _run(self) -> None:
        with inside(self.service.kubernetes.netns):
            asyncio.run(self._write())

    async def _write(self) -> None:
        async with poster(address(self.service), Access()) as made:
            self.client = Retrying(made.http, made.service, made.datastream)
            end = time.perf_counter() + _STEADY_SECONDS
            await self.client.paced(_RATE, lambda: time.perf_counter() < end)
            self._steady.set()
            await self.client.paced(_RATE, lambda: not self._ending.is_set())
            self.stored = await self.client.stored()


def address(service: Service) -> ServiceUrl:
    """Where a service answers in the cluster's own network."""
    http = service.http()
    return ServiceUrl.parse(f"http://{http.host}:{http.port}/FROST-Server/v1.1")
