"""The plan of a cluster: its name, addresses, ports and folders. Everything else derives its places from here.

Two clusters stand side by side on one machine when their names differ: each has an index of its own, and from the index
follow the node's subnet and the ports on the host's loopback. Pod and service ranges are the same in all of them, since
they exist only inside each node's network namespace.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,14}[a-z0-9])?")
_PORT_STEP = 100
_LARGEST_INDEX = 200
# sockaddr_un.sun_path is 108 bytes with its closing NUL (unix(7)).
_LONGEST_SOCKET_PATH = 107
_LONGEST_SOCKET_NAME = "kubelet/pod-resources/kubelet.sock"

SERVICE_RANGE = IPv4Network("10.96.0.0/16")
POD_RANGE = IPv4Network("10.244.0.0/24")
DNS_ADDRESS = IPv4Address("10.96.0.10")
INGRESS_ADDRESS = IPv4Address("10.96.0.80")  # of ingress-nginx's Service: known before it is there, for DNS
GATEWAY_ADDRESS = IPv4Address("10.96.0.82")  # of the Gateway's Service
DOMAIN = "city.example"  # of the public names; RFC 2606 keeps .example free
GATEWAY_DOMAIN = f"gateway.{DOMAIN}"  # of those that lead to the Gateway


def _user_folder(variable: str, fallback: str) -> Path:
    """A folder of the XDG base directory specification, which says to ignore a relative value."""
    configured = Path(os.environ.get(variable, ""))
    base = configured if configured.is_absolute() else Path.home() / fallback
    return base / "sensorthings"


def cache_folder() -> Path:
    """Where builds are kept from one cluster to the next."""
    return _user_folder("XDG_CACHE_HOME", ".cache")


def state_folder() -> Path:
    """Where the state of every cluster lies, one folder each."""
    return _user_folder("XDG_STATE_HOME", ".local/state")


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports on the host's 127.0.0.1."""

    api: int
    http: int
    mqtt: int
    websocket: int

    @classmethod
    def of(cls, index: int) -> Ports:
        """The ports of the cluster with this index; the first one has the protocols' usual ports."""
        step = index * _PORT_STEP
        return cls(api=6443 + step, http=8080 + step, mqtt=1883 + step, websocket=9876 + step)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster on this machine.

    Args:
        name: A DNS label of at most 16 characters.
        index: 0 to 200, no two clusters share one.
        folder: Where its state lies.

    Raises:
        LocalClusterError: The name is no label, or the folder is too deep for a unix socket.
    """

    name: str = "local"
    index: int = 0
    folder: Path = field(default_factory=lambda: state_folder() / "local")

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise LocalClusterError(
                f"{self.name!r} cannot be the name of a cluster.",
                "Use 1 to 16 lower case letters, digits and hyphens, beginning with a letter.",
            )
        if len(os.fsencode(self.folder / _LONGEST_SOCKET_NAME)) > _LONGEST_SOCKET_PATH:
            raise LocalClusterError(
                f"The state folder {self.folder} is too deep: a unix socket below it would exceed 108 bytes.",
                "Set XDG_STATE_HOME to a shorter path.",
            )

    @property
    def netns(self) -> str:
        """The name of the node's network namespace."""
        return f"sta-{self.name}"

    @property
    def netns_path(self) -> Path:
        """The node's network namespace as a file to enter."""
        return Path("/run/netns") / self.netns

    @property
    def mountns_path(self) -> Path:
        """The node's mount namespace as a file to enter."""
        return self.folder / "ns" / "mount"

    @property
    def cgroup(self) -> str:
        """The cgroup that holds every process of the cluster, below the root of each hierarchy."""
        return f"sta-{self.name}"

    @property
    def node_name(self) -> str:
        """The name of the Node object."""
        return f"sta-{self.name}"

    @property
    def subnet(self) -> IPv4Network:
        """The four addresses of the link between host and node."""
        return IPv4Network(f"172.30.{self.index}.0/30")

    @property
    def host_address(self) -> IPv4Address:
        """The host's end of the link."""
        return self.subnet[1]

    @property
    def node_address(self) -> IPv4Address:
        """The node's end of the link, and its InternalIP."""
        return self.subnet[2]

    @property
    def host_link(self) -> str:
        """The interface on the host (at most 15 characters, IFNAMSIZ)."""
        return f"sta{self.index}h"

    @property
    def node_link(self) -> str:
        """The interface inside the namespace."""
        return f"sta{self.index}n"

    @property
    def ports(self) -> Ports:
        """The ports on the host's loopback."""
        return Ports.of(self.index)

    @property
    def edge(self) -> str:
        """The address of the host's loopback that stands for the cluster's public one: all of 127/8 is the host's."""
        return f"127.30.{self.index}.1"

    @property
    def gateway(self) -> str:
        """The same for the Gateway, where one is installed."""
        return f"127.30.{self.index}.2"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, for use from the host."""
        return self.folder / "kubeconfig"

    @property
    def authority(self) -> Path:
        """The certificate (PEM) that clients trust the public names by."""
        return self.folder / "ca.crt"

    @property
    def writer(self) -> Path:
        """The credentials of a client that may write to the example."""
        return self.folder / "writer.json"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.folder / "containerd.sock"

    @property
    def logs(self) -> Path:
        """One file per daemon."""
        return self.folder / "log"


def _index_of(folder: Path) -> int | None:
    try:
        return int(json.loads((folder / "cluster.json").read_text())["index"])
    except (FileNotFoundError, ValueError):  # not there, or cut off while it was written
        return None


def cluster_folders() -> list[Path]:
    """The folders of the clusters that are there, up or half up; not those that are being deleted."""
    found = [plan.parent for plan in state_folder().glob("*/cluster.json")]
    return [folder for folder in found if not folder.name.startswith(".")]


def lowest_free(taken: set[int]) -> int:
    """The lowest index no other cluster has. Raises LocalClusterError when all are taken."""
    for index in range(_LARGEST_INDEX + 1):
        if index not in taken:
            return index
    raise LocalClusterError("All 201 cluster indices are taken.", "Take a cluster down that is no longer needed.")


def find(name: str = "local") -> Cluster:
    """The cluster of that name: as it was planned before, else with the lowest free index (nothing is written)."""
    base = state_folder()
    index = _index_of(base / name)
    if index is None:
        others = {_index_of(path) for path in cluster_folders()}
        # Index 0, with the usual ports, is kept for the default name.
        reserved = set() if name == "local" else {0}
        index = lowest_free({other for other in others if other is not None} | reserved)
    return Cluster(name, index, base / name)


@contextmanager
def locked(name: str) -> Iterator[Cluster]:
    """The cluster of that name, held so that no other `up` or `down` touches it meanwhile.

    Raises:
        LocalClusterError: Another process holds it.
    """
    base = state_folder()
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    planning = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(planning, fcntl.LOCK_EX)
        cluster = find(name)
        cluster.folder.mkdir(exist_ok=True, mode=0o711)
        draft = cluster.folder / "cluster.json.new"
        draft.write_text(json.dumps({"name": name, "index": cluster.index}))
        draft.replace(cluster.folder / "cluster.json")
        holding = os.open(cluster.folder, os.O_RDONLY | os.O_DIRECTORY)
    finally:
        os.close(planning)
    try:
        fcntl.flock(holding, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(holding)
        raise LocalClusterError(
            f"Another `up` or `down` is working on the cluster {name!r}.", "Wait for it to end, or stop it."
        ) from None
    try:
        yield cluster
    finally:
        os.close(holding)
