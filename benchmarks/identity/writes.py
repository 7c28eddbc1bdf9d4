"""What a token costs a write: FROST-Server's HTTP module that checks it, against the same module that asks nobody."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks.bare import prepared
from benchmarks.identity.bare_service import URL, body, p50, p99, settings
from benchmarks.identity.city import REALM, make_realm, running_keycloak
from benchmarks.report import bench_line
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.keycloak import RealmClient
from sensorthings_operator.desired.settings import KeycloakRealm
from tests.e2e.netns import inside
from tests.keycloak.server import Keycloak, access_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.bare import Bare

_PORT: Final = 8181
"""Of the module that takes tokens."""
_WRITER: Final = "writer"
_SPEC: Final[dict[str, Any]] = {"auth": {"type": "Keycloak", "keycloak": {"realm": "city"}}}
_WARM_SECONDS: Final = 20.0
"""Of each module before the first run: a JVM gets faster for long."""
_GOAL: Final = 1.25


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    runs: int
    seconds: float


@dataclass(frozen=True)
class _Writer:
    """A client of the realm that may create."""

    keycloak: Keycloak
    secret: str

    def token(self) -> str:
        """A new one."""
        grant = {"grant_type": "client_credentials", "client_id": _WRITER, "client_secret": self.secret}
        return access_token(self.keycloak.url, REALM, grant)


def _realm_with_writer(keycloak: Keycloak, folder: Path) -> tuple[KeycloakRealm, _Writer]:
    """The realm, with the client of the bare service as the operator makes it."""
    make_realm(keycloak, folder)
    realm = KeycloakRealm(url=keycloak.url, realm=REALM, folder=folder)
    metadata = body()["metadata"]
    client = RealmClient(metadata["namespace"], metadata["name"], "floor")
    reason, told = asyncio.run(_ensure(realm, client))
    if reason is not AuthReason.READY:
        raise RuntimeError(told)
    secret = keycloak.admin().make_account(REALM, _WRITER, {client.client_id: ["create", "read"]})
    return realm, _Writer(keycloak, secret)


async def _ensure(realm: KeycloakRealm, client: RealmClient) -> tuple[AuthReason, str]:
    async with KeycloakClients() as clients:
        return await clients.ensure(realm, client)


def _posted(floor: Bare, port: int, token: str, seconds: float) -> list[float]:
    command = ["nsenter", f"--net={floor.netns}", sys.executable, "-m", "benchmarks.identity.posting"]
    options = [f"--url={URL.format(port=port)}", f"--seconds={seconds}"]
    told = subprocess.run([*command, *options], input=token, text=True, check=True, stdout=subprocess.PIPE).stdout
    milliseconds: list[float] = json.loads(told)
    return milliseconds


def _said(milliseconds: list[float]) -> str:
    return f"p50 {p50(milliseconds):.2f}, p99 {p99(milliseconds):.2f} ms of {len(milliseconds)} POSTs"


def measured(sizes: Sizes, folder: Path, say: Callable[[str], None]) -> list[str]:
    """The BENCH lines."""
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "bare").mkdir()
    known = settings()
    with (
        prepared(body(), known, folder / "bare") as floor,
        floor.running(),
        # What starts there, and what asks, is on the loopback of the modules.
        inside(floor.netns),
        running_keycloak(folder / "keycloak") as keycloak,
    ):
        realm, writer = _realm_with_writer(keycloak, folder / "realm")
        with_realm = known.model_copy(update={"keycloak_realms": {"city": realm}})
        floor.start_http_beside(body(_SPEC), with_realm, folder / "beside", _PORT)
        return _in_turns(floor, writer, sizes, say)


def _in_turns(floor: Bare, writer: _Writer, sizes: Sizes, say: Callable[[str], None]) -> list[str]:
    _posted(floor, addresses.HTTP_PORT, "", _WARM_SECONDS)
    _posted(floor, _PORT, writer.token(), _WARM_SECONDS)
    plain, signed = list[list[float]](), list[list[float]]()
    for run in range(sizes.runs):
        plain.append(_posted(floor, addresses.HTTP_PORT, "", sizes.seconds))
        signed.append(_posted(floor, _PORT, writer.token(), sizes.seconds))
        say(f"run {run + 1} of {sizes.runs}: with a token {_said(signed[-1])}; without {_said(plain[-1])}")
    return [
        bench_line(f"identity-write-{name}", median(map(of, signed)), "ms", floor=median(map(of, plain)), goal=_GOAL)
        for name, of in (("p50", p50), ("p99", p99))
    ]
