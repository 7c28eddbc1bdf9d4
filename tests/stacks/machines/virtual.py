"""Machines of the tests: systemd and cloud-init in systemd-nspawn, on a bridge in network namespaces of their own.

Nothing of the host's network is touched: the bridge lies in a namespace too, and no namespace has a way out.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from localcluster.commands import run
from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ipaddress import IPv4Address, IPv4Interface

_STOPPING: Final = 60  # seconds that a machine may take to power off
FREEZERS: Final = Path("/sys/fs/cgroup/freezer")
"""Where a machine can be frozen: cgroups of version 1."""
_NOBODY: Final = "02:00:00:00:00:99"
"""An Ethernet address that no interface of the bridge has: what is sent there is lost, and nobody is told."""


@dataclass(frozen=True)
class Segment:
    """A bridge in a namespace. Every namespace of a run begins with the same letters."""

    prefix: str

    @property
    def namespace(self) -> str:
        """The namespace of the bridge."""
        return f"{self.prefix}-lan"

    @contextmanager
    def port(self, name: str, *addresses: IPv4Interface) -> Iterator[str]:
        """A namespace with one interface on the bridge; yields its name."""
        namespace = f"{self.prefix}-{name}"
        run(["ip", "netns", "add", namespace])
        try:
            peer = ["peer", "name", "eth0", "netns", namespace]
            run(["ip", "-n", self.namespace, "link", "add", name, "type", "veth", *peer])
            try:
                run(["ip", "-n", self.namespace, "link", "set", name, "master", "lan", "up"])
                for address in addresses:
                    run(["ip", "-n", namespace, "address", "add", str(address), "dev", "eth0"])
                for device in ("lo", "eth0"):
                    run(["ip", "-n", namespace, "link", "set", device, "up"])
                yield namespace
            finally:
                # The kernel takes it away with the namespace, too, but later than a machine may be booted again.
                run(["ip", "-n", self.namespace, "link", "delete", name])
        finally:
            run(["ip", "netns", "delete", namespace])

    @contextmanager
    def deaf_to(self, name: str, *others: IPv4Address) -> Iterator[None]:
        """What the machine of that name sends to the others is lost; what they send arrives."""
        neighbours = ["ip", "-n", f"{self.prefix}-{name}", "neighbour"]
        for other in others:
            run([*neighbours, "replace", str(other), "lladdr", _NOBODY, "dev", "eth0", "nud", "permanent"])
        try:
            yield
        finally:
            for other in others:
                run([*neighbours, "delete", str(other), "dev", "eth0"])

    @contextmanager
    def unplugged(self, name: str) -> Iterator[None]:
        """Nothing that a machine sends or is sent arrives, and nobody is told."""
        port = ["ip", "-n", self.namespace, "link", "set", name]
        run([*port, "down"])
        try:
            yield
        finally:
            run([*port, "up"])


@contextmanager
def segment() -> Iterator[Segment]:
    """A bridge that nothing outside reaches."""
    made = Segment(f"stdb{secrets.token_hex(2)}")
    run(["ip", "netns", "add", made.namespace])
    try:
        run(["ip", "-n", made.namespace, "link", "add", "lan", "type", "bridge"])
        run(["ip", "-n", made.namespace, "link", "set", "lan", "up"])
        yield made
    finally:
        run(["ip", "netns", "delete", made.namespace])


@dataclass(frozen=True)
class Machine:
    """A machine that runs."""

    name: str
    console: Path
    """What it wrote to its console."""
    process: subprocess.Popen[bytes]
    freezer: Path

    def run(self, *argv: str, timeout: float | None = 600) -> str:
        """Run a command on the machine and return its standard output. Raises LocalClusterError when it fails."""
        return run(["nsenter", "--all", "--target", str(self.leader), "--", *argv], timeout=timeout)

    @property
    def leader(self) -> int:
        """The machine's first process: the child of systemd-nspawn."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    @property
    def is_there(self) -> bool:
        """Whether it has power."""
        return self.process.poll() is None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """None of its processes runs; its memory and its connections stay. Its kernel is ours, and still answers."""
        self._freezer("FROZEN")
        try:
            yield
        finally:
            self._freezer("THAWED")

    def _freezer(self, state: str) -> None:
        place = self.freezer / "freezer.state"
        place.write_text(state)
        while place.read_text().strip() != state:
            time.sleep(0.01)

    def cut_power(self) -> None:
        """It is gone from one moment to the next; nothing is written any more."""
        # systemd-nspawn would leave them behind; with the first of its processes all others end.
        os.kill(self.leader, signal.SIGKILL)
        self.process.wait()


