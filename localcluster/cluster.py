"""`up` and `down`: the ordered steps that make a cluster on this machine with the operator and the example in it.

The command line and the e2e tests call these. Each step looks at what is there and does the rest, so that `up` can be
interrupted anywhere and called again, after a reboot as well.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster import (
    debian,
    dns,
    images,
    imagestore,
    install,
    kubeconfig,
    loopback,
    network,
    node,
    parts,
    plan,
    storage,
    teardown,
)
from localcluster.errors import LocalClusterError
from localcluster.images import pinned
from localcluster.kubectl import Kubectl
from localcluster.loopback import Address, Mapping, Proxy
from localcluster.pki import Request
from localcluster.processes import Placement
from localcluster.steps import Progress, Step, run

if TYPE_CHECKING:
    from collections.abc import Mapping as AnyMapping

    from localcluster.plan import Cluster
    from localcluster.steps import Detail

REPOSITORY = Path(__file__).parent.parent
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is installed into the cluster.

    Args:
        crds: Folder of the custom resource definitions.
        chart: Folder of the operator's Helm chart.
        example: Manifest of the service that is applied; its first service's endpoints are made reachable.
    """

    crds: Path = REPOSITORY / "crds"
    chart: Path = REPOSITORY / "charts" / "sensorthings-operator"
    example: Path = REPOSITORY / "examples" / "hamburg" / "traffic-lights.yaml"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a cluster is reached from the host; what is not installed is empty."""

    kubeconfig: str
    kubectl: str
    sensorthings: str = ""
    mqtt: str = ""
    websocket: str = ""

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def binaries() -> node.Binaries:
    """The node's commands, built if they are not there."""
    return node.Binaries(*(parts.ensure(part) for part in (parts.KUBERNETES, parts.ETCD, parts.CONTAINERD)))


def kubectl(cluster: Cluster) -> Kubectl:
    """kubectl as the administrator, from the host."""
    return Kubectl(parts.ensure(parts.KUBERNETES) / "kubectl", cluster.kubeconfig)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise LocalClusterError(
            "The local cluster needs root: it makes namespaces, cgroups and mounts.", "Call it as root, or with sudo."
        )


def _start_control_plane(cluster: Cluster, detail: Detail) -> None:
    plane = node.control_plane(cluster, binaries())
    _proxy(cluster, "loopback-api", [(cluster.ports.api, Address(_LOOPBACK, 6443))]).start()
    detail("etcd, kube-apiserver, kube-controller-manager, kube-scheduler")
    plane.start()
    authority = plane.authority()
    pair = authority.issue(Request("admin", "kubernetes-admin", ("system:masters",)))
    server = f"https://{_LOOPBACK}:{cluster.ports.api}"
    kubeconfig.write(cluster.kubeconfig, cluster.netns, server, authority, pair)


def _require_ports(cluster: Cluster, *, endpoints_too: bool) -> None:
    """Fail before any work when a port that will be listened on belongs to somebody else."""
    ports = cluster.ports
    wanted = {"loopback-api": [ports.api]}
    if endpoints_too:
        wanted["loopback-endpoints"] = [ports.http, ports.mqtt, ports.websocket]
    for name, numbers in wanted.items():
        if not node.daemon(cluster, name).alive():
            for number in numbers:
                loopback.listen(Address(_LOOPBACK, number)).close()


def _proxy(cluster: Cluster, name: str, targets: list[tuple[int, Address]]) -> Proxy:
    mappings = tuple(Mapping(Address(_LOOPBACK, port), target) for port, target in targets)
    in_cgroup_only = Placement(cgroup_procs=node.placement(cluster).cgroup_procs)
    return Proxy(node.daemon(cluster, name), cluster.netns_path, in_cgroup_only, mappings)


def _create_network(cluster: Cluster) -> None:
    network.create_network(cluster)
    network.create_mounts(cluster)


def _build(part: str, detail: Detail) -> None:
    parts.ensure(part, detail)


def _load_images(cluster: Cluster, archives: AnyMapping[str, Path], detail: Detail) -> None:
    imagestore.load(cluster, parts.ensure(parts.CONTAINERD), archives, detail)


def _start_dns(cluster: Cluster, archives: AnyMapping[str, Path]) -> None:
    dns.ensure(kubectl(cluster), dns.image_among(archives), Placement(net=cluster.netns_path))


