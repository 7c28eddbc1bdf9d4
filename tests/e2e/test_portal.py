"""The live map of the example, as somebody with a browser meets it: by its name, trusted, over the edge."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import pytest

from localcluster.addons import keycloak
from localcluster.installation import REPOSITORY
from sensorthings_operator.cli import tls
from sensorthings_operator.cli.access import Access
from tests.e2e.waiting import eventually
from tests.portal import stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import ClientSession
    from playwright.async_api import Browser

    from tests.e2e.kubernetes import Kubernetes

_SERVICE: Final = "/apis/sensorthings.city/v1alpha1/namespaces/hamburg/sensorthingsservices/traffic-lights"
_INTERSECTIONS: Final = 5


@pytest.fixture(scope="module")
def lights(platform: dict[str, str]) -> None:
    """The example's traffic lights are in the service."""
    player = [sys.executable, str(REPOSITORY / "examples" / "hamburg" / "play.py"), "--output", "json"]
    where = ["--url", platform["sensorthings"], "--mqtt", platform["websocket"]]
    access = ["--cacert", platform["ca"], "--connect-to", platform["address"]]
    played = ["--client-credentials", platform["writer"], "--intersections", str(_INTERSECTIONS), "--duration", "5"]
    command = [*player, *where, *access, *played]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def home(platform: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose browser trusts the cluster's certificate authority."""
    stage.installed("chromium", "libnss3-tools")
    folder = tmp_path_factory.mktemp("home")
    database = folder / ".pki" / "nssdb"
    database.mkdir(parents=True)
    for command in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "city", "-i", platform["ca"]]):
        subprocess.run(["certutil", "-d", f"sql:{database}", *command], check=True, timeout=60)
    return folder


@pytest.fixture
async def browser(platform: dict[str, str], home: Path) -> AsyncIterator[Browser]:
    """Chromium, which finds the city's names where the cluster is."""
    async with stage.browser(f"--host-resolver-rules=MAP *.city.example {platform['address']}", home=home) as running:
        yield running


def _access(platform: dict[str, str]) -> Access:
    return Access(authority=tls.Authority.read(Path(platform["ca"])), connect_to=ip_address(platform["address"]))


@dataclass
class _Writer:
    """Who may write to the example."""

    session: ClientSession
    url: str

    async def datastream(self) -> int:
        """One of the example's signal groups."""
        query = "Datastreams?$filter=properties/layerName eq 'primary_signal'&$select=id&$top=1"
        async with self.session.get(f"{self.url}/{query}") as answer:
            (found,) = (await answer.json())["value"]
            return int(found["@iot.id"])

    async def observe(self, datastream: int, result: int) -> None:
        """POST an Observation, which has to be acknowledged."""
        url = f"{self.url}/Datastreams({datastream})/Observations"
        async with self.session.post(url, json={"result": result}) as answer:
            assert answer.status == 201, await answer.text()


@asynccontextmanager
async def _writer(platform: dict[str, str]) -> AsyncIterator[_Writer]:
    form = dict(parse_qsl(Path(platform["writer"]).with_suffix(".form").read_text()))
    async with _access(platform).http(timeout=20) as session:
        async with session.post(keycloak.TOKEN_URL, data=form) as answer:
            token = (await answer.json())["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        yield _Writer(session, platform["sensorthings"])


def test_the_status_says_where_it_is(platform: dict[str, str], city: Kubernetes) -> None:
    def available() -> Any:
        conditions = city.get(_SERVICE)["status"]["conditions"]
        return [each for each in conditions if each["type"] == "PortalAvailable" and each["status"] == "True"]

    assert eventually("PortalAvailable", available)
    assert platform["map"] == "https://iot.city.example/map/"


async def test_what_is_posted_is_on_the_map_within_a_second(
    platform: dict[str, str], lights: None, browser: Browser, measured: Callable[[str], None], tmp_path: Path
) -> None:
    async with _writer(platform) as writer, stage.visited(browser, platform["map"], locale="de-DE") as visit:
        datastream = await writer.datastream()
        shown = await visit.shown()
        assert await visit.live() >= 8 * _INTERSECTIONS
        assert visit.sockets == [platform["websocket"]]
        for result, named in ((6, "Grün blinkend1"), (5, "Gelb blinkend1")):  # which no program shows
            begun = time.monotonic()
            await writer.observe(datastream, result)
            await visit.says("#legend li", named, seconds=5)
            seconds = time.monotonic() - begun
            measured(f"first Thing shown after {shown:.0f} ms; a change {seconds * 1000:.0f} ms after its POST began")
            assert seconds < 1
        assert visit.errors == []
        await visit.page.screenshot(path=tmp_path / "live-map.png")


async def test_it_asks_nobody_but_the_service(platform: dict[str, str], lights: None, browser: Browser) -> None:
    async with stage.visited(browser, platform["map"]) as visit:
        await visit.live()
        asked = [url for url in visit.asked if not url.startswith("data:")]
        assert asked
        assert all(url.startswith(("https://iot.city.example/", "wss://iot.city.example/mqtt")) for url in asked), asked


async def test_it_rolls_without_a_gap(platform: dict[str, str], city: Kubernetes) -> None:
    url, failed = platform["map"], []
    async with _access(platform).http(timeout=20) as session:

        async def look() -> None:
            while True:
                async with session.get(url) as answer:
                    if answer.status != 200:
                        failed.append(answer.status)
                await asyncio.sleep(0.1)

        looking = asyncio.create_task(look())
        patch = json.dumps({"spec": {"template": {"metadata": {"annotations": {"e2e": "again"}}}}})
        await asyncio.to_thread(
            city.run, "--namespace=hamburg", "patch", "deployment", "traffic-lights-portal", "--type=merge", "-p", patch
        )
        await asyncio.to_thread(
            city.run, "--namespace=hamburg", "rollout", "status", "deployment/traffic-lights-portal", "--timeout=120s"
        )
        await asyncio.sleep(2)
        looking.cancel()
    assert failed == []