@dataclass(frozen=True)
class Boot:
    """What a machine is booted from."""

    name: str
    """Its host name."""
    root: Path
    """Its own file system, which it changes."""
    namespace: str
    """Its network namespace."""
    folder: Path
    """A new folder for its seed and console."""
    instance: str
    """Id of the instance: with a new one, cloud-init takes the machine for new."""
    user_data: str
    """For cloud-init."""
    binds: Sequence[str]
    """systemd-nspawn's options for folders of the host."""


@contextmanager
def disk_of_its_own(root: Path, folder: Path) -> Iterator[Path]:
    """A file system that begins as `root` and keeps what is changed in `folder`; `root` is left as it is."""
    parts = {name: folder / name for name in ("upper", "work", "merged")}
    for part in parts.values():
        part.mkdir(parents=True, exist_ok=True)
    layers = f"lowerdir={root},upperdir={parts['upper']},workdir={parts['work']}"
    run(["mount", "-t", "overlay", "overlay", "-o", layers, parts["merged"]])
    try:
        yield parts["merged"]
    finally:
        _unmount(parts["merged"])


@contextmanager
def data_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """A file system of that size, made where there is none yet. Its bytes take room when they are written."""
    folder.mkdir(parents=True, exist_ok=True)
    image, place = folder / "disk", folder / "mounted"
    if not image.exists():
        run(["truncate", f"--size={mebibytes}M", image])
        run(["mkfs.ext4", "-q", "-m", "0", image])
    place.mkdir(exist_ok=True)
    run(["mount", "-o", "loop", image, place])
    try:
        yield place
    finally:
        _unmount(place)


@contextmanager
def machine(boot: Boot) -> Iterator[Machine]:
    """Boot a machine; it is powered off in the end."""
    seed = boot.folder / "seed"
    seed.mkdir(parents=True)
    (seed / "user-data").write_text(boot.user_data)
    (seed / "meta-data").write_text(f"instance-id: {boot.instance}\nlocal-hostname: {boot.name}\n")
    console = boot.folder / "console"
    freezer = FREEZERS / f"{boot.namespace}-{secrets.token_hex(2)}"
    freezer.mkdir()
    options = [
        "--quiet",
        "--boot",
        "--register=no",
        "--keep-unit",
        "--link-journal=no",
        "--console=pipe",
        f"--directory={boot.root}",
        f"--machine={boot.namespace}",
        f"--hostname={boot.name}",
        f"--network-namespace-path=/run/netns/{boot.namespace}",
        f"--bind-ro={seed}:/var/lib/cloud/seed/nocloud",
        *boot.binds,
    ]
    # The shell enters the freezer first, so that everything that the machine starts is in it.
    entered = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec systemd-nspawn "$@"', str(freezer), *options]
    with ExitStack() as stack:
        output = stack.enter_context(console.open("wb"))
        process = subprocess.Popen(entered, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        stack.callback(_forget, freezer)
        stack.callback(_power_off, process)
        yield Machine(boot.name, console, process, freezer)


def _power_off(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
    try:
        process.wait(_STOPPING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _unmount(place: Path) -> None:
    """Some moments may pass until a machine that lost its power holds nothing any more."""
    for _ in range(50):
        try:
            run(["umount", place])
        except LocalClusterError:
            time.sleep(0.2)
        else:
            return
    run(["umount", place])


def _forget(freezer: Path) -> None:
    for _ in range(100):
        try:
            freezer.rmdir()
        except OSError:
            time.sleep(0.1)
        else:
            return
