"""The node's namespaces: a network of its own that nothing can leave, and mounts of its own that vanish with it.

The network namespace has a link to the host and no default route: a packet for a pod or a Service that nobody answers
ends there. The service range is routed to a bridge without ports, because kube-proxy only translates what has a
route. The mount namespace gives the node private copies of the folders that containerd, CNI and the kubelet have no
setting for. `nsenter --net` enters it, never `ip netns exec`, which remounts /sys and hides the cgroups.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster import machine
from localcluster.commands import run
from localcluster.plan import SERVICE_RANGE
from localcluster.processes import Placement

if TYPE_CHECKING:
    from localcluster.plan import Cluster

_SERVICE_LINK = "svc0"
_NETNS_FOLDER = Path("/run/netns")


def _in_netns(cluster: Cluster, *argv: str) -> str:
    return run([*Placement(net=cluster.netns_path).enter(), *argv])


def _links(cluster: Cluster | None = None) -> set[str]:
    text = run(["ip", "-json", "link"]) if cluster is None else _in_netns(cluster, "ip", "-json", "link")
    return {link["ifname"] for link in json.loads(text)}


def netns_exists(cluster: Cluster) -> bool:
    """Whether the namespace is there; after a reboot its file is not, since /run is empty then."""
    return _is_mount(cluster.netns_path)


def _is_mount(path: Path) -> bool:
    """Whether something is mounted on the path (os.path.ismount sees no bind mount of a file)."""
    rows = Path("/proc/self/mounts").read_text().splitlines()
    return any(row.split()[1] == str(path) for row in rows)


def create_network(cluster: Cluster) -> None:
    """Make the network namespace, its link to the host and its routes, where they are not there."""
    if not netns_exists(cluster):
        cluster.netns_path.unlink(missing_ok=True)
        run(["ip", "netns", "add", cluster.netns])
    if cluster.node_link not in _links(cluster):
        if cluster.host_link in _links():
            run(["ip", "link", "del", cluster.host_link])
        pair = ["ip", "link", "add", cluster.host_link, "type", "veth", "peer", "name", cluster.node_link]
        run([*pair, "netns", cluster.netns])
    prefix = cluster.subnet.prefixlen
    run(["ip", "address", "replace", f"{cluster.host_address}/{prefix}", "dev", cluster.host_link])
    run(["ip", "link", "set", cluster.host_link, "up"])
    _in_netns(cluster, "ip", "link", "set", "lo", "up")
    _in_netns(cluster, "ip", "address", "replace", f"{cluster.node_address}/{prefix}", "dev", cluster.node_link)
    _in_netns(cluster, "ip", "link", "set", cluster.node_link, "up")
    if _SERVICE_LINK not in _links(cluster):
        _in_netns(cluster, "ip", "link", "add", _SERVICE_LINK, "type", "bridge")
    _in_netns(cluster, "ip", "link", "set", _SERVICE_LINK, "up")
    _in_netns(cluster, "ip", "route", "replace", str(SERVICE_RANGE), "dev", _SERVICE_LINK)
    settings = ["net.ipv4.ip_forward=1", "net.ipv4.conf.all.route_localnet=1", "net.bridge.bridge-nf-call-iptables=1"]
    _in_netns(cluster, "sysctl", "-qw", *settings)


def private(cluster: Cluster, place: Path) -> Path:
    """What the node sees at one of `machine.PRIVATE_FOLDERS`, where it lies on the host."""
    return cluster.folder / "private" / str(place).strip("/").replace("/", "-")


def create_mounts(cluster: Cluster) -> None:
    """Make the mount namespace with its private folders, where it is not there."""
    file = cluster.mountns_path
    whole = cluster.folder / "mounts-made"
    if _is_mount(file) and whole.exists():
        return
    whole.unlink(missing_ok=True)
    if _is_mount(file):  # an interrupted call left it without its folders
        run(["umount", file])
    file.parent.mkdir(exist_ok=True)
    if not _is_mount(file.parent):
        # The kernel keeps a mount namespace as a file only on a private mount.
        run(["mount", "--bind", file.parent, file.parent])
        run(["mount", "--make-private", file.parent])
    file.touch()
    _forget_runtime_state(cluster)
    machine.prepare()
    steps = ["mount --make-rshared /"]  # the kubelet needs shared mounts to propagate into containers
    for place in machine.PRIVATE_FOLDERS:
        own = private(cluster, place)
        own.mkdir(parents=True, exist_ok=True)
        steps.append(f"mount --bind '{own}' '{place}'")
    run(["unshare", f"--mount={file}", "--propagation", "private", "sh", "-ec", "\n".join(steps)])
    whole.touch()


def _forget_runtime_state(cluster: Cluster) -> None:
    """Remove what containerd and its shims expect to vanish with a reboot, as it does in /run elsewhere."""
    for stale in (cluster.folder / "containerd" / "state", private(cluster, Path("/run/containerd"))):
        shutil.rmtree(stale, ignore_errors=True)


def remove(cluster: Cluster) -> None:
    """Remove both namespaces and the link; no process may be left in them."""
    if cluster.host_link in _links():
        run(["ip", "link", "del", cluster.host_link])
    if netns_exists(cluster):
        run(["ip", "netns", "del", cluster.netns])
    cluster.netns_path.unlink(missing_ok=True)
    # iproute2 mounts its folder onto itself for the first namespace, and leaves that.
    if _is_mount(_NETNS_FOLDER) and not any(_NETNS_FOLDER.iterdir()):
        run(["umount", _NETNS_FOLDER])
        _NETNS_FOLDER.rmdir()
    for mount in mounts_below(cluster.folder):
        run(["umount", "--lazy", mount])


def mounts_below(folder: Path) -> list[Path]:
    """What is mounted at or below a folder in the host's view, the deepest and latest first."""
    rows = Path("/proc/self/mounts").read_text().splitlines()
    points = [Path(row.split()[1]) for row in rows]
    return [point for point in reversed(points) if point == folder or folder in point.parents]
