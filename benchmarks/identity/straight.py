"""The floor of renewed tokens: each is fetched from Keycloak and written into a Secret, at a pace, and nothing else.

Run as ``python -m benchmarks.identity.straight``. Reads what ``Work`` holds from standard input, as JSON, and writes
``seconds``, ``cpu`` (in seconds) and ``count`` to standard output. Nothing else of the project is imported.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import uvloop


@dataclass(frozen=True)
class Work:
    """What is to be done.

    Args:
        keycloak: the URL of the realm's tokens.
        clients: clientId and secret.
        server: of the Kubernetes API.
        ca: of that.
        token: for that.
        secrets: paths of the Secrets, one for each client.
        rate: renewals a second.
    """

    keycloak: str
    clients: list[tuple[str, str]]
    server: str
    ca: str
    token: str
    secrets: list[str]
    rate: float


async def _renew(keycloak: aiohttp.ClientSession, api: aiohttp.ClientSession, work: Work, number: int) -> None:
    client_id, secret = work.clients[number]
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    async with keycloak.post(work.keycloak, data=form) as answer:
        answer.raise_for_status()
        token = orjson.loads(await answer.read())["access_token"]
    path = work.secrets[number]
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": path.rpartition("/")[2]},
        "type": "Opaque",
        "data": {"token": b64encode(token.encode()).decode()},
    }
    headers = {"Content-Type": "application/apply-patch+yaml"}
    parameters = {"fieldManager": "bare", "force": "true"}
    async with api.patch(path, params=parameters, data=orjson.dumps(manifest), headers=headers) as answer:
        answer.raise_for_status()
        await answer.read()


async def _work(work: Work) -> dict[str, Any]:
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=work.ca))
    headers = {"Authorization": f"Bearer {work.token}", "Accept-Encoding": "identity"}
    async with (
        aiohttp.ClientSession() as keycloak,
        aiohttp.ClientSession(work.server, connector=connector, headers=headers) as api,
    ):
        await _renew(keycloak, api, work, 0)
        begun, used, running = time.monotonic(), time.process_time(), []
        for number in range(len(work.clients)):
            running.append(asyncio.create_task(_renew(keycloak, api, work, number)))
            await asyncio.sleep(max(0.0, begun + len(running) / work.rate - time.monotonic()))
        await asyncio.gather(*running)
        return {
            "seconds": time.monotonic() - begun,
            "cpu": time.process_time() - used,
            "count": len(running),
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(_work(Work(**json.load(sys.stdin))))))
