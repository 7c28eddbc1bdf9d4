"""Writes until it is told to stop: a program of its own, in the network namespace of the machines' client.

Clients of FROST-Server POST Observations. Beside them one stream of SQL goes to each machine by itself. Run as `python
-m tests.stacks.machines.writing FILE AUTHORITY --host=ADDRESS ... --post=URL ...`, with the password in PGPASSWORD.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp

from tests.stacks.machines import posts, sql
from tests.stacks.machines.stream import streams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.stacks.machines.stream import Answer

_PAUSE: Final = 0.05
"""Seconds between an answer and a client's next POST."""
_PAUSE_OF_HOSTS: Final = 0.1


async def main(output: Path, authority: str, hosts: Sequence[str], urls: Sequence[str]) -> None:
    """Write until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    trusted = ssl.create_default_context(cafile=authority)
    clients = [(posts.name(number), url) for number, url in enumerate(urls)]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=posts.PATIENCE)) as http:
        plan: list[tuple[str, Callable[[int], Awaitable[Answer]], float]] = [
            *((host, sql.Writer(host, trusted).write, _PAUSE_OF_HOSTS) for host in hosts),
            *((name, posts.Poster(name, http, url).write, _PAUSE) for name, url in clients),
        ]
        with output.open("a") as file:
            await streams(plan, file, stop)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("authority")
    parser.add_argument("--host", action="append", default=[])
    parser.add_argument("--post", action="append", default=[])
    given = parser.parse_args()
    asyncio.run(main(given.output, given.authority, given.host, given.post))
