"""The floor: the processes of a service, started bare from their images' files as soon as what they need answers.

Nothing stands between them and the machine but a network namespace of their own and a changed root. Commands, settings
and configuration are those of the manifests that the operator makes; only the addresses differ.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from benchmarks.client import PERIOD, FirstObservation
from benchmarks.reach import Inside
from localcluster import images
from localcluster.images import catalogue
from sensorthings_operator import desired
from sensorthings_operator.api.parse import parse_service
from sensorthings_operator.desired.service import Service
from tests.e2e.clients import Http
from tests.e2e.images.containers import unpack
from tests.e2e.netns import inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sensorthings_operator.desired.settings import OperatorSettings

_NETNS: Final = "sta-bench-floor"
_HTTP_PORT: Final = 8080
_BUS_PORT: Final = "1884"
"""FROST-Server's MQTT module has 1883; here both share one address."""
_PATIENCE: Final = 120.0
_PASSWORD: Final = base64.b64encode(os.urandom(16)).decode()
# argv: root, folder of volumes, uid, then NAME=VALUE ..., --, command. Volumes are bound over the image's files.
_ENTER: Final = """
root=$1 volumes=$2 user=$3; shift 3
mkdir -p "$root/dev" "$root/proc" "$root/tmp" "$root/etc"; touch "$root/etc/hosts"
mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"; mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
(cd "$volumes" && find . -mindepth 1 -type d -links 2 | sed 's/^.//') | while read -r folder; do
  mkdir -p "$root$folder"; mount --bind "$volumes$folder" "$root$folder"
done
mount --bind "$volumes/../../hosts" "$root/etc/hosts"
cd "$root"; exec chroot --userspec="$user:$user" --groups= . env -i "$@"
"""


@dataclass(frozen=True)
class _Image:
    """An image's files, and what its configuration says."""

    root: Path
    environment: tuple[str, ...]
    command: tuple[str, ...]


def _unpacked(names: Sequence[str], folder: Path) -> dict[str, _Image]:
    """The files of images as the node loads them."""
    archives = images.build_all(lambda _: None, [catalogue.find(name).name for name in names])
    found = {}
    for number, name in enumerate(names):
        root = folder / f"image-{number}"
        config = unpack(archives[name], root)["config"]
        root.chmod(0o755)
        command = (*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ()))
        found[name] = _Image(root, tuple(config.get("Env") or ()), command)
    return found


@contextmanager
def _network() -> Iterator[Path]:
    """A network namespace with a loopback interface and nothing else."""
    path = Path("/run/netns") / _NETNS
    subprocess.run(["ip", "netns", "add", _NETNS], check=True)
    try:
        subprocess.run(["nsenter", f"--net={path}", "ip", "link", "set", "lo", "up"], check=True)
        yield path
    finally:
        subprocess.run(["ip", "netns", "del", _NETNS], check=True)


