"""Latency and throughput of one service, as a process of its own: the same program asks over the edge and bare ones.

Run as ``python -m benchmarks.edge.load``; writes what it measured to standard output, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from benchmarks.edge.client import poster, subscribed, warm
from sensorthings_operator.cli import tls
from sensorthings_operator.cli.access import Access
from sensorthings_operator.cli.addresses import BrokerUrl, ServiceUrl

if TYPE_CHECKING:
    from benchmarks.edge.client import Poster, Told

_STRAGGLERS_SECONDS: Final = 5.0
"""How long what was posted last may be on its way."""


@dataclass(frozen=True)
class Load:
    """How much, and for how long.

    Args:
        rate: Observations a second in the open loop.
        seconds: of each loop.
        workers: in the closed loop.
    """

    rate: float
    seconds: float
    workers: int


async def _measure(service: ServiceUrl, broker: BrokerUrl, access: Access, load: Load) -> dict[str, Any]:
    async with poster(service, access) as client:
        async with subscribed(broker, client.topic, access) as told:
            await warm(client, told)
            paced = await _latencies(client, told, load)
        return {**paced, "per_second": await client.pressed(load.workers, load.seconds), "failed": len(client.failed)}


async def _latencies(client: Poster, told: Told, load: Load) -> dict[str, Any]:
    """Milliseconds from POST to arrival, and how many never came."""
    end = time.perf_counter() + load.seconds
    sent = await client.paced(load.rate, lambda: time.perf_counter() < end)
    await asyncio.sleep(_STRAGGLERS_SECONDS)
    arrived = [1000 * (told.arrived[each] - client.begun[each]) for each in sent if each in told.arrived]
    return {"milliseconds": arrived, "untold": len(sent) - len(arrived)}


def main(  # noqa: PLR0913 - one parameter is one option of the command line
    *,
    url: Annotated[str, typer.Option(help="The service, down to the version.")],
    mqtt: Annotated[str, typer.Option(help="Its MQTT endpoint.")],
    cacert: Annotated[Path | None, typer.Option(help="The CA to trust.")] = None,
    connect_to: Annotated[str | None, typer.Option(help="The address to connect to.")] = None,
    rate: Annotated[float, typer.Option(help="Observations a second in the open loop.")] = 50,
    seconds: Annotated[float, typer.Option(help="Of each loop.")] = 30,
    workers: Annotated[int, typer.Option(help="In the closed loop.")] = 16,
) -> None:
    """Measure one service."""
    access = Access(
        authority=None if cacert is None else tls.Authority.read(cacert),
        connect_to=None if connect_to is None else ip_address(connect_to),
    )
    load = Load(rate, seconds, workers)
    measured = asyncio.run(_measure(ServiceUrl.parse(url), BrokerUrl.parse(mqtt), access, load))
    typer.echo(json.dumps(measured))


if __name__ == "__main__":
    typer.run(main)
