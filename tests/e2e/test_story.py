"""A city's service as its people meet it: found by its name, trusted, read by everybody, written with a token, pushed
to subscribers, growing under load and back, and all of it on the dashboard.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from dashboards.tier import HTTP
from localcluster import plan
from localcluster.addons import keycloak, monitoring
from localcluster.installation import REPOSITORY
from sensorthings_operator.cli import tls
from sensorthings_operator.cli.access import Access
from sensorthings_operator.cli.addresses import BrokerUrl
from sensorthings_operator.cli.subscription import Subscription
from tests.e2e.conftest import NAME
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.e2e.kubernetes import Kubernetes

_NAMESPACE: Final = "hamburg"
_SERVICE: Final = "traffic-lights"
_ANSWERS: Final = 100
"""That the readers have to get before the second pod counts."""
_READERS: Final = 12
_LONGEST_LOAD_SECONDS: Final = 150
_UNTRUSTED: Final = 60  # curl's exit code: the peer's certificate cannot be authenticated


def _curl(platform: dict[str, str], url: str, *arguments: str, trusted: bool = True) -> tuple[int, int, str]:
    """curl as a person calls it: its exit code, the HTTP status and the body."""
    host = url.split("/")[2]
    trust = ["--cacert", platform["ca"]] if trusted else []
    where = ["--resolve", f"{host}:443:{platform['address']}"]
    command = ["curl", "--silent", "--max-time", "60", "--write-out", "\n%{http_code}", *trust, *where, *arguments, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    body, _, status = done.stdout.rpartition("\n")
    return done.returncode, int(status), body


def _token(platform: dict[str, str]) -> str:
    form = Path(platform["writer"]).with_suffix(".form")
    code, status, body = _curl(platform, keycloak.TOKEN_URL, "--data", f"@{form}")
    assert (code, status) == (0, 200), body
    token: str = json.loads(body)["access_token"]
    return token


def test_it_is_found_by_its_name_and_trusted(platform: dict[str, str]) -> None:
    assert platform["sensorthings"] == "https://iot.city.example/FROST-Server/v1.1"
    code, status, body = _curl(platform, f"{platform['sensorthings']}/Things")
    assert (code, status) == (0, 200)
    assert "value" in json.loads(body)
    code, _, _ = _curl(platform, platform["sensorthings"], trusted=False)
    assert code == _UNTRUSTED


def test_links_lead_to_the_public_name(platform: dict[str, str]) -> None:
    _, _, body = _curl(platform, platform["sensorthings"])
    urls = {entry["url"] for entry in json.loads(body)["value"]}
    assert urls
    assert all(url.startswith(f"{platform['sensorthings']}/") for url in urls)


def test_who_may_write(platform: dict[str, str]) -> None:
    thing = ("--json", json.dumps({"name": "Rathausmarkt", "description": "A square"}))
    url = f"{platform['sensorthings']}/Things"
    assert _curl(platform, url, *thing)[1] == 401
    assert _curl(platform, url, *thing, "--header", "Authorization: Bearer nonsense")[1] == 401
    assert _curl(platform, url, *thing, "--header", f"Authorization: Bearer {_token(platform)}")[1] == 201


def test_what_a_token_writes_reaches_every_subscriber(
    platform: dict[str, str], measured: Callable[[str], None]
) -> None:
    """By MQTT over TLS and by WebSocket through the same name, each verified, exactly once."""
    player = [sys.executable, str(REPOSITORY / "examples" / "hamburg" / "play.py"), "--output", "json"]
    where = ["--url", platform["sensorthings"], "--mqtt", platform["mqtt"], "--mqtt", platform["websocket"]]
    access = ["--cacert", platform["ca"], "--connect-to", platform["address"]]
    writer = ["--client-credentials", platform["writer"]]
    played = ["--intersections", "3", "--rate", "10", "--duration", "15"]
    done = subprocess.run(
        [*player, *where, *access, *writer, *played], stdout=subprocess.PIPE, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    measured(f"play.py over the edge: {json.dumps(report)[:600]}")


def _access(platform: dict[str, str]) -> Access:
    return Access(authority=tls.Authority.read(Path(platform["ca"])), connect_to=ip_address(platform["address"]))


async def test_nobody_publishes_by_mqtt_without_a_right_to(platform: dict[str, str]) -> None:
    """Whoever is let in to subscribe may send what he likes: no Observation comes of it."""
    things = f"{platform['sensorthings']}/Things?$count=true&$top=0"
    before = json.loads(_curl(platform, things)[2])["@iot.count"]
    async with Subscription(BrokerUrl.parse(platform["mqtt"]), ["v1.1/Things"], access=_access(platform)) as anybody:
        # Its own client: what is tested is what the module lets through, not what the command line offers.
        publish = anybody._client.publish("v1.1/Things", json.dumps({"name": "Mine", "description": "?"}), qos=1)
        with suppress(RuntimeError):  # it may end the connection of who publishes
            await asyncio.to_thread(publish.wait_for_publish, 5)
        await asyncio.sleep(1)
    assert json.loads(_curl(platform, things)[2])["@iot.count"] == before


class _Load:
    """Readers who ask without a pause, each for at most ``_LONGEST_LOAD_SECONDS``."""

    def __init__(self) -> None:
        self.answered = 0
        self.failed: list[str] = []

    @asynccontextmanager
    async def running(self, platform: dict[str, str]) -> AsyncIterator[None]:
        url = f"{platform['sensorthings']}/Things?$expand=Datastreams($expand=Sensor,ObservedProperty)"
        async with _access(platform).http(timeout=60, connections=_READERS) as session, asyncio.TaskGroup() as group:
            deadline = time.monotonic() + _LONGEST_LOAD_SECONDS
            readers = [group.create_task(self._read(session, url, deadline)) for _ in range(_READERS)]
            yield
            for reader in readers:
                reader.cancel()

    async def _read(self, session: Any, url: str, deadline: float) -> None:
        while time.monotonic() < deadline:
            async with session.get(url) as answer:
                await answer.read()
                if answer.status == 200:
                    self.answered += 1
                else:
                    self.failed.append(f"{answer.status}")


def _ready(city: Kubernetes) -> int:
    deployment = city.get(f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments/{_SERVICE}-http")
    return int(deployment["status"].get("readyReplicas", 0))


async def _until(what: str, condition: Callable[[], bool], seconds: float) -> float:
    began = time.monotonic()
    while not await asyncio.to_thread(condition):
        if time.monotonic() - began > seconds:
            pytest.fail(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(1)
    return time.monotonic() - began


async def test_load_makes_it_grow_and_shrink_and_the_dashboard_shows_it(
    platform: dict[str, str], city: Kubernetes, measured: Callable[[str], None]
) -> None:
    await _until("one pod at rest", lambda: _ready(city) == 1, 300)
    load = _Load()
    async with load.running(platform):
        # What the tests before asked for may have called for that pod: it has to be there under this load, too.
        out = await _until(
            "a second pod under load", lambda: _ready(city) > 1 and load.answered > _ANSWERS, _LONGEST_LOAD_SECONDS - 10
        )
    assert load.failed == []

    edge = plan.find(NAME).edge
    for query in (*HTTP.replicas(), *HTTP.utilization()):
        expression = query.filled(namespace=_NAMESPACE, service=_SERVICE)
        eventually(f"{query.name} is on the dashboard", partial(monitoring.query, edge, expression))
    grown = f'sensorthings_replicas{{namespace="{_NAMESPACE}",service="{_SERVICE}",tier="http",state="ready"}}'
    eventually("Prometheus saw it grow", lambda: monitoring.query(edge, f"max_over_time({grown}[10m]) > 1"))

    back = await _until("one pod again", lambda: _ready(city) == 1, 420)
    measured(f"a second pod after {out:.0f} s of load, {load.answered} answers; one again {back:.0f} s after it ended")
