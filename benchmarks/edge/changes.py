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
from tests.e2e.services import kill
from tests.e2e.upgrade import other_images
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
        untold: acknowledged, and not told to the subscriber, from the first on that was.
        lost: how often the subscriber's connection was, or could not be made again.
        silence: the most seconds between two Observations that it was told of.
    """

    name: str
    seconds: float
    sent: int
    failed: list[str]
    missing: int
    untold: int
    lost: int
    silence: float

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.seconds:.0f} s; {self.sent} POSTs, {len(self.failed)} failed {self.failed[:3]}, "
            f"{self.missing} acknowledged missing in the database; a subscriber's connection ended {self.lost} times, "
            f"{self.untold} acknowledged not told to it, {self.silence:.1f} s of silence at most"
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


def _other_images(edge: Edge) -> None:
    """Every pod of both modules is replaced, for other images; and again, for those before."""
    with other_images(edge.cluster, edge.service):
        pass


def _killed(edge: Edge, part: str, command: bytes) -> None:
    """The process of a part ends without a word, as for want of memory, and is started again in its pod."""
    service = edge.service
    (pod,) = service.await_pods(part, 1)
    kill(pod, command)
    eventually(f"{part} is not ready", lambda: not service.ready_pods(part))
    service.await_pods(part, 1)
    service.await_ready()


CHANGES: Final[dict[str, Callable[[Edge], None]]] = {
    "upgrade-http": partial(_rolled, part="http"),
    "upgrade-mqtt": partial(_rolled, part="mqtt"),
    "upgrade-images": _other_images,
    "renewal": _renewed,
}
"""None of them may fail a request, nor lose what was acknowledged."""
FAILURES: Final[dict[str, Callable[[Edge], None]]] = {
    "killed-mqtt": partial(_killed, part="mqtt", command=b"java"),
    "killed-bus": partial(_killed, part="bus", command=b"mosquitto"),
}
"""None of them may lose what was acknowledged. Requests may fail: ingress-nginx starts its workers anew while a port of
tcp-services has no pod, and those before them close connections that a client is about to use."""


async def noticed(edge: Edge, name: str, change: Callable[[Edge], None]) -> Noticed:
    """Let one change happen under load."""
    access = edge.access
    async with poster(edge.url, access) as client, subscribed(edge.broker, client.topic, access) as told:
        ended = asyncio.Event()
        load = asyncio.create_task(client.paced(_RATE, lambda: not ended.is_set()))
        await asyncio.sleep(_AROUND_SECONDS)
        begun = time.monotonic()
        try:
            await asyncio.to_thread(change, edge)
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
            untold=len(told.missed(client)),
            lost=told.lost,
            silence=told.silence(),
        )
