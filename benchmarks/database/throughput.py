"""Observations a second that FROST-Server takes, with a standby that has each on its disk and without one."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final

from benchmarks.database.writing import address
from benchmarks.edge.client import gains, poster
from sensorthings_operator.cli.access import Access
from tests.e2e.netns import inside

if TYPE_CHECKING:
    from tests.e2e.services import Service

_WORKERS: Final = 16
_WARM_SECONDS: Final = 5.0
_WARM_LOOPS: Final = range(4, 25)
"""At least and at most."""


def per_second(service: Service, seconds: float) -> float:
    """Of a closed loop of sixteen, once it gets no faster."""
    found: list[float] = []

    def run() -> None:
        with inside(service.kubernetes.netns):
            found.append(asyncio.run(_pressed(service, seconds)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


async def _pressed(service: Service, seconds: float) -> float:
    async with poster(address(service), Access()) as client:
        rates: list[float] = []
        while len(rates) < _WARM_LOOPS.stop and (len(rates) < _WARM_LOOPS.start or gains(rates)):
            rates.append(await client.pressed(_WORKERS, _WARM_SECONDS))
        return await client.pressed(_WORKERS, seconds)
