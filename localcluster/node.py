"""The node: containerd, kubelet and kube-proxy in the cluster's own namespaces and cgroups."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcluster import cgroups, network
from localcluster.commands import run
from localcluster.controlplane import ControlPlane, ControlPlaneConfig
from localcluster.errors import LocalClusterError
from localcluster.pki import Request
from localcluster.plan import DNS_ADDRESS, POD_RANGE, SERVICE_RANGE
from localcluster.processes import Daemon, Placement
from localcluster.rendering import render

if TYPE_CHECKING:
    from localcluster.plan import Cluster

PAUSE_IMAGE = "localhost/sensorthings/pause:1"
_CONTAINERD_TIMEOUT = 60.0  # seconds
_READY_TIMEOUT = 120.0  # seconds


@dataclass(frozen=True, slots=True)
class Binaries:
    """Folders with the commands of the parts."""

    kubernetes: Path
    etcd: Path
    containerd: Path


def placement(cluster: Cluster) -> Placement:
    """Where the node's daemons run; makes the cgroups where they are not there."""
    return Placement(cluster.netns_path, cluster.mountns_path, cgroups.create(cluster.cgroup))


def daemon(cluster: Cluster, name: str) -> Daemon:
    """One of the cluster's daemons by its name."""
    return Daemon(name, cluster.folder / "run", cluster.logs)


def control_plane(cluster: Cluster, binaries: Binaries) -> ControlPlane:
    """The control plane of a cluster with a node."""
    config = ControlPlaneConfig(
        folder=cluster.folder,
        kubernetes=binaries.kubernetes,
        etcd=binaries.etcd,
        advertise=str(cluster.node_address),
        bind="0.0.0.0",  # noqa: S104 - of the node's own namespace, which only the host reaches
        hosts=(str(cluster.node_address),),
        service_range=str(SERVICE_RANGE),
        pod_range=str(POD_RANGE),
        placement=placement(cluster),
        scheduler=True,
        durable=True,
        audited=True,
    )
    return ControlPlane(config)


def start(cluster: Cluster, binaries: Binaries) -> None:
    """Start what is not running of the node, and wait until it is Ready.

    Raises:
        LocalClusterError: A daemon ended, or the node was not Ready in time.
    """
    plane = control_plane(cluster, binaries)
    _start_containerd(cluster, binaries)
    _start_kubelet(cluster, binaries, plane)
    _start_kube_proxy(cluster, binaries, plane)
    _await_ready(cluster, plane)


def _await_ready(cluster: Cluster, plane: ControlPlane) -> None:
    """Wait until the kubelet that runs now has reported that the node is Ready: its predecessor's word is stale."""
    deadline = time.monotonic() + _READY_TIMEOUT
    while not ready_since(_node(cluster, plane), daemon(cluster, "kubelet").started):
        for name in ("containerd", "kubelet", "kube-proxy"):
            daemon(cluster, name).check()
        if time.monotonic() > deadline:
            last_words = daemon(cluster, "kubelet").last_words()
            raise LocalClusterError(
                f"The node is not Ready after {_READY_TIMEOUT:g} s:\n{last_words}", f"See the logs in {cluster.logs}."
            )
        time.sleep(0.2)


def _node(cluster: Cluster, plane: ControlPlane) -> dict[str, Any]:
    """The Node object, empty while there is none."""
    text = plane.kubectl("get", "node", cluster.node_name, "--ignore-not-found", "--output=json")
    return json.loads(text) if text.strip() else {}


def ready_since(node: dict[str, Any], kubelet_start: datetime) -> bool:
    """Whether a Node is Ready by a report that is no older than the start of the kubelet (to the second)."""
    for condition in node.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            return datetime.fromisoformat(condition["lastHeartbeatTime"]) >= kubelet_start.replace(microsecond=0)
    return False


def _start_containerd(cluster: Cluster, binaries: Binaries) -> None:
    folder = cluster.folder
    (folder / "cni").mkdir(exist_ok=True)
    (folder / "cni" / "10-pods.conflist").write_text(render("cni.conflist", folder=folder, pod_range=POD_RANGE))
    config = folder / "containerd.toml"
    text = render("containerd.toml", folder=folder, socket=cluster.containerd_socket, pause_image=PAUSE_IMAGE)
    config.write_text(text)
    containerd = daemon(cluster, "containerd")
    # containerd looks for its shim on the PATH; CNI's plugins and runc need the system's folders.
    path = f"{binaries.containerd}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    containerd.start([binaries.containerd / "containerd", "--config", config], placement(cluster), {"PATH": path})
    deadline = time.monotonic() + _CONTAINERD_TIMEOUT
    while True:
        containerd.check()
        try:
            run([binaries.containerd / "ctr", "--address", cluster.containerd_socket, "version"], timeout=5)
        except LocalClusterError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _start_kubelet(cluster: Cluster, binaries: Binaries, plane: ControlPlane) -> None:
    folder = cluster.folder
    hosts = (cluster.node_name, str(cluster.node_address))
    user = f"system:node:{cluster.node_name}"
    serving = plane.authority().issue(Request("kubelet-serving", user, ("system:nodes",), hosts))
    # No name can be resolved beyond the cluster's own DNS.
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    config = folder / "kubelet.yaml"
    text = render(
        "kubelet.yaml",
        folder=folder,
        socket=cluster.containerd_socket,
        cgroup=cluster.cgroup,
        authority=plane.authority().certificate,
        certificate=serving.certificate,
        key=serving.key,
        dns_address=DNS_ADDRESS,
    )
    config.write_text(text)
    # What measures inside the kubelet looks for containerd at this one place, to name the containers in its figures.
    usual_socket = network.private(cluster, Path("/run/containerd")) / "containerd.sock"
    usual_socket.unlink(missing_ok=True)
    usual_socket.symlink_to(cluster.containerd_socket)
    argv: list[str | Path] = [
        binaries.kubernetes / "kubelet",
        f"--config={config}",
        f"--kubeconfig={plane.client('kubelet', user, 'system:nodes')}",
        f"--hostname-override={cluster.node_name}",
        f"--node-ip={cluster.node_address}",
        f"--root-dir={folder / 'kubelet'}",
        f"--cert-dir={folder / 'pki'}",
        # By default it counts CPU every 10 to 20 s, and an autoscaler sees an average of what was before and after.
        "--housekeeping-interval=2s",
    ]
    daemon(cluster, "kubelet").start(argv, placement(cluster))


def _start_kube_proxy(cluster: Cluster, binaries: Binaries, plane: ControlPlane) -> None:
    argv: list[str | Path] = [
        binaries.kubernetes / "kube-proxy",
        f"--kubeconfig={plane.client('kube-proxy', 'system:kube-proxy')}",
        f"--hostname-override={cluster.node_name}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={POD_RANGE}",
        "--conntrack-max-per-core=0",  # the table's size is the machine's
    ]
    daemon(cluster, "kube-proxy").start(argv, placement(cluster))
