"""The processes of a service, started bare from their images' files: nothing stands between them and the machine but a
changed root. Commands, settings and configuration are those of the manifests that the operator makes; only the
addresses differ.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from localcluster import images
from localcluster.images import catalogue
from sensorthings_operator import desired
from sensorthings_operator.api.parse import parse_service
from sensorthings_operator.apply import certificates
from sensorthings_operator.desired.metadata import CERTIFICATE_HOSTS_ANNOTATION
from sensorthings_operator.desired.service import Service
from tests.e2e.images.containers import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sensorthings_operator.desired.settings import OperatorSettings

USER: Final = "sensorthings"
"""Of the database."""
PASSWORD: Final = base64.b64encode(os.urandom(16)).decode()
PERIOD: Final = 0.05
"""Seconds between two tries."""
_MIGRATION: Final = "migrate"
"""The container of the schema's pod that runs FROST-Server."""
# argv: root, folder of volumes, then NAME=VALUE ... and the command. Volumes are bound over the image's files.
_ENTER: Final = """
root=$1 volumes=$2; shift 2
mkdir -p "$root/dev" "$root/proc" "$root/tmp" "$root/etc"; touch "$root/etc/hosts"
mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"; mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
(cd "$volumes" && find . -mindepth 1 -type d -links 2 | sed 's/^.//') | while read -r folder; do
  mkdir -p "$root$folder"; mount --bind "$volumes$folder" "$root$folder"
done
mount --bind "$volumes/../../hosts" "$root/etc/hosts"
cd "$root"; exec env -i "$@"
"""


@dataclass(frozen=True)
class _Image:
    """An image's files, and what its configuration says."""

    root: Path
    environment: tuple[str, ...]
    entry: tuple[str, ...]
    arguments: tuple[str, ...]


def _unpacked(names: Sequence[str], folder: Path) -> dict[str, _Image]:
    """The files of images as the node loads them."""
    archives = images.build_all(lambda _: None, [catalogue.find(name).name for name in names])
    found = {}
    for number, name in enumerate(names):
        root = folder / f"image-{number}"
        config = unpack(archives[name], root)["config"]
        root.chmod(0o755)
        environment, entry, arguments = (tuple(config.get(key) or ()) for key in ("Env", "Entrypoint", "Cmd"))
        found[name] = _Image(root, environment, entry, arguments)
    return found


@dataclass(frozen=True)
class Place:
    """Where processes run, and what they find there that the operator does not make.

    Args:
        enter: the command that a command is prefixed with to run there.
        secrets: the values of Secrets that the spec names, by name.
        hosts: addresses of hosts that the spec names, by name.
    """

    enter: tuple[str, ...] = ()
    secrets: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)


ANYWHERE: Final = Place()
"""Here, with nothing."""


