"""The database pair on machines of our own, booted for all tests here from the user-data that the stack renders."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import TYPE_CHECKING, Final

import pytest

from localcluster.commands import run
from localcluster.errors import LocalClusterError
from sensorthings_stacks import user_data
from sensorthings_stacks.machine_size import machine_size
from tests.stacks.machines import rootfs
from tests.stacks.machines.virtual import Machine, machine, segment
from tests.stacks.programs import PASSWORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.stacks.machines.virtual import Segment

NODE: Final = IPv4Interface("10.20.0.5/16")
"""A node of the cluster."""
STRANGER: Final = IPv4Interface("10.20.32.5/16")
"""An address of the same network that is no node's."""
PAIR: Final = user_data.Pair(
    primary=user_data.Member("db-0", IPv4Address("10.20.16.10")),
    replica=user_data.Member("db-1", IPv4Address("10.20.16.11")),
    cluster_range=IPv4Network("10.20.0.0/20"),
    size=machine_size("Standard_D2ds_v5"),
    disk_gibibytes=32,
    credentials=user_data.Folder("/srv/passwords"),
    data_disk=None,
)
_TOOLS: Final = ("systemd-nspawn", "mmdebstrap", "ip", "nsenter")


@dataclass
class Site:
    """What the tests hold of the two machines and their network."""

    segment: Segment
    root: Path
    folder: Path
    boots: int = 0

    def boot(self, stack: ExitStack, member: user_data.Member, render: Callable[[user_data.Pair], str]) -> Machine:
        """Boot a machine; its data disk is the one that was there before, if it was."""
        self.boots += 1
        data = self.folder / f"data-{member.name}"
        data.mkdir(exist_ok=True)
        namespace = stack.enter_context(self.segment.port(member.name, IPv4Interface(f"{member.address}/16")))
        return stack.enter_context(
            machine(
                member.name,
                root=self.root,
                namespace=namespace,
                folder=self.folder / f"boot-{self.boots}",
                user_data=render(PAIR),
                binds=[
                    f"--bind={data}:{user_data.DATA}",
                    f"--bind-ro={self.folder / 'passwords'}:/srv/passwords",
                ],
            )
        )


@dataclass(frozen=True)
class Client:
    """psql somewhere in the network, as FROST-Server is: by TCP, with TLS and the password."""

    namespace: str
    root: Path

    def ask(self, member: user_data.Member, sql: str, *, tls: str = "require") -> str:
        """The answer to a statement. Raises LocalClusterError with what psql said."""
        where = f"host={member.address} user={user_data.OWNER} dbname={user_data.DATABASE}"
        command = ["psql", "-Atqw", f"--dbname={where} sslmode={tls} connect_timeout=5", f"--command={sql}"]
        inside = ["ip", "netns", "exec", self.namespace, "chroot", str(self.root)]
        return run([*inside, *command], env={"PGPASSWORD": PASSWORDS["sensorthings"], "LC_ALL": "C"}).strip()

    def answers(self, member: user_data.Member, sql: str, expected: str) -> bool:
        """Whether the answer is that one by now; a refused connection is no answer."""
        try:
            return self.ask(member, sql) == expected
        except LocalClusterError:
            return False


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The network and the machines' disks. Skipped by name where a tool or a right is missing."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"machines need root and {', '.join(_TOOLS)} (Debian: systemd-container, mmdebstrap); no {missing}")
    folder = tmp_path_factory.mktemp("machines")
    passwords = folder / "passwords"
    passwords.mkdir()
    for role, password in PASSWORDS.items():
        (passwords / role).write_text(password)
    with segment() as made:
        yield Site(made, rootfs.root(), folder)


@pytest.fixture(scope="session")
def node(site: Site) -> Iterator[Client]:
    """A client with a node's address."""
    with site.segment.port("node", NODE) as namespace:
        yield Client(namespace, site.root)


@pytest.fixture(scope="session")
def stranger(site: Site) -> Iterator[Client]:
    """A client with an address of the network that is no node's."""
    with site.segment.port("stranger", STRANGER) as namespace:
        yield Client(namespace, site.root)


@dataclass
class Running:
    """A machine that can be taken away and come back."""

    site: Site
    member: user_data.Member
    render: Callable[[user_data.Pair], str]
    stack: ExitStack
    machine: Machine

    def replace(self) -> None:
        """Power the machine off, and boot a new one on its data disk."""
        self.stack.close()
        self.machine = self.site.boot(self.stack, self.member, self.render)


@dataclass(frozen=True)
class RunningPair:
    """The two machines."""

    primary: Running
    replica: Running

    def __iter__(self) -> Iterator[Running]:
        yield from (self.primary, self.replica)


@pytest.fixture(scope="session")
def pair(site: Site) -> Iterator[RunningPair]:
    """Both machines, the replica first: it has to wait for its primary."""
    with ExitStack() as replica_stack, ExitStack() as primary_stack:
        replica = site.boot(replica_stack, PAIR.replica, user_data.replica)
        primary = site.boot(primary_stack, PAIR.primary, user_data.primary)
        yield RunningPair(
            Running(site, PAIR.primary, user_data.primary, primary_stack, primary),
            Running(site, PAIR.replica, user_data.replica, replica_stack, replica),
        )


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """A failure shows what the machines wrote."""
    running = getattr(item, "funcargs", {}).get("pair")
    if call.excinfo is None or running is None:
        return
    for each in (side.machine for side in running):
        tail = each.console.read_text(errors="replace").splitlines()[-40:]
        item.add_report_section(call.when, f"console of {each.name}", "\n".join(tail))
        if each.process.poll() is None:
            journal = subprocess.run(
                ["nsenter", "--all", "--target", str(each.leader), "--", "journalctl", "-b", "-n", "60", "--no-pager"],
                capture_output=True,
                text=True,
                check=False,
            )
            item.add_report_section(call.when, f"journal of {each.name}", journal.stdout)
