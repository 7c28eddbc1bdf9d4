"""One list of each watched kind by the barest client: the floor of a restart. A process of its own, as the operator is.

Reads from standard input, as JSON: ``server``, ``ca``, ``token``, ``paths``. Nothing else of the project is imported.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys

import aiohttp
import orjson
import uvloop


async def _list(session: aiohttp.ClientSession, path: str) -> int:
    count, parameters = 0, {"limit": "500"}
    while True:
        async with session.get(path, params=parameters) as answer:
            answer.raise_for_status()
            page = orjson.loads(await answer.read())
        count += len(page["items"])
        if not page["metadata"].get("continue"):
            return count
        parameters["continue"] = page["metadata"]["continue"]


async def _list_all(server: str, ca: str, token: str, paths: list[str]) -> int:
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=ca))
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(server, connector=connector, headers=headers) as session:
        return sum(await asyncio.gather(*(_list(session, path) for path in paths)))


if __name__ == "__main__":
    sys.stdout.write(f"{uvloop.run(_list_all(**json.load(sys.stdin)))}\n")