@dataclass
class Processes:
    """Starts the parts of a service; made by ``unpacked``.

    Args:
        manifests: what the operator would make.
        secrets: the values of Secrets that pods read, by name.
        enter: the command that a command is prefixed with to run where the processes are to be.
    """

    manifests: list[dict[str, Any]]
    images: Mapping[str, _Image]
    secrets: Mapping[str, Mapping[str, bytes]]
    folder: Path
    enter: tuple[str, ...] = ()
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def end(self) -> None:
        """End all of them at once."""
        for process in self._running:
            end(process)
        self._running.clear()

    def start(self, part: str, container: str = _MIGRATION) -> subprocess.Popen[bytes]:
        """Start one part, named as its label says: the container of that name, or the first one where there is none."""
        workload = next(each for each in self.manifests if _pod(each) and _component(each) == part)
        spec = _pod(workload)
        containers = [*spec.get("initContainers", []), *spec["containers"]]
        chosen = next((each for each in containers if each["name"] == container), spec["containers"][0])
        return self._start(spec, chosen, part if container == _MIGRATION else f"{part}-{container}")

    def beside(
        self,
        part: str,
        body: dict[str, Any],
        settings: OperatorSettings,
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        """Start a part of another service of the same name, from the same images and with the same Secrets."""
        folder.mkdir()
        _lay_out_folder(folder, (self.folder / "hosts").read_text())
        other = Processes(_manifests(body, settings), self.images, self.secrets, folder, self.enter, self._running)
        workload = next(each for each in other.manifests if _pod(each) and _component(each) == part)
        (container,) = _pod(workload)["containers"]
        container["env"] += [{"name": name, "value": value} for name, value in environment.items()]
        other.start(part)

    def _start(self, spec: dict[str, Any], container: dict[str, Any], name: str) -> subprocess.Popen[bytes]:
        image = self.images[container["image"]]
        volumes = self.folder / "volumes" / name
        volumes.mkdir(parents=True)
        self._lay_out(spec, container, volumes)
        values = {each["name"]: self._value(each) for each in container.get("env", [])}
        environment = [*image.environment, *(f"{name}={value}" for name, value in values.items())]
        command = container.get("command") or (*image.entry, *(container.get("args") or image.arguments))
        user = str(spec["securityContext"]["runAsUser"])
        self._tell_kernel(spec["securityContext"].get("sysctls", ()))
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(*self.enter, "unshare", "--mount", "--pid", "--fork"),
                    *("sh", "-ec", _ENTER, "enter", str(image.root), str(volumes), *environment),
                    # An image may hold nothing but its program.
                    *("/usr/sbin/chroot", f"--userspec={user}:{user}", "--groups=", ".", *command),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def _tell_kernel(self, sysctls: Sequence[Mapping[str, str]]) -> None:
        """What a pod asks of its network namespace; where the processes have none of their own, nothing changes."""
        if self.enter and sysctls:
            settings = [f"{each['name']}={each['value']}" for each in sysctls]
            subprocess.run([*self.enter, "sysctl", "-qw", *settings], check=True)

    def _value(self, variable: dict[str, Any]) -> str:
        if "valueFrom" not in variable:
            return str(variable["value"])
        chosen = variable["valueFrom"]["secretKeyRef"]
        return self.secrets[chosen["name"]][chosen["key"]].decode()

    def _lay_out(self, spec: dict[str, Any], container: dict[str, Any], volumes: Path) -> None:
        """The pod's volumes as folders, at the paths at which the container has them."""
        user = spec["securityContext"]["runAsUser"]
        contents = {each["name"]: self._content(each) for each in spec["volumes"]}
        for mount in container["volumeMounts"]:
            if mount["name"] == "tmp":
                continue
            folder = volumes / mount["mountPath"].lstrip("/")
            folder.mkdir(parents=True)
            for name, content in contents.get(mount["name"], {}).items():
                (folder / name).write_bytes(content)
                os.chown(folder / name, user, user)
            os.chown(folder, user, user)

    def _content(self, volume: dict[str, Any]) -> dict[str, bytes]:
        if "secret" in volume:
            return _chosen(volume["secret"], self.secrets)
        if "configMap" not in volume:
            return {}
        name = volume["configMap"]["name"]
        return next(
            config_map_values(each)
            for each in self.manifests
            if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name
        )

    def await_part(self, part: str, ask: Callable[[], bool], patience: float = 120) -> None:
        """Ask until a part answers.

        Args:
            part: the part that was started last.
            ask: whether it answers.
            patience: seconds for it to do so.

        Raises:
            RuntimeError: it ended, or did not answer in time.
        """
        deadline = time.monotonic() + patience
        while not ask():
            if time.monotonic() > deadline or self._running[-1].poll() is not None:
                log = (self.folder / f"{part}.log").read_text(errors="replace")
                raise RuntimeError(f"the bare {part} does not answer:\n{log[-2000:]}")
            time.sleep(PERIOD)


def end(process: subprocess.Popen[bytes]) -> None:
    """At once: the next one begins on an empty disk."""
    with suppress(ProcessLookupError):
        # The group, with the first process of the namespace in it: the kernel ends the others with that one.
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _pod(manifest: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = manifest.get("spec", {}).get("template", {}).get("spec", {})
    return spec


def _component(manifest: dict[str, Any]) -> str:
    return str(manifest["metadata"]["labels"]["app.kubernetes.io/component"])


def _chosen(volume: dict[str, Any], secrets: Mapping[str, Mapping[str, bytes]]) -> dict[str, bytes]:
    """What a volume shows of its Secret: the whole of it where it names no items."""
    values = secrets[volume["secretName"]]
    return {item["path"]: values[item["key"]] for item in volume.get("items", [{"key": k, "path": k} for k in values])}


def _manifests(body: dict[str, Any], settings: OperatorSettings) -> list[dict[str, Any]]:
    metadata = body["metadata"]
    spec = parse_service(body, unknown_fields="refuse").spec
    service = Service(metadata["name"], metadata["namespace"], uid="floor", generation=1, spec=spec)
    return desired.children(service, settings)


def _lay_out_folder(folder: Path, hosts: str) -> None:
    (folder / "volumes").mkdir()
    (folder / "hosts").write_text(hosts)


def config_map_values(config_map: Mapping[str, Any]) -> dict[str, bytes]:
    """What a ConfigMap holds, texts and bytes."""
    texts = {key: text.encode() for key, text in config_map.get("data", {}).items()}
    return texts | {key: base64.b64decode(value) for key, value in config_map.get("binaryData", {}).items()}


def secret_values(secret: dict[str, Any]) -> dict[str, bytes]:
    """What the operator would draw or issue for it."""
    hosts = secret["metadata"]["annotations"].get(CERTIFICATE_HOSTS_ANNOTATION)
    if hosts is not None:
        return certificates.issue({}, hosts.split(","), datetime.now(UTC))
    return {"username": USER.encode(), "password": PASSWORD.encode()}


def unpacked(
    body: dict[str, Any],
    settings: OperatorSettings,
    folder: Path,
    *,
    parts: Sequence[str],
    place: Place = ANYWHERE,
) -> Processes:
    """The processes of a service, ready to be started.

    Args:
        body: the SensorThingsService.
        settings: the operator's, with the images.
        folder: for volumes and logs; empty.
        parts: those that are to be started.
        place: where they run.
    """
    manifests = _manifests(body, settings)
    services = [each["metadata"] for each in manifests if each["kind"] == "Service"]
    names = [f"{each['name']}.{each['namespace']}.svc.{settings.cluster_domain}" for each in services]
    others = "".join(f"{address} {name}\n" for name, address in place.hosts.items())
    _lay_out_folder(folder, f"127.0.0.1 localhost {' '.join(names)}\n{others}")
    pods = [spec_ for each in manifests if (spec_ := _pod(each)) and _component(each) in parts]
    containers = [each for pod in pods for each in (*pod.get("initContainers", ()), *pod["containers"])]
    used = sorted({container["image"] for container in containers})
    made = {each["metadata"]["name"]: secret_values(each) for each in manifests if each["kind"] == "Secret"}
    return Processes(manifests, _unpacked(used, folder), {**made, **place.secrets}, folder, place.enter)
