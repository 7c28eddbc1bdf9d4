"""Three machines, their network, disks and secrets, as the fixtures of the tests hold them."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import TYPE_CHECKING, Any, Final

from localcluster.errors import LocalClusterError
from sensorthings_stacks import user_data
from sensorthings_stacks.machine_size import machine_size
from sensorthings_stacks.machines import cluster as c
from sensorthings_stacks.machines import etcd
from sensorthings_stacks.machines import secrets as names
from sensorthings_stacks.machines.cluster import Cluster, Folder, FolderArchive, Member
from tests.stacks.machines import certificates
from tests.stacks.machines.virtual import Boot, Machine, data_disk, disk_of_its_own, machine, segment
from tests.stacks.programs import PASSWORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.stacks.machines.virtual import Segment

NODE: Final = IPv4Interface("10.20.0.5/16")
"""A node of the cluster."""
STRANGER: Final = IPv4Interface("10.20.32.5/16")
"""An address of the same network that is no node's."""
TOOLS: Final = ("systemd-nspawn", "mmdebstrap", "ip", "nsenter", "mkfs.ext4", "psql", "curl", "openssl")
CLUSTER: Final = Cluster(
    databases=(Member("db-0", IPv4Address("10.20.16.10")), Member("db-1", IPv4Address("10.20.16.11"))),
    witness=Member("db-witness", IPv4Address("10.20.16.12")),
    domain="city.internal",
    keycloak=True,
    clients=IPv4Network("10.20.0.0/20"),
    size=machine_size("Standard_D2ds_v5"),
    disk_gibibytes=32,
    secrets=Folder("/srv/secrets"),
    archive=FolderArchive("/srv/archive"),
    retention_days=30,
    identities={},
    data_disk=None,
)
PATIENCE: Final = 300
"""Seconds; two cores may be shared with much else."""
_DISK_MEBIBYTES: Final = 4096


