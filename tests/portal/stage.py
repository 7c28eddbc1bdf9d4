"""Puts the page, its server, a stand-in for the service and a real mosquitto together, under one address."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiomqtt
from aiohttp import ClientError, ClientSession, web
from playwright.async_api import async_playwright

from localcluster import debian
from localcluster.images import prepare
from sensorthings_operator.api.parse import parse_service
from sensorthings_operator.desired import addresses, portal
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from tests.portal.standin import Data, Edge, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from playwright.async_api import Browser, BrowserContext, Page

    from traffic_lights.model import Model

LOOPBACK: Final = "127.0.0.1"
STYLES: Final = [
    {"result": "1", "colour": "#f0483e", "label": "Rot"},
    {"result": "2", "colour": "#ffc53d", "label": "Gelb"},
    {"result": "3", "colour": "#2fd17a", "label": "Grün"},
]
_HOST: Final = "iot.city.example"
_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Built:
    """What the image holds."""

    server: Path
    page: Path


def build(folder: Path) -> Built:
    """Compile the server and bundle the page, as for the image.

    Raises:
        LocalClusterError: A tool or a registry is missing.
    """
    installed("chromium", "mosquitto")
    prepare.portal(folder)
    return Built(folder / "portal", folder / "page")


def installed(*packages: str) -> None:
    """Install Debian packages that are missing. Raises LocalClusterError when that fails."""
    debian.ensure(packages)


def free_ports(number: int) -> list[int]:
    """Ports of the loopback interface on which nobody listens, each another one."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in taken:
            each.bind((LOOPBACK, 0))
        return [int(each.getsockname()[1]) for each in taken]


@dataclass
class Stage:
    """What a test has to do with."""

    data: Data
    edge: Edge
    url: str
    """Of the page."""
    publisher: aiomqtt.Client
    broker: int
    """Port of the broker, for MQTT over TCP."""

    async def observe(self, stream: int, result: int) -> None:
        """A new Observation: in the data, and told to subscribers."""
        observation = self.data.observe(stream, result)
        await self.publisher.publish(f"v1.1/Datastreams({stream})/Observations", told(observation))

    async def move(self, thing: int, position: tuple[float, float]) -> None:
        """A Thing's new Location, told to subscribers."""
        location = {"name": "there", "location": {"type": "Point", "coordinates": list(position)}}
        await self.publisher.publish(f"v1.1/Things({thing})/Locations", json.dumps(location))


@asynccontextmanager
async def staged(
    built: Built, model: Model, *, directly: bool = False, pages: Mapping[str, str] | None = None, **spec: Any
) -> AsyncIterator[Stage]:
    """Everything, running.

    Args:
        built: what the image holds.
        model: the Things.
        pages: HTML beside the page, by path.
        directly: the page comes to the broker itself, not through the stand-in for the edge.
        spec: the spec.portal, with the colours of traffic lights unless it has others.
    """
    outer, inner, plain, web_socket = free_ports(4)
    configuration = json.loads(_configuration({"styles": STYLES, **spec}, outer, web_socket if directly else outer))
    configuration["listen"] = f"{LOOPBACK}:{inner}"
    edge = Edge(
        Data(model), f"http://{LOOPBACK}:{inner}", f"http://{LOOPBACK}:{web_socket}/mqtt", pages=dict(pages or {})
    )
    with _running(built, configuration, plain, web_socket):
        async with _listening(edge, outer), _publisher(plain) as publisher:
            await _answers(f"http://{LOOPBACK}:{inner}{configuration['path']}/")
            yield Stage(edge.data, edge, f"http://{LOOPBACK}:{outer}{configuration['path']}/", publisher, plain)


@contextmanager
def _running(built: Built, configuration: Mapping[str, Any], plain: int, web_socket: int) -> Iterator[None]:
    """The page's server, and a broker."""
    with tempfile.TemporaryDirectory() as folder:
        file, broker = Path(folder, "portal.json"), Path(folder, "mosquitto.conf")
        file.write_text(json.dumps(configuration))
        broker.write_text(
            f"listener {plain} {LOOPBACK}\nlistener {web_socket} {LOOPBACK}\nprotocol websockets\n"
            "allow_anonymous true\nmax_queued_messages 0\n"
        )
        mosquitto = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with (
            _process([str(built.server), "--config", str(file), "--page", str(built.page)]),
            _process([mosquitto, "-c", str(broker)]),
        ):
            yield


