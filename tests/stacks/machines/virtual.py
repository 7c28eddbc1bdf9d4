"""Machines of the tests: systemd and cloud-init in systemd-nspawn, on a bridge in network namespaces of their own.

Nothing of the host's network is touched: the bridge lies in a namespace too, and no namespace has a way out.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from localcluster.commands import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ipaddress import IPv4Interface

_STOPPING: Final = 60  # seconds that a machine may take to power off


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
            run(["ip", "-n", self.namespace, "link", "set", name, "master", "lan", "up"])
            for address in addresses:
                run(["ip", "-n", namespace, "address", "add", str(address), "dev", "eth0"])
            for device in ("lo", "eth0"):
                run(["ip", "-n", namespace, "link", "set", device, "up"])
            yield namespace
        finally:
            run(["ip", "netns", "delete", namespace])


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

    def run(self, *argv: str) -> str:
        """Run a command on the machine and return its standard output. Raises LocalClusterError when it fails."""
        return run(["nsenter", "--all", "--target", str(self.leader), "--", *argv])

    @property
    def leader(self) -> int:
        """The machine's first process: the child of systemd-nspawn."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@contextmanager
def machine(
    name: str,
    *,
    root: Path,
    namespace: str,
    folder: Path,
    user_data: str,
    binds: Sequence[str],
) -> Iterator[Machine]:
    """Boot a machine from user-data; it is powered off in the end. What it writes to its own disk is lost then.

    Args:
        name: Its host name.
        root: The root file system, which is left as it is.
        namespace: Its network namespace.
        folder: A new folder for its seed and console.
        user_data: For cloud-init.
        binds: systemd-nspawn's options for folders of the host.
    """
    seed = folder / "seed"
    seed.mkdir(parents=True)
    (seed / "user-data").write_text(user_data)
    (seed / "meta-data").write_text(f"instance-id: {secrets.token_hex(4)}\nlocal-hostname: {name}\n")
    console = folder / "console"
    options = [
        "--quiet",
        "--boot",
        "--volatile=overlay",
        "--register=no",
        "--keep-unit",
        "--link-journal=no",
        "--console=pipe",
        f"--directory={root}",
        f"--machine={namespace}",
        f"--hostname={name}",
        f"--network-namespace-path=/run/netns/{namespace}",
        f"--bind-ro={seed}:/var/lib/cloud/seed/nocloud",
        *binds,
    ]
    with ExitStack() as stack:
        output = stack.enter_context(console.open("wb"))
        process = subprocess.Popen(
            ["systemd-nspawn", *options], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        stack.callback(_power_off, process)
        yield Machine(name, console, process)


def _power_off(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
    try:
        process.wait(_STOPPING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
