"""A proxy between the operator and the real API server, which does to chosen calls what a bad day does."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
import yaml
from aiohttp import web

from sensorthings_operator.clients.connection import from_kubeconfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PASSED_ON: Final = ("Authorization", "Accept", "Content-Type")
_CLOSING_SECONDS: Final = 0.25
_ANSWERED: Final = ("Content-Type", "Retry-After")


class Fate(Enum):
    """What happens to a call."""

    PASSES = "passes"
    NEVER_ARRIVES = "never arrives"
    ANSWER_IS_LOST = "its answer is lost"


@dataclass(frozen=True)
class Call:
    """A call that the operator makes."""

    method: str
    path: str

    @property
    def is_counted(self) -> bool:
        """Whether it belongs to a pass: not the Lease's renewal, which comes when its time has come."""
        return "/leases/" not in self.path


class FaultyApi:
    """Passes calls on until it is told what else to do.

    Attributes:
        judge: Says what happens to a call, in the proxy's thread; a status code is an answer that it gives itself.
    """

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self._upstream = from_kubeconfig(kubeconfig)
        self._original = kubeconfig
        self.kubeconfig = folder / "faulty.kubeconfig"
        self.judge: Callable[[Call], Fate | int] = lambda _: Fate.PASSES
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._streams: set[asyncio.Task[Any]] = set()
        self._expired = 0
        """Watches that are answered with 410 Gone."""

    def __enter__(self) -> Self:
        self._thread.start()
        port = self._run(self._start())
        config = yaml.safe_load(self._original.read_text())
        for cluster in config["clusters"]:
            cluster["cluster"] = {"server": f"http://127.0.0.1:{port}"}
        self.kubeconfig.write_text(yaml.safe_dump(config))
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut_watches(self, *, expired: bool = False) -> None:
        """End every watch in the middle; with ``expired`` each has to list anew before it can go on."""
        self._expired = len(self._streams) if expired else 0
        self._run(self._cut())

    def _run(self, step: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(30)

    async def _start(self) -> int:
        connector = aiohttp.TCPConnector(ssl=self._upstream.ssl_context(), limit=0)
        self._session = aiohttp.ClientSession(self._upstream.server, connector=connector, auto_decompress=False)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _stop(self) -> None:
        await self._cut()
        await self._runner.cleanup()
        await self._session.close()
        # Encrypted connections are closed a little later, and nothing tells when (aiohttp's docs, graceful shutdown).
        await asyncio.sleep(_CLOSING_SECONDS)

    async def _cut(self) -> None:
        for stream in list(self._streams):
            stream.cancel()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") == "true":
            return await self._stream(request)
        fate = self.judge(Call(request.method, request.path))
        if isinstance(fate, int):
            return _status(fate)
        if fate is Fate.NEVER_ARRIVES:
            return _dropped(request)
        async with self._forward(request) as answer:
            body = await answer.read()
        if fate is Fate.ANSWER_IS_LOST:
            return _dropped(request)
        headers = {name: answer.headers[name] for name in _ANSWERED if name in answer.headers}
        return web.Response(status=answer.status, body=body, headers=headers)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self._expired > 0:
            self._expired -= 1
            return _status(410)
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        try:
            async with self._forward(request) as answer:
                response = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                return response
        except ConnectionResetError:
            return web.Response()  # who watched is gone
        finally:
            self._streams.discard(task)

    def _forward(self, request: web.Request) -> Any:
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=None)
        # Data that is there but empty would get a content type, which the API server refuses for some paths.
        data = request.content if request.can_read_body else None
        return self._session.request(request.method, request.rel_url, headers=headers, data=data, timeout=timeout)


def _status(code: int) -> web.Response:
    return web.json_response({"kind": "Status", "message": "a bad day", "code": code}, status=code)


def _dropped(request: web.Request) -> web.Response:
    """The connection ends without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
