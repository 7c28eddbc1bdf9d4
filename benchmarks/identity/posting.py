"""POSTs Observations one after the other, and notes how long each took. A process of its own, where the service is.

Run as ``python -m benchmarks.identity.posting``; reads a token from standard input, or nothing, and writes milliseconds
to standard output, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Annotated

import aiohttp
import typer

from tests.e2e.clients import MODEL


async def _datastream(http: aiohttp.ClientSession, url: str) -> str:
    async with http.post(f"{url}/Things", json=MODEL) as answer:
        answer.raise_for_status()
        thing = answer.headers["Location"].rpartition("/")[2]
    async with http.get(f"{url}/{thing}/Datastreams?$select=id") as answer:
        (made,) = (await answer.json())["value"]
        return f"{url}/Datastreams({made['@iot.id']})/Observations"


async def _post(http: aiohttp.ClientSession, where: str, seconds: float) -> list[float]:
    took, until = list[float](), time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.perf_counter()
        async with http.post(where, json={"result": len(took)}) as answer:
            await answer.read()
            answer.raise_for_status()
        took.append(1000 * (time.perf_counter() - begun))
    return took


async def _measure(url: str, token: str, warm: float, seconds: float) -> list[float]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(headers=headers) as http:
        where = await _datastream(http, url)
        await _post(http, where, warm)
        return await _post(http, where, seconds)


def main(
    *,
    url: Annotated[str, typer.Option(help="The service, down to the version.")],
    warm: Annotated[float, typer.Option(help="Seconds before it is measured.")] = 5,
    seconds: Annotated[float, typer.Option(help="Measured.")] = 20,
) -> None:
    """Measure one service."""
    typer.echo(json.dumps(asyncio.run(_measure(url, sys.stdin.read().strip(), warm, seconds))))


if __name__ == "__main__":
    typer.run(main)
