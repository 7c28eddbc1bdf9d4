"""Liveness, readiness and metrics over HTTP.

Liveness is whether passes get finished, not whether the process is there.
"""

import time
from collections.abc import Callable
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sensorthings_operator import metrics

PORT: Final = 8080
_LONGEST_PASS_SECONDS: Final = 300.0


class Health:
    """What the probes of the operator's pod are answered from.

    Args:
        passes_are_due: whether it acts and there is a service, so that passes must come to their end now and then.
        interval_seconds: in which each service has a pass also when nothing happens.
    """

    def __init__(self, passes_are_due: Callable[[], bool], *, interval_seconds: float) -> None:
        self.ready = False
        """Everything that exists has been listed."""
        self._passes_are_due = passes_are_due
        self._longest_silence = interval_seconds + _LONGEST_PASS_SECONDS
        self._running: dict[object, float] = {}
        self._last_finished = time.monotonic()

    def pass_started(self, token: object) -> None:
        """A pass began."""
        self._running[token] = time.monotonic()

    def pass_finished(self, token: object) -> None:
        """It ended, well or not."""
        self._last_finished = time.monotonic()
        metrics.PASS_SECONDS.observe(self._last_finished - self._running.pop(token))
        metrics.LAST_PASS.set_to_current_time()

    def trouble(self) -> str:
        """Why the process should be started anew; empty where it lives."""
        now = time.monotonic()
        stuck = now - min(self._running.values(), default=now)
        if stuck > _LONGEST_PASS_SECONDS:
            return f"a pass has been running for {stuck:.0f} s"
        if not self._passes_are_due():
            self._last_finished = now
        silent = now - self._last_finished
        return f"no pass was finished for {silent:.0f} s" if silent > self._longest_silence else ""


async def serve(health: Health, *, port: int = PORT) -> web.AppRunner:
    """Start to answer /livez, /readyz and /metrics; the runner is cleaned up by the caller."""

    async def livez(_: web.Request) -> web.Response:
        trouble = health.trouble()
        return web.Response(status=503 if trouble else 200, text=f"{trouble or 'ok'}\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if health.ready else web.Response(status=503, text="still listing\n")

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", exposition)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    return runner
