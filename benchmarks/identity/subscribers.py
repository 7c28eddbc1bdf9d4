"""Many subscribers in one process, and the Observations that they are told of. Plain MQTT 3.1.1 over asyncio: a client
library would cost more than what is measured.

Run as ``python -m benchmarks.identity.subscribers``; writes what it measured to standard output, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import aiohttp
import typer

from tests.e2e.clients import MODEL

_CONNECT_AT_ONCE: Final = 50
_STRAGGLERS_SECONDS: Final = 3.0
_SETTLE_SECONDS: Final = 3.0
_WARM_SECONDS: Final = 15.0
_PUBLISH: Final = 3
_QOS: Final = 0b0110
_REFUSED: Final = 0x80
"""Of a SUBACK's return code; of a CONNACK's no code is as high."""
_KEEP_ALIVE: Final = 0
"""No ping within a run."""


@dataclass
class Told:
    """What all subscribers were told of.

    Args:
        begun: when each Observation was sent, by its result.
        took: milliseconds of each delivery.
    """

    begun: dict[int, float] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)

    def hear(self, payload: bytes) -> None:
        """Note a delivery."""
        began = self.begun.get(int(json.loads(payload)["result"]))
        if began is not None:
            self.took.append(1000 * (time.perf_counter() - began))


def packet(kind: int, body: bytes) -> bytes:
    """A control packet: its first byte, the length of what follows, and that (MQTT 3.1.1, section 2.2)."""
    length, encoded = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        encoded += bytes([digit | (0x80 if length else 0)])
        if not length:
            return bytes([kind]) + encoded + body


def _text(value: str) -> bytes:
    return struct.pack("!H", len(value)) + value.encode()


async def received(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next control packet: its first byte, and what follows the length."""
    (kind,) = await reader.readexactly(1)
    length = shift = 0
    while True:
        (digit,) = await reader.readexactly(1)
        length |= (digit & 0x7F) << shift
        shift += 7
        if not digit & 0x80:
            return kind, await reader.readexactly(length)


async def _subscribe(port: int, number: int, topic: str, told: Told) -> asyncio.Task[None]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    hello = _text("MQTT") + bytes([4, 2]) + struct.pack("!H", _KEEP_ALIVE) + _text(f"bench-{port}-{number}")
    writer.write(packet(0x10, hello) + packet(0x82, struct.pack("!H", 1) + _text(topic) + bytes([0])))
    for answer in (2, 9):
        kind, body = await received(reader)
        if kind >> 4 != answer or body[-1] >= _REFUSED:
            raise RuntimeError(f"packet {kind:#x} {body.hex()} instead of an acknowledgement")
    return asyncio.create_task(_listen(reader, writer, told))


async def _listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: Told) -> None:
    """Until it is cancelled. A writer that nobody holds would close the connection."""
    try:
        while True:
            kind, body = await received(reader)
            if kind >> 4 == _PUBLISH:
                topic = struct.unpack("!H", body[:2])[0]
                told.hear(body[2 + topic + (2 if kind & _QOS else 0) :])
    finally:
        writer.close()


async def _datastreams(http: aiohttp.ClientSession, url: str, count: int) -> list[str]:
    described = {**MODEL, "Datastreams": [{**MODEL["Datastreams"][0], "name": str(each)} for each in range(count)]}  # type: ignore[dict-item]
    async with http.post(f"{url}/Things", json=described) as answer:
        answer.raise_for_status()
        thing = answer.headers["Location"].rpartition("/")[2]
    async with http.get(f"{url}/{thing}/Datastreams?$select=id&$top={count}") as answer:
        return [f"Datastreams({each['@iot.id']})" for each in (await answer.json())["value"]]


@dataclass(frozen=True)
class Load:
    """What is asked for.

    Args:
        url: the service, down to the version.
        port: of MQTT, on the loopback.
        count: subscribers.
        streams: Datastreams that they share.
        rate: Observations a second.
        seconds: measured.
    """

    url: str
    port: int
    count: int
    streams: int
    rate: float
    seconds: float


async def _post(http: aiohttp.ClientSession, load: Load, streams: list[str], told: Told, seconds: float) -> None:
    """At a steady rate, on one Datastream after the other."""
    start, first, sent = time.perf_counter(), len(told.begun), list[asyncio.Task[None]]()

    async def post(number: int) -> None:
        told.begun[number] = time.perf_counter()
        where = f"{load.url}/{streams[number % len(streams)]}/Observations"
        async with http.post(where, json={"result": number}) as answer:
            answer.raise_for_status()

    while time.perf_counter() < start + seconds:
        sent.append(asyncio.create_task(post(first + len(sent))))
        await asyncio.sleep(max(0.0, start + len(sent) / load.rate - time.perf_counter()))
    await asyncio.gather(*sent)


async def _measure(load: Load) -> dict[str, Any]:
    told = Told()
    async with aiohttp.ClientSession() as http:
        streams = await _datastreams(http, load.url, load.streams)
        limit = asyncio.Semaphore(_CONNECT_AT_ONCE)

        async def come(number: int) -> asyncio.Task[None]:
            topic = f"v1.1/{streams[number % load.streams]}/Observations"
            async with limit:
                return await _subscribe(load.port, number, topic, told)

        listening = await asyncio.gather(*(come(number) for number in range(load.count)))
        await asyncio.sleep(_SETTLE_SECONDS)
        await _post(http, load, streams, told, _WARM_SECONDS)
        await asyncio.sleep(_STRAGGLERS_SECONDS)
        told.took.clear()
        warm = len(told.begun)
        await _post(http, load, streams, told, load.seconds)
        await asyncio.sleep(_STRAGGLERS_SECONDS)
        for task in listening:
            task.cancel()
    expected = (len(told.begun) - warm) * load.count // load.streams
    return {"milliseconds": told.took, "expected": expected}


def main(  # noqa: PLR0913 - one parameter is one option of the command line
    *,
    url: Annotated[str, typer.Option(help="The service, down to the version.")],
    port: Annotated[int, typer.Option(help="Of MQTT, on the loopback.")],
    count: Annotated[int, typer.Option(help="Subscribers.")] = 1000,
    streams: Annotated[int, typer.Option(help="Datastreams that they share.")] = 50,
    rate: Annotated[float, typer.Option(help="Observations a second.")] = 10,
    seconds: Annotated[float, typer.Option(help="Measured.")] = 30,
) -> None:
    """Measure one way to the MQTT module."""
    typer.echo(json.dumps(asyncio.run(_measure(Load(url, port, count, streams, rate, seconds)))))


if __name__ == "__main__":
    typer.run(main)