def _configuration(spec: Mapping[str, Any], http: int, web_socket: int) -> str:
    """What the operator writes for the server, of a service that is reached at a loopback address, unencrypted."""
    manifest = {
        "apiVersion": "sensorthings.city/v1alpha1",
        "kind": "SensorThingsService",
        "metadata": {"name": "lights", "namespace": "hamburg"},
        "spec": {
            "host": _HOST,
            "version": "2.0.0",
            "database": {"type": "Managed"},
            "exposure": {"type": "IngressNginx"},
            "certificate": {"issuerRef": {"name": "city-ca"}},
            "auth": {"type": "None", "none": {"allowAnonymousWrite": True}},
            "portal": dict(spec),
        },
    }
    service = Service("lights", "hamburg", "uid", 1, parse_service(manifest, unknown_fields="refuse").spec)
    name = addresses.portal_name(service)
    (made,) = (
        each
        for each in portal.build(service, OperatorSettings())
        if (each["kind"], each["metadata"]["name"]) == ("ConfigMap", name)
    )
    text: str = made["data"]["portal.json"]
    plain = text.replace(f"https://{_HOST}", f"http://{LOOPBACK}:{http}")
    return plain.replace(f"wss://{_HOST}", f"ws://{LOOPBACK}:{web_socket}")


@contextmanager
def _process(command: list[str]) -> Iterator[None]:
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        running.terminate()
        running.wait(_SECONDS)


@asynccontextmanager
async def _listening(edge: Edge, port: int) -> AsyncIterator[None]:
    runner = web.AppRunner(edge.application(), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    try:
        yield
    finally:
        await edge.cut()
        await runner.cleanup()


@asynccontextmanager
async def _publisher(port: int) -> AsyncIterator[aiomqtt.Client]:
    for left in range(100, -1, -1):
        try:
            async with aiomqtt.Client(LOOPBACK, port) as client:
                yield client
                return
        except aiomqtt.MqttError:
            if left == 0:
                raise
            await asyncio.sleep(0.05)


async def _answers(url: str) -> None:
    async with asyncio.timeout(_SECONDS), ClientSession() as session:
        while True:
            try:
                async with session.get(url):
                    return
            except ClientError:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def browser(*arguments: str, home: Path | None = None) -> AsyncIterator[Browser]:
    """Debian's Chromium, without a screen; ``home`` has the certificate authorities that it trusts beside the usual."""
    async with async_playwright() as playwright:
        # Root has no sandbox; everything that it opens is ours.
        options = ["--no-sandbox", "--disable-gpu", *arguments]
        environment: dict[str, str | float | bool] = {**os.environ, **({} if home is None else {"HOME": str(home)})}
        path = shutil.which("chromium")
        running = await playwright.chromium.launch(executable_path=path, args=options, env=environment)
        try:
            yield running
        finally:
            await running.close()


class Visit:
    """A page that somebody has open, and all that went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.sockets: list[str] = []
        page.on("websocket", lambda socket: self.sockets.append(socket.url))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    async def shown(self) -> float:
        """Wait until the first Things are on the map; milliseconds since the page was asked for."""
        await self.page.wait_for_selector("body[data-shown]", state="attached")
        return float(await self.page.evaluate("document.body.dataset.shown"))

    async def live(self) -> int:
        """Wait until it is subscribed, and has read the values after that; to how many Datastreams."""
        await self.page.wait_for_selector('body[data-live]:not([data-live=""])[data-valued]', state="attached")
        return int(await self.page.evaluate("document.body.dataset.live"))

    async def says(self, selector: str, text: str, seconds: float = _SECONDS) -> None:
        """Wait until an element holds a text.

        Raises:
            playwright.async_api.TimeoutError: It does not.
        """
        await self.page.locator(selector, has_text=text).wait_for(timeout=seconds * 1000)


@asynccontextmanager
async def visited(browser: Browser, url: str, **context: Any) -> AsyncIterator[Visit]:
    """Somebody opens the page."""
    made: BrowserContext = await browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **context})
    try:
        visit = Visit(await made.new_page())
        await visit.page.goto(url, wait_until="commit")
        yield visit
    finally:
        await made.close()
