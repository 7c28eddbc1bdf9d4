"""Liveness, readiness and metrics over HTTP.

Liveness is whether passes get finished, not whether the process is there.
"""

import time
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from sensorthings_operator import metrics

PORT: Final = 8080
_LONGEST_PASS_SECONDS: Final = 300.0


class Health:
    """What the probes of the operator's pod are answered from."""

    def __init__(self) -> None:
        self.ready = False
        """Everything that exists has been listed."""
        self._running: dict[object, float] = {}

    def pass_started(self, token: object) -> None:
        """A pass began."""
        self._running[token] = time.monotonic()

    def pass_finished(self, token: object) -> None:
        """It ended, well or not."""
        started = self._running.pop(token)
        metrics.PASS_SECONDS.observe(time.monotonic() - started)
        metrics.LAST_PASS.set_to_current_time()

    def stuck_seconds(self) -> float:
        """For how long the oldest running pass has been running."""
        return time.monotonic() - min(self._running.values()) if self._running else 0.0


async def serve(health: Health, *, port: int = PORT) -> web.AppRunner:
    """Start to answer /livez, /readyz and /metrics; the runner is cleaned up by the caller."""

    async def livez(_: web.Request) -> web.Response:
        stuck = health.stuck_seconds()
        if stuck > _LONGEST_PASS_SECONDS:
            return web.Response(status=503, text=f"a pass has been running for {stuck:.0f} s\n")
        return web.Response(text="ok\n")

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