@dataclass
class Site:
    """What the tests hold of the machines and their network."""

    segment: Segment
    root: Path
    folder: Path
    issuer: certificates.Authority
    machines: dict[str, Machine] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)
    _stacks: dict[str, ExitStack] = field(default_factory=dict)
    _boots: int = 0

    @property
    def archive(self) -> Path:
        """The folder of the backups."""
        return self.folder / "archive"

    @property
    def authority(self) -> Path:
        """The certificate with which clients verify the machines."""
        return self.folder / "secrets" / names.AUTHORITY

    def boot(self, member: Member, *, new: bool = False) -> Machine:
        """Boot a machine. With `new`, it is another one on the old one's data disk; else it is as it was left."""
        self._boots += 1
        stack = self._stacks[member.name] = ExitStack()
        if new or member.name not in self.instances:
            self.instances[member.name] = secrets.token_hex(4)
        instance = self.instances[member.name]
        own = stack.enter_context(disk_of_its_own(self.root, self.folder / f"{member.name}-{instance}"))
        binds = [f"--bind-ro={self.folder / 'secrets'}:/srv/secrets", f"--bind={self.archive}:/srv/archive"]
        if member in CLUSTER.databases:
            disk = stack.enter_context(data_disk(self.folder / f"{member.name}-data", _DISK_MEBIBYTES))
            binds.append(f"--bind={disk}:{c.DISK}")
        address = IPv4Interface(f"{member.address}/16")
        namespace = stack.enter_context(self.segment.port(member.name, address))
        started = stack.enter_context(
            machine(
                Boot(
                    member.name,
                    root=own,
                    namespace=namespace,
                    folder=self.folder / f"boot-{self._boots}",
                    instance=instance,
                    user_data=user_data.of(CLUSTER, member),
                    binds=binds,
                )
            )
        )
        self.machines[member.name] = started
        return started

    def power_off(self, member: Member) -> None:
        """Shut it down, or clear away what is left of it."""
        if member.name in self._stacks:
            self._stacks.pop(member.name).close()

    def cut_power(self, member: Member) -> None:
        """It is gone at once, and can be booted again."""
        self.machines[member.name].cut_power()
        self.power_off(member)

    def of(self, member: Member) -> Machine:
        """The machine of a member."""
        return self.machines[member.name]

    def data(self, member: Member) -> Path:
        """Its data disk, seen from here."""
        return self.folder / f"{member.name}-data" / "mounted"

    def roles(self) -> dict[str, str]:
        """What each member is, as Patroni says: leader, sync_standby, replica. Empty where nobody answers."""
        for member in CLUSTER.databases:
            if member.name in self.machines and self.of(member).is_there:
                try:
                    told = self.ctl(member, "list", "--format", "json")
                except (LocalClusterError, OSError, IndexError):
                    continue
                return {each["Member"]: _role(each) for each in json.loads(told)}
        return {}

    def ctl(self, member: Member, *argv: str) -> str:
        """patronictl on a machine."""
        command = ["/opt/patroni/bin/patronictl", "--config-file", "/etc/sensorthings/patroni", *argv]
        return self.of(member).run(*command, timeout=120)

    def is_well(self) -> bool:
        """Whether one leads and the other is its synchronous standby, and both run."""
        return sorted(self.roles().values()) == ["Leader running", "Sync Standby streaming"]

    def until_well(self, patience: float = PATIENCE) -> float:
        """Seconds until it is well."""
        return until(self.is_well, f"the cluster to be well: {self.roles()}", patience)

    @property
    def primary(self) -> Member:
        """The member that leads."""
        return self._with("Leader")

    @property
    def standby(self) -> Member:
        """The member that follows."""
        return CLUSTER.peer(self.primary)

    def etcd_members(self) -> set[str]:
        """Names of the members that etcd counts and that have started."""
        files = f"{c.RUN}/etcd"
        login = [f"--cacert={files}/authority.crt", f"--cert={files}/machine.crt", f"--key={files}/machine.key"]
        listed = self.of(CLUSTER.databases[0]).run(
            "env",
            "ETCDCTL_API=3",
            "etcdctl",
            f"--endpoints={etcd.client_url(CLUSTER.databases[0])}",
            *login,
            "member",
            "list",
        )
        return {line.split(", ")[2] for line in listed.splitlines() if line.split(", ")[4]}

    def renew_certificates(self) -> None:
        """Other keys and certificates of the same authority, where the machines fetch theirs."""
        for name, content in self.issuer.machines(CLUSTER).items():
            (self.folder / "secrets" / name).write_text(content)

    def serial(self, member: Member) -> int:
        """Serial number of the certificate that a machine should have."""
        return certificates.serial((self.folder / "secrets" / names.certificate(member.name)).read_text())

    def _with(self, role: str) -> Member:
        roles = self.roles()
        (found,) = (each for each in CLUSTER.databases if roles.get(each.name, "").startswith(role))
        return found


def _role(listed: dict[str, Any]) -> str:
    return f"{listed['Role']} {listed['State']}"


def until(true: Callable[[], bool], what: str, patience: float = PATIENCE) -> float:
    """Seconds until something is true. Raises AssertionError when it isn't in time."""
    started = time.monotonic()
    while not true():
        waited = time.monotonic() - started
        assert waited < patience, f"waited {patience} s in vain for {what}"
        time.sleep(0.2)
    return time.monotonic() - started


@contextmanager
def site(folder: Path, root: Path) -> Iterator[Site]:
    """A network without machines yet, and the folder of their secrets."""
    issuer = certificates.Authority()
    passwords = {names.password(role): password for role, password in PASSWORDS.items()}
    files = {**passwords, names.AUTHORITY: issuer.certificate, **issuer.machines(CLUSTER)}
    (folder / "secrets").mkdir()
    for name, content in files.items():
        (folder / "secrets" / name).write_text(content)
    (folder / "archive").mkdir()
    # The account postgres of the machines has a number of its own.
    (folder / "archive").chmod(0o777)
    with segment() as made:
        yield Site(made, root, folder, issuer)