def node_steps(cluster: Cluster) -> list[Step]:
    """The steps that end with a node that is Ready, with images, storage and DNS."""
    archives: dict[str, Path] = {}
    built = [Step(f"Build {part}", partial(_build, part)) for part in parts.ALL]
    return [
        Step("Install Debian packages", lambda _: debian.ensure()),
        *built,
        Step("Build images", lambda detail: archives.update(images.build_all(detail))),
        Step("Set up the network", lambda _: _create_network(cluster)),
        Step("Start the control plane", lambda detail: _start_control_plane(cluster, detail)),
        Step("Start the node", lambda _: node.start(cluster, binaries())),
        Step("Load images", lambda detail: _load_images(cluster, archives, detail)),
        Step("Set up storage", lambda _: storage.ensure(cluster, kubectl(cluster))),
        Step("Start DNS", lambda _: _start_dns(cluster, archives)),
    ]


def _install_operator(cluster: Cluster, installation: Installation, detail: Detail) -> None:
    helm = parts.ensure(parts.HELM) / "helm"
    values = install.chart_values(images.build_all(detail), pinned.FROST)
    install.install_crds(kubectl(cluster), installation.crds)
    install.install_operator(kubectl(cluster), helm, installation.chart, values)


def _apply_example(cluster: Cluster, installation: Installation, detail: Detail) -> None:
    for service in install.apply_service(kubectl(cluster), installation.example):
        detail(f"{service.namespace}/{service.name}")
        install.await_ready(kubectl(cluster), service)


def _open_endpoints(cluster: Cluster, installation: Installation) -> None:
    services = install.services_in(installation.example.read_text())
    if services:
        publish(cluster, services[0])


def publish(cluster: Cluster, service: install.ServiceName) -> None:
    """Make one service's endpoints reachable on the host's loopback, instead of those that were.

    Raises:
        LocalClusterError: The service's Kubernetes Services are not there, or a port of the host is taken.
    """
    targets = []
    for suffix, port_name, port in (
        ("http", "http", cluster.ports.http),
        ("mqtt", "mqtt", cluster.ports.mqtt),
        ("mqtt", "websocket", cluster.ports.websocket),
    ):
        spec = kubectl(cluster).get("-n", service.namespace, f"service/{service.name}-{suffix}")["spec"]
        numbers = {each["name"]: each["port"] for each in spec["ports"]}
        targets.append((port, Address(spec["clusterIP"], numbers[port_name])))
    _proxy(cluster, "loopback-endpoints", targets).start()


def install_steps(cluster: Cluster, installation: Installation) -> list[Step]:
    """The steps that put the operator and the example into the cluster."""
    return [
        Step("Install the operator", lambda detail: _install_operator(cluster, installation, detail)),
        Step("Wait for the example", lambda detail: _apply_example(cluster, installation, detail)),
        Step("Open endpoints on loopback", lambda _: _open_endpoints(cluster, installation)),
    ]


def _durations(name: str) -> Path:
    return plan.cache_folder() / f"{name}-durations.json"


def up(name: str, progress: Progress, installation: Installation | None) -> Endpoints:
    """Bring a cluster up, or finish what an interrupted call began.

    Args:
        name: Of the cluster.
        progress: Told how it goes.
        installation: What to install; none leaves it at a node that is Ready.

    Returns:
        Where it is reached.

    Raises:
        LocalClusterError: This is not root, another call works on it, or a step failed.
    """
    _require_root()
    with plan.locked(name) as cluster:
        _require_ports(cluster, endpoints_too=installation is not None)
        steps = node_steps(cluster)
        if installation is not None:
            steps += install_steps(cluster, installation)
        run(steps, progress, _durations("up"))
        return endpoints(cluster, installation)


def endpoints(cluster: Cluster, installation: Installation | None) -> Endpoints:
    """Where a cluster that is up is reached."""
    command = kubectl(cluster)
    bare = Endpoints(str(cluster.kubeconfig), str(command.binary))
    services = install.services_in(installation.example.read_text()) if installation else []
    if not services:
        return bare
    first = services[0]
    resource = command.get("-n", first.namespace, f"sensorthingsservices.sensorthings.city/{first.name}")
    ports = cluster.ports
    return Endpoints(
        bare.kubeconfig,
        bare.kubectl,
        sensorthings=f"http://{_LOOPBACK}:{ports.http}{resource['spec'].get('rootPath', '')}/v1.1",
        mqtt=f"mqtt://{_LOOPBACK}:{ports.mqtt}",
        websocket=f"ws://{_LOOPBACK}:{ports.websocket}/mqtt",
    )


def down(name: str, progress: Progress) -> None:
    """Take a cluster down; nothing happens when it is not there.

    Raises:
        LocalClusterError: This is not root, another call works on it, or something of it was left.
    """
    _require_root()
    with plan.locked(name) as cluster:
        run(teardown.steps(cluster), progress, _durations("down"))
