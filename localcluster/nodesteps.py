"""The first steps of `up`: from a machine to a node that is Ready, with images, storage and DNS; run by `cluster`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from localcluster import (
    addons,
    debian,
    dns,
    images,
    imagestore,
    kubeconfig,
    network,
    node,
    parts,
    reach,
    storage,
)
from localcluster.images import catalogue
from localcluster.kubectl import Kubectl
from localcluster.pki import Request
from localcluster.processes import Placement
from localcluster.steps import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from localcluster.addons import AddOn
    from localcluster.plan import Cluster
    from localcluster.steps import Detail

    Archives = dict[str, Path]


def binaries() -> node.Binaries:
    """The node's commands, built if they are not there."""
    return node.Binaries(*(parts.ensure(part) for part in (parts.KUBERNETES, parts.ETCD, parts.CONTAINERD)))


def kubectl(cluster: Cluster) -> Kubectl:
    """kubectl as the administrator, from the host."""
    return Kubectl(parts.ensure(parts.KUBERNETES) / "kubectl", cluster.kubeconfig)


def wanted_images(add_ons: Sequence[AddOn]) -> list[str]:
    """Short names of the images that a cluster with these add-ons needs."""
    chosen = {image for add_on in add_ons for image in add_on.images}
    spared = {image for add_on in addons.ALL for image in add_on.images} - chosen
    return [name for name in catalogue.images() if name not in spared]


def wanted_parts(add_ons: Sequence[AddOn]) -> list[str]:
    """Names of the parts that a cluster with these add-ons needs."""
    return [*parts.NODE, *(part for add_on in add_ons for part in add_on.parts)]


def _build_images(add_ons: Sequence[AddOn], archives: Archives, detail: Detail) -> None:
    archives.update(images.build_all(detail, wanted_images(add_ons)))


def _create_network(cluster: Cluster) -> None:
    network.create_network(cluster)
    network.create_mounts(cluster)


def _start_control_plane(cluster: Cluster, detail: Detail) -> None:
    plane = node.control_plane(cluster, binaries())
    server = reach.open_api(cluster)
    detail("etcd, kube-apiserver, kube-controller-manager, kube-scheduler")
    plane.start()
    authority = plane.authority()
    pair = authority.issue(Request("admin", "kubernetes-admin", ("system:masters",)))
    kubeconfig.write(cluster.kubeconfig, cluster.netns, server, authority, pair)


def _load_images(cluster: Cluster, archives: Mapping[str, Path], detail: Detail) -> None:
    imagestore.load(cluster, parts.ensure(parts.CONTAINERD), archives, detail)


def _start_dns(cluster: Cluster, archives: Mapping[str, Path]) -> None:
    dns.ensure(kubectl(cluster), dns.image_among(archives), Placement(net=cluster.netns_path))


def _build(part: str, detail: Detail) -> None:
    parts.ensure(part, detail)


def steps(cluster: Cluster, add_ons: Sequence[AddOn], archives: Archives) -> list[Step]:
    """The steps, in order.

    Args:
        cluster: The cluster.
        add_ons: What will be installed afterwards: its parts and images are built and loaded.
        archives: Filled with the images' docker-archive files by their full names.
    """
    return [
        Step("Install Debian packages", lambda _: debian.ensure()),
        *(Step(f"Build {part}", partial(_build, part)) for part in wanted_parts(add_ons)),
        Step("Build images", lambda detail: _build_images(add_ons, archives, detail)),
        Step("Set up the network", lambda _: _create_network(cluster)),
        Step("Start the control plane", lambda detail: _start_control_plane(cluster, detail)),
        Step("Start the node", lambda _: node.start(cluster, binaries())),
        Step("Load images", lambda detail: _load_images(cluster, archives, detail)),
        Step("Set up storage", lambda _: storage.ensure(cluster, kubectl(cluster))),
        Step("Start DNS", lambda _: _start_dns(cluster, archives)),
    ]
