"""The tokens of a thousand connectors, kept good by the token service with a real API server and a real Keycloak."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from benchmarks.fleet.client import BareClient
from benchmarks.fleet.measuring import cpu_seconds
from benchmarks.fleet.services import NAMESPACES
from benchmarks.identity.city import REALM, running_city, service
from benchmarks.identity.straight import Work
from benchmarks.identity.tally import likely_peak, per_second
from benchmarks.report import bench_line
from sensorthings_operator.clients.connection import from_kubeconfig
from tests.apiserver.reconcile.conftest import RELEASE
from tests.apiserver.reconcile.process import OperatorProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.identity.city import City
    from benchmarks.identity.tally import Call, PerSecond

_MODULE: Final = "sensorthings_operator.tokenservice"
_SERVICE: Final = "air"
_ISSUED: Final = "sensorthings_tokens_issued_total"
_GOOD: Final = "sensorthings_tokens_good"
_TOKEN_SECONDS: Final = 300
_CYCLE_SECONDS: Final = 150
"""In which every token is renewed once, at least."""
_SETTLE_SECONDS: Final = 30
_LOOK_SECONDS: Final = 0.5
_PATIENCE: Final = 900.0
_BURST_SECONDS: Final = 10
_STRAIGHT_SECONDS: Final = 60
_CPU_GOAL: Final = 3.0
_SPREAD_GOAL: Final = 3.0
_MEMORY_GOAL: Final = 128.0
"""MiB: the limit of its pod."""
_ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    connectors: int
    seconds: float
    """Of each look at settled renewals."""


@dataclass(frozen=True)
class _Window:
    """What was seen in some time."""

    calls: list[Call]
    begun: float
    ended: float
    cpu: float
    """Seconds of it."""
    renewed: float

    @property
    def spread(self) -> PerSecond:
        """Calls to Keycloak."""
        return per_second([call.at for call in self.calls], self.begun, self.ended)

    @property
    def core(self) -> float:
        """Part of a core."""
        return self.cpu / (self.ended - self.begun)


class _Renewals:
    """One run, on a city with nothing in it."""

    def __init__(self, city: City, sizes: Sizes, python: str, say: Callable[[str], None]) -> None:
        self._city = city
        self._sizes = sizes
        self._python = python
        self._say = say
        self._lines: list[str] = []
        self._tokens = OperatorProcess(
            city.folder / "tokens", city.account(f"{RELEASE}-tokens"), city.settings(), module=_MODULE, python=python
        )

    def run(self) -> list[str]:
        """The BENCH lines."""
        asyncio.run(self._prepare())
        try:
            self._tell_first_start()
            settled = self._settled()
            self._tell_started_again(settled)
            self._tell_away(settled)
        finally:
            self._tokens.kill()
        self._tell_cost(settled, self._straight(settled))
        return self._lines

    def _names(self) -> list[tuple[str, str]]:
        count = len(NAMESPACES)
        return [(NAMESPACES[number % count], f"loader-{number}") for number in range(self._sizes.connectors)]

    async def _prepare(self) -> None:
        async with BareClient(self._city.control_plane.kubeconfig) as client:
            await client.apply_all(service(namespace, _SERVICE) for namespace in NAMESPACES)
            await client.apply_all(_connector(namespace, name) for namespace, name in self._names())

    def _tell_first_start(self) -> None:
        begun = self._start()
        window = self._watch(self._all_good, since=begun)
        seconds = window.ended - window.begun
        rate = len(window.calls) / seconds
        self._say(
            f"{self._sizes.connectors} connectors that are new have their clients and tokens after {seconds:.0f} s: "
            f"{len(window.calls)} calls to Keycloak, {rate:.0f} a second; {window.cpu:.1f} s of CPU"
        )

    def _settled(self) -> _Window:
        time.sleep(_SETTLE_SECONDS)
        window = self._look_on(self._sizes.seconds)
        self._tell_spread("identity-renewals-spread", window)
        memory = self._tokens.rss_mebibytes()
        self._lines.append(bench_line("identity-tokens-memory", memory, "MiB", goal=_MEMORY_GOAL, digits=0))
        return window

    def _tell_started_again(self, settled: _Window) -> None:
        self._tokens.stop()
        begun = self._start()
        ready = time.monotonic() - begun
        window = self._watch(lambda: time.monotonic() >= begun + _CYCLE_SECONDS, since=begun)
        times = [call.at for call in window.calls]
        at_first = per_second(times, begun, begun + _BURST_SECONDS)
        later = per_second(times, begun + _BURST_SECONDS, window.ended)
        self._say(
            f"started again with good tokens, ready after {ready:.1f} s: calls a second {at_first} in the first "
            f"{_BURST_SECONDS} s, then {later}"
        )
        most, mean = max(at_first.most, later.most), settled.spread.mean
        self._lines.append(
            bench_line("identity-restart-spread", most, "calls/s", floor=mean, goal=_SPREAD_GOAL, digits=1)
        )

    def _tell_away(self, settled: _Window) -> None:
        self._city.tally.cut()
        away = self._look_on(_TOKEN_SECONDS + _BURST_SECONDS)
        good = self._tokens.total(_GOOD)
        self._city.tally.connect()
        back = self._watch(self._all_good)
        seconds = back.ended - back.begun
        self._say(
            f"Keycloak away for {away.ended - away.begun:.0f} s, {good:.0f} tokens still good: {away.core:.2f} cores; "
            f"all good {seconds:.1f} s after it was back, calls a second {back.spread}"
        )
        time.sleep(_SETTLE_SECONDS)
        after = self._look_on(_CYCLE_SECONDS)
        self._tell_spread("identity-recovered-spread", after)
        self._say(f"(settled: {settled.spread})")

    def _tell_spread(self, name: str, window: _Window) -> None:
        spread = window.spread
        chance = likely_peak(spread.mean, spread.seconds)
        self._say(f"calls to Keycloak a second: {spread}; by chance the most is {chance}")
        self._lines.append(bench_line(name, spread.most, "calls/s", floor=spread.mean, goal=_SPREAD_GOAL, digits=1))

    def _tell_cost(self, settled: _Window, floor: dict[str, float]) -> None:
        ours, straight = 1000 * settled.cpu / settled.renewed, 1000 * floor["cpu"] / floor["count"]
        self._say(
            f"{settled.renewed:.0f} renewals in {settled.ended - settled.begun:.0f} s: {settled.core:.3f} cores; "
            f"{len(settled.calls) / settled.renewed:.2f} calls to Keycloak for each; straight {floor['count']:.0f}"
        )
        self._lines.append(bench_line("identity-renewal-cpu", ours, "ms", floor=straight, goal=_CPU_GOAL))

    def _straight(self, settled: _Window) -> dict[str, float]:
        """The same by the floor, at the same pace."""
        city, rate = self._city, settled.renewed / (settled.ended - settled.begun)
        asked = urlencode({"clientId": "connector-", "search": "true", "max": "5000"})
        found = city.keycloak.admin().call("GET", f"/{REALM}/clients?{asked}")
        chosen = found[: int(rate * _STRAIGHT_SECONDS)]
        connection = from_kubeconfig(city.account(f"{RELEASE}-tokens"))
        secrets = f"/api/v1/namespaces/{NAMESPACES[0]}/secrets"
        work = Work(
            keycloak=f"{city.tally.url}/realms/{REALM}/protocol/openid-connect/token",
            clients=[(live["clientId"], live["secret"]) for live in chosen],
            server=connection.server,
            ca=connection.ca or "",
            token=connection.token() or "",
            secrets=[f"{secrets}/straight-{number}" for number in range(len(chosen))],
            rate=rate,
        )
        command = [self._python, "-m", "benchmarks.identity.straight"]
        told = subprocess.run(
            command, input=json.dumps(vars(work)), text=True, check=True, cwd=_ROOT, stdout=subprocess.PIPE
        ).stdout
        measured: dict[str, float] = json.loads(told)
        return measured

    def _start(self) -> float:
        """Start the token service and wait until it has listed everything; when it was started."""
        self._city.tally.taken()
        begun = time.monotonic()
        self._tokens.start()
        return begun

    def _look_on(self, seconds: float) -> _Window:
        until = time.monotonic() + seconds
        return self._watch(lambda: time.monotonic() >= until)

    def _watch(self, done: Callable[[], bool], *, since: float | None = None) -> _Window:
        """Until something is so, from now on or since the start of the process.

        Raises:
            TimeoutError: It never is.
        """
        begun, used, before = since or time.monotonic(), 0.0, 0.0
        if since is None:
            self._city.tally.taken()
            used, before = cpu_seconds(self._tokens.pid), self._tokens.total(_ISSUED)
        while not done():
            if time.monotonic() > begun + _PATIENCE:
                raise TimeoutError(self._tokens.log()[-2000:])
            time.sleep(_LOOK_SECONDS)
        ended, used = time.monotonic(), cpu_seconds(self._tokens.pid) - used
        renewed = self._tokens.total(_ISSUED) - before
        return _Window(self._city.tally.taken(), begun, ended, used, renewed)

    def _all_good(self) -> bool:
        return self._tokens.total(_GOOD) >= self._sizes.connectors


def _connector(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "sensorthings.city/v1alpha1",
        "kind": "Connector",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"serviceRef": {"name": _SERVICE}, "container": {"image": "localhost/loader:1"}},
    }


def measured(sizes: Sizes, folder: Path, python: str, say: Callable[[str], None]) -> list[str]:
    """The BENCH lines."""
    folder.mkdir()
    with running_city(folder) as city:
        return _Renewals(city, sizes, python, say).run()