@dataclass
class Bare:
    """Starts a service's processes; made by ``prepared``.

    Args:
        manifests: what the operator would make.
    """

    manifests: list[dict[str, Any]]
    images: Mapping[str, _Image]
    folder: Path
    netns: Path
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def measure(self) -> dict[str, float]:
        """One run on an empty disk: seconds since its beginning by what happened."""
        volumes = self.folder / "volumes"
        shutil.rmtree(volumes, ignore_errors=True)
        begun = time.monotonic()
        client = FirstObservation(Inside(self.netns, lambda: "127.0.0.1", _HTTP_PORT, lambda: "127.0.0.1"), begun)
        try:
            self._start("database")
            self._await_database()
            client.mark("database answers")
            schema = self._start("schema")
            self._await_things()
            client.mark("schema complete")
            _end(schema)
            for part in ("bus", "http", "mqtt"):
                self._start(part)
            return client.measure()
        finally:
            for process in self._processes:
                _end(process)
            self._processes.clear()

    def _start(self, part: str) -> subprocess.Popen[bytes]:
        workload = next(each for each in self.manifests if _pod(each) and _component(each) == part)
        spec = _pod(workload)
        sidecars = (each for each in spec.get("initContainers", []) if each.get("restartPolicy") == "Always")
        container = next(sidecars, spec["containers"][0])
        image = self.images[container["image"]]
        volumes = self.folder / "volumes" / part
        volumes.mkdir(parents=True)
        self._lay_out(spec, container, volumes)
        values = {each["name"]: _value(each) for each in container.get("env", [])}
        environment = [*image.environment, *(f"{name}={self._at_home(value)}" for name, value in values.items())]
        command = container.get("command") or image.command
        user = str(spec["securityContext"]["runAsUser"])
        process = subprocess.Popen(
            [
                *("nsenter", f"--net={self.netns}", "unshare", "--mount", "--pid", "--fork"),
                *("sh", "-ec", _ENTER, "enter", image.root, volumes, user, *environment, *command),
            ],
            stdout=(self.folder / f"{part}.log").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def _lay_out(self, spec: dict[str, Any], container: dict[str, Any], volumes: Path) -> None:
        """The pod's volumes as folders, at the paths at which the container has them."""
        user = spec["securityContext"]["runAsUser"]
        contents = {each["name"]: self._content(each) for each in spec["volumes"]}
        for mount in container["volumeMounts"]:
            if mount["name"] == "tmp":
                continue
            folder = volumes / mount["mountPath"].lstrip("/")
            folder.mkdir(parents=True)
            for name, text in contents.get(mount["name"], {}).items():
                (folder / name).write_text(text)
                os.chown(folder / name, user, user)
            os.chown(folder, user, user)

    def _content(self, volume: dict[str, Any]) -> dict[str, str]:
        if "secret" in volume:
            return {"username": "sensorthings", "password": _PASSWORD}
        if "configMap" not in volume:
            return {}
        name = volume["configMap"]["name"]
        data: dict[str, str] = next(
            each["data"] for each in self.manifests if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name
        )
        return {key: text.replace("listener 1883", f"listener {_BUS_PORT}") for key, text in data.items()}

    def _at_home(self, value: str) -> str:
        """A setting with the bus's port of here; names of Services are in the hosts file."""
        return value.removesuffix("1883") + _BUS_PORT if value.startswith("tcp://") else value

    def _await_database(self) -> None:
        async def answers() -> bool:
            try:
                connection = await asyncpg.connect(
                    host="127.0.0.1", user="sensorthings", password=_PASSWORD, database="sensorthings", timeout=5
                )
            except (OSError, asyncpg.PostgresError):
                return False
            try:
                return bool(await connection.fetchval("select postgis_lib_version()"))
            except asyncpg.PostgresError:
                return False
            finally:
                await connection.close()

        def ask() -> bool:
            with inside(self.netns):
                return asyncio.run(answers())

        self._await("database", ask)

    def _await_things(self) -> None:
        http = Http("127.0.0.1", _HTTP_PORT, self.netns)
        self._await("schema", lambda: http.get("Things?$top=1&$select=id").status == 200)

    def _await(self, part: str, ask: Any) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not ask():
            if time.monotonic() > deadline or self._processes[-1].poll() is not None:
                log = (self.folder / f"{part}.log").read_text(errors="replace")
                raise RuntimeError(f"the bare {part} does not answer:\n{log[-2000:]}")
            time.sleep(PERIOD)


def _end(process: subprocess.Popen[bytes]) -> None:
    """At once: the next run begins on an empty disk."""
    with suppress(ProcessLookupError):
        # The group, with the first process of the namespace in it: the kernel ends the others with that one.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _pod(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest.get("spec", {}).get("template", {}).get("spec", {})
    return spec


def _component(manifest: dict[str, Any]) -> str:
    return str(manifest["metadata"]["labels"]["app.kubernetes.io/component"])


def _value(variable: dict[str, Any]) -> str:
    if "valueFrom" not in variable:
        return str(variable["value"])
    return {"username": "sensorthings", "password": _PASSWORD}[variable["valueFrom"]["secretKeyRef"]["key"]]


@contextmanager
def prepared(body: dict[str, Any], settings: OperatorSettings, folder: Path) -> Iterator[Bare]:
    """The floor of a service, ready to be measured.

    Args:
        body: the SensorThingsService.
        settings: the operator's, with the images.
        folder: for volumes and logs.
    """
    metadata = body["metadata"]
    spec = parse_service(body, unknown_fields="refuse").spec
    service = Service(metadata["name"], metadata["namespace"], uid="floor", generation=1, spec=spec)
    manifests = desired.children(service, settings)
    services = [each["metadata"] for each in manifests if each["kind"] == "Service"]
    names = [f"{each['name']}.{each['namespace']}.svc.{settings.cluster_domain}" for each in services]
    (folder / "volumes").mkdir()
    (folder / "hosts").write_text(f"127.0.0.1 localhost {' '.join(names)}\n")
    used = sorted({c["image"] for each in manifests if (spec_ := _pod(each)) for c in spec_["containers"]})
    unpacked = _unpacked(used, folder)
    with _network() as netns:
        yield Bare(manifests, unpacked, folder, netns)
