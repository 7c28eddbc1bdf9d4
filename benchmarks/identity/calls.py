"""What settled services of one realm ask of Keycloak: the real operator, with its own settings and its own turns."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.fleet.client import BareClient
from benchmarks.fleet.services import NAMESPACES, Credentials, secret
from benchmarks.identity.city import REALM, running_city, service
from benchmarks.identity.tally import per_second
from benchmarks.report import bench_line
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.desired.keycloak import CLIENT_PREFIX, DeliveryClient
from sensorthings_operator.desired.settings import KeycloakRealm, OperatorSettings
from tests.apiserver.reconcile.conftest import RELEASE
from tests.apiserver.reconcile.process import FAKE_DATABASES, OperatorProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from benchmarks.identity.city import City
    from benchmarks.identity.tally import Call

_SETTLE_SECONDS: Final = 20.0
"""Beyond a resync: in the first one the clients are new, and no read that services share has them yet."""
_LOOK_SECONDS: Final = 2.0
_PATIENCE: Final = 300.0
_HOUR: Final = 3600.0
_SHARED: Final = {"login", "all clients", "all roles"}


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    services: int
    resyncs: float


def kind_of(call: Call) -> str:
    """What a call is for."""
    path, _, query = call.target.partition("?")
    below = path.partition(f"/admin/realms/{REALM}/")[2].split("/")
    if path.endswith("/token"):
        return "login"
    if below == ["clients"] and f"clientId={CLIENT_PREFIX}&" in query:
        return "all clients"
    if call.method == "GET" and [below[0], *below[2:]] == ["client-scopes", "scope-mappings"]:
        return "all roles"
    words = (part for part in below if part.replace("-", "").isalpha())
    return f"{call.method} {'/'.join(words)}"


class _Calls:
    def __init__(self, city: City, sizes: Sizes, say: Callable[[str], None]) -> None:
        self._city = city
        self._sizes = sizes
        self._say = say
        count = len(NAMESPACES)
        self._names = [(NAMESPACES[number % count], f"air-{number}") for number in range(sizes.services)]

    def run(self) -> list[str]:
        """The BENCH lines."""
        asyncio.run(self._prepare())
        settings = OperatorSettings()
        resync = settings.resync_seconds
        city = self._city
        # No pods run: databases are said to answer, and nothing is there whose delivery could be verified.
        with OperatorProcess(city.folder / "operator", city.account(RELEASE), city.settings(), module=FAKE_DATABASES):
            self._await_clients()
            time.sleep(resync + _SETTLE_SECONDS)
            city.tally.taken()
            begun = time.monotonic()
            time.sleep(self._sizes.resyncs * resync)
            calls = city.tally.taken()
            hours = (time.monotonic() - begun) / _HOUR
        kinds = Counter(kind_of(call) for call in calls)
        self._say(f"{self._sizes.services} services, {self._sizes.resyncs:g} resyncs of {resync} s: {dict(kinds)}")
        self._say(f"calls a second: {per_second([call.at for call in calls], begun, begun + hours * _HOUR)}")
        own = sum(count for kind, count in kinds.items() if kind not in _SHARED) / self._sizes.services / hours
        whole = len(calls) / self._sizes.services / hours
        self._say(f"shared by all services of the realm: {_told(kinds, hours)}")
        delivery = asyncio.run(self._deliveries())
        self._say(f"signing in for a check of delivery, of each service once: {dict(delivery)}")
        goal = _HOUR / resync
        return [
            bench_line("identity-calls-own", own, "calls/h", goal=goal),
            bench_line("identity-calls-all", whole, "calls/h", goal=goal),
        ]

    async def _prepare(self) -> None:
        async with BareClient(self._city.control_plane.kubeconfig) as client:
            credentials = Credentials("frost", "of the benchmark")
            await client.apply_all(secret(namespace, name, credentials) for namespace, name in self._names)
            await client.apply_all(service(namespace, name) for namespace, name in self._names)

    def _await_clients(self) -> None:
        """Until each service has its client with its roles.

        Raises:
            TimeoutError: One has none.
        """
        deadline = time.monotonic() + _PATIENCE
        seen: list[Call] = []
        while len({call.target for call in seen if call.target.endswith("/roles")}) < self._sizes.services:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not every service has a client: {Counter(map(kind_of, seen))}")
            time.sleep(_LOOK_SECONDS)
            seen += self._city.tally.taken()

    async def _deliveries(self) -> Counter[str]:
        """The calls of as many checks as there are services, on clients that are there."""
        realm = KeycloakRealm.model_validate(self._city.settings()["keycloak_realms"]["city"])
        wanted = [DeliveryClient(namespace, name, "of the benchmark") for namespace, name in self._names]
        ahead = 0.0
        seconds = OperatorSettings().keycloak_probe_seconds
        async with KeycloakClients(clock=lambda: time.monotonic() + ahead, shared_seconds=seconds) as clients:
            await _signed_in(clients, realm, wanted)
            self._city.tally.taken()
            ahead = 2 * seconds
            await _signed_in(clients, realm, wanted)
        return Counter(kind_of(call) for call in self._city.tally.taken())


async def _signed_in(clients: KeycloakClients, realm: KeycloakRealm, wanted: Iterable[DeliveryClient]) -> None:
    for each in wanted:
        await clients.token(realm, each)


def _told(kinds: Counter[str], hours: float) -> str:
    return ", ".join(f"{kind} {kinds[kind] / hours:.1f} an hour" for kind in sorted(_SHARED))


def measured(sizes: Sizes, folder: Path, say: Callable[[str], None]) -> list[str]:
    """The BENCH lines."""
    folder.mkdir()
    with running_city(folder) as city:
        return _Calls(city, sizes, say).run()
