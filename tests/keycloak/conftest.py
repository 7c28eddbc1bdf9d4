"""One Keycloak for the session, and for each test a realm of its own with an operator's client in it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pytest

from localcluster.errors import LocalClusterError
from localcluster.images import pinned
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.desired.keycloak import RealmClient
from sensorthings_operator.desired.settings import KeycloakRealm
from tests.keycloak.server import Admin, Keycloak, distribution

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

OPERATOR: Final = "sensorthings-operator"
WANTED: Final = RealmClient("hamburg", "air", "11111111-1111-1111-1111-111111111111")


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """A Keycloak that is ready; it is gone at the end of the session."""
    try:
        home = distribution()
    except LocalClusterError as error:
        pytest.skip(f"no distribution of Keycloak {pinned.KEYCLOAK}: {error}")
    running = Keycloak(home, tmp_path_factory.mktemp("keycloak"))
    try:
        running.await_ready()
        yield running
    finally:
        running.stop()


@dataclass
class City:
    """A realm of the operator's settings, and who may do anything to it."""

    admin: Admin
    realm: KeycloakRealm

    @property
    def name(self) -> str:
        """The realm's name in Keycloak."""
        return self.realm.realm

    def write(self, **files: str | None) -> None:
        """Put files into the realm's folder: ``client_secret`` is client-secret, None takes it away."""
        for name, text in files.items():
            path = self.realm.folder / name.replace("_", "-").replace("ca-crt", "ca.crt")
            path.unlink(missing_ok=True) if text is None else path.write_text(text)


@pytest.fixture
def city(keycloak: Keycloak, tmp_path: Path) -> City:
    """A new realm in which the operator may manage clients, and no more."""
    name = f"city-{uuid4().hex[:8]}"
    admin = keycloak.admin()
    admin.make_realm(name)
    secret = admin.make_account(name, OPERATOR, {"realm-management": ["manage-clients"]})
    city = City(admin, KeycloakRealm(url=keycloak.url, realm=name, folder=tmp_path))
    city.write(client_id=OPERATOR, client_secret=f"{secret}\n")
    return city


@pytest.fixture
async def clients() -> AsyncIterator[KeycloakClients]:
    """What is tested."""
    async with KeycloakClients() as clients:
        yield clients


class Line:
    """A TCP connection to a port that can be cut: clients of ``port`` see what they would of a server that is down.

    Args:
        target: the port.
        heard: told of each piece that a client sends.
    """

    def __init__(self, target: int, heard: Callable[[bytes], None] = lambda _: None) -> None:
        self._target = target
        self._heard = heard
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def connect(self) -> None:
        """Listen, at the same port each time."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Refuse connections, and end those there are."""
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        pair = {writer, far_writer}
        self._writers |= pair
        try:
            await asyncio.gather(_pass_on(reader, far_writer, self._heard), _pass_on(far_reader, writer))
        finally:
            self._writers -= pair


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Callable[[bytes], None] = lambda _: None
) -> None:
    try:
        while data := await reader.read(65536):
            heard(data)
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def line_to(port: int, heard: Callable[[bytes], None] = lambda _: None) -> AsyncIterator[Line]:
    """A line that is connected, and cut at the end."""
    line = Line(port, heard)
    await line.connect()
    try:
        yield line
    finally:
        await line.cut()
