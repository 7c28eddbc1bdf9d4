"""Runs an image of ours with runc the way a restricted pod would: read-only root, no capability, the image's own user.

Network traffic stays on the host's loopback interface. The tests beside this file use it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PATIENCE = 60.0  # seconds that a server may take on a busy machine


def unpack(archive: Path, folder: Path) -> dict[str, Any]:
    """Unpack the layers of a docker-archive over each other; returns the image's configuration."""
    with tarfile.open(archive) as tar:
        (manifest,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        configuration: dict[str, Any] = json.load(tar.extractfile(manifest["Config"]))  # type: ignore[arg-type]
    folder.mkdir()
    for layer in manifest["Layers"]:
        read = ["tar", "--extract", "--to-stdout", "--file", archive, layer]
        with subprocess.Popen(read, stdout=subprocess.PIPE) as reader:
            subprocess.run(["tar", "--extract", "--directory", folder], stdin=reader.stdout, check=True)
        for whiteout in list(folder.rglob(".wh.*")):
            hidden = whiteout.with_name(whiteout.name.removeprefix(".wh."))
            shutil.rmtree(hidden) if hidden.is_dir() else hidden.unlink(missing_ok=True)
            whiteout.unlink()
    return configuration


def await_true(condition: Callable[[], bool], what: str, seconds: float = _PATIENCE, interval: float = 0.02) -> float:
    """Ask each `interval` until it is true; returns the seconds it took. Fails the test when `seconds` run out."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(interval)
    return time.monotonic() - started


@dataclass
class Container:
    """A running container; its log is a file."""

    name: str
    bundle: Path
    process: subprocess.Popen[bytes]
    stop_signal: str

    @property
    def log(self) -> str:
        return (self.bundle / "log").read_text(errors="replace")

    def began(self) -> bool:
        """Whether its own program runs, or has ended already."""
        state = subprocess.run(["runc", "state", self.name], capture_output=True, check=False)
        running = state.returncode == 0 and json.loads(state.stdout)["status"] == "running"
        return running or self.process.poll() is not None

    def resident_memory(self) -> float:
        """Resident set of all its processes, in MiB."""
        listing = subprocess.run(["runc", "ps", "--format", "json", self.name], capture_output=True, check=True).stdout
        status = [Path(f"/proc/{pid}/status").read_text() for pid in json.loads(listing)]
        return sum(int(text.split("VmRSS:")[1].split()[0]) for text in status) / 1024

    def execute(self, *command: str, user: str = "") -> str:
        """Run a command in the container and return its output."""
        options = ["--user", user] if user else []
        return subprocess.run(
            ["runc", "exec", *options, self.name, *command], capture_output=True, check=True, text=True
        ).stdout

    def stop(self) -> tuple[int, float]:
        """End it as a container runtime does; returns its exit code and the seconds it took."""
        started = time.monotonic()
        if self.process.poll() is None:
            subprocess.run(["runc", "kill", self.name, self.stop_signal], check=False, capture_output=True)
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            subprocess.run(["runc", "kill", self.name, "KILL"], check=False, capture_output=True)
            code = self.process.wait(timeout=10)
        return code, time.monotonic() - started


class Runtime:
    """Unpacks each image once and starts containers of it.

    Args:
        folder: Where they are unpacked.
        archive: The docker-archive of an image by its short name; asked for when a test first needs the image.
    """

    def __init__(self, folder: Path, archive: Callable[[str], Path]) -> None:
        self._folder = folder
        self._archive = archive
        self._configurations: dict[str, dict[str, Any]] = {}
        self.containers: list[Container] = []

    def configuration(self, image: str) -> dict[str, Any]:
        """The OCI configuration of an image (user, entry point, labels), by its short name."""
        if image not in self._configurations:
            self._configurations[image] = unpack(self._archive(image), self.root(image))
        configuration: dict[str, Any] = self._configurations[image]["config"]
        return configuration

    def root(self, image: str) -> Path:
        """Where its files are unpacked."""
        return self._folder / image

    def writable(self, image: str, folder: Path) -> Path:
        """Make a folder that the image's user may write to, as an emptyDir is."""
        folder.mkdir()
        self.give(image, folder)
        return folder

    def give(self, image: str, path: Path) -> None:
        """Make the image's user the owner of a file or folder."""
        uid, _, gid = str(self.configuration(image)["User"]).partition(":")
        os.chown(path, int(uid), int(gid))

    def run(
        self,
        image: str,
        *,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
        mounts: Mapping[str, Path] | None = None,
        user: int | None = None,
    ) -> Container:
        """Start an image; `command` replaces both its entry point and its arguments, `user` its user."""
        config = self.configuration(image)
        uid, _, gid = str(config["User"]).partition(":")
        spec = _specification(
            root=self.root(image),
            arguments=list(command) if command else [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])],
            environment=[*config["Env"], *(f"{key}={value}" for key, value in (environment or {}).items())],
            user=(user if user is not None else int(uid), int(gid or uid)),
            folder=config.get("WorkingDir") or "/",
            mounts=mounts or {},
        )
        name = f"{image}-{uuid.uuid4().hex[:8]}"
        bundle = self._folder / f"bundle-{name}"
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(spec))
        with (bundle / "log").open("wb") as log:
            process = subprocess.Popen(
                ["runc", "run", "--bundle", bundle, name], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        container = Container(name, bundle, process, config.get("StopSignal") or "SIGTERM")
        self.containers.append(container)
        await_true(container.began, f"{image} starts")
        return container

    def close(self) -> None:
        """End whatever still runs, and remove the gigabytes that were unpacked; the logs stay."""
        for container in reversed(self.containers):
            container.stop()
            subprocess.run(["runc", "delete", "--force", container.name], check=False, capture_output=True)
        for image in self._configurations:
            shutil.rmtree(self.root(image))


def _specification(
    *,
    root: Path,
    arguments: list[str],
    environment: list[str],
    user: tuple[int, int],
    folder: str,
    mounts: Mapping[str, Path],
) -> dict[str, Any]:
    """An OCI runtime configuration: everything a restricted pod forbids is forbidden."""
    quiet = ["nosuid", "nodev", "noexec"]
    standard = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": [*quiet, "mode=1777"]},  # noqa: S108
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*quiet, "ro"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": [*quiet, "relatime", "ro"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmp", "options": ["nosuid", "nodev", "mode=1777"]},  # noqa: S108
    ]
    bound = [
        {"destination": target, "type": "bind", "source": str(source), "options": ["bind", "rw"]}
        for target, source in mounts.items()
    ]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": user[0], "gid": user[1]},
            "args": arguments,
            "env": environment,
            "cwd": folder,
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "root": {"path": str(root), "readonly": True},
        "mounts": [*standard, *bound],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")],
            "cgroupsPath": f"/sensorthings-test-{uuid.uuid4().hex[:8]}",
            "maskedPaths": ["/proc/kcore", "/proc/keys"],
            "readonlyPaths": ["/proc/sys", "/proc/sysrq-trigger"],
        },
    }


def may_run() -> bool:
    """Whether this machine and user can run containers."""
    return os.geteuid() == 0 and all(shutil.which(command) for command in ("runc", "buildah", "mmdebstrap"))
