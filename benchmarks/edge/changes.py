"""What clients over the edge notice of changes: Observations are POSTed at a steady rate while something happens."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.edge.client import poster, subscribed
from benchmarks.edge.service import HOST
from tests.e2e import renewal
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.edge.service import Edge

_RATE: Final = 25.0
"""Observations a second."""
_AROUND_SECONDS: Final = 5.0
"""Of the same load before the change begins, and after it has ended."""
_PORTS: Final = (443, 8883)
_RENEWED_SECONDS: Final = 180.0


@dataclass(frozen=True)
class Noticed:
    """What clients saw of one change.

    Args:
        name: of the change.
        seconds: it took.
        sent, failed: requests.
        missing: acknowledged, and not in the database once.
        untold: acknowledged, and not told to the subscriber.
        stayed: whether the subscriber's connection did.
    """

    name: str
    seconds: float
    sent: int
    failed: list[str]
    missing: int
    untold: int
    stayed: bool

    def __str__(self) -> str:
        connection = "stayed" if self.stayed else "was lost"
        return (
            f"{self.name}: {self.seconds:.0f} s; {self.sent} POSTs, {len(self.failed)} failed {self.failed[:3]}, "
            f"{self.missing} acknowledged missing in the database; a subscriber's connection {connection}, "
            f"{self.untold} acknowledged not told to it"
        )


def _renewed(edge: Edge) -> None:
    """Another certificate is issued, and both ports show it."""
    service, cluster = edge.service, edge.cluster

    def shown() -> list[str]:
        return [renewal.serial(HOST, cluster.edge, port, cluster.authority) for port in _PORTS]

    before = shown()
    renewal.renew(service.kubernetes, service.namespace, service.name)
    eventually("another certificate", lambda: not set(before) & set(shown()), _RENEWED_SECONDS)


def _rolled(edge: Edge, part: str) -> None:
    """Every pod of a part is replaced, for other settings."""
    service = edge.service
    (before,) = service.await_pods(part, 1)
    service.patch(**{part: {"settings": {"defaultTop": "51"}}})
    service.await_pods(part, 1, other_than=before["metadata"]["uid"])
    service.await_ready()


CHANGES: Final[dict[str, Callable[[Edge], None]]] = {
    "upgrade-http": partial(_rolled, part="http"),
    "upgrade-mqtt": partial(_rolled, part="mqtt"),
    "renewal": _renewed,
}


async def noticed(edge: Edge, name: str) -> Noticed:
    """Let one change happen under load."""
    access = edge.access
    async with poster(edge.url, access) as client, subscribed(edge.broker, client.topic, access) as told:
        ended = asyncio.Event()
        load = asyncio.create_task(client.paced(_RATE, lambda: not ended.is_set()))
        await asyncio.sleep(_AROUND_SECONDS)
        begun = time.monotonic()
        try:
            await asyncio.to_thread(CHANGES[name], edge)
            seconds = time.monotonic() - begun
            await asyncio.sleep(_AROUND_SECONDS)
        finally:
            ended.set()
            await load
        await asyncio.sleep(_AROUND_SECONDS)
        stored = await client.stored()
        return Noticed(
            name=name,
            seconds=seconds,
            sent=len(client.begun),
            failed=client.failed,
            missing=sum(stored.get(number, 0) != 1 for number in client.acknowledged),
            untold=sum(number not in told.arrived for number in client.acknowledged),
            stayed=not told.lost,
        )
