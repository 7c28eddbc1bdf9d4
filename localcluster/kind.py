"""A cluster of kind instead of a node of our own, for who asks for one: operator and example, with our own images.

Never run against a real Docker by its authors, who had none: the tests put a `kind` of their own on the
PATH and look at what they are called with.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from localcluster import existing, images, install, parts, plan
from localcluster.commands import run
from localcluster.errors import LocalClusterError
from localcluster.images import pinned
from localcluster.kubectl import Kubectl
from localcluster.steps import Progress, Step
from localcluster.steps import run as run_steps

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.endpoints import Endpoints
    from localcluster.existing import Remark
    from localcluster.installation import Installation
    from localcluster.nodesteps import Archives
    from localcluster.plan import Cluster
    from localcluster.steps import Detail

_INSTALL = "Install kind (https://kind.sigs.k8s.io) and Docker, or leave --kind away."
_READY = "180s"


def is_one(cluster: Cluster) -> bool:
    """Whether the cluster was made by kind."""
    return _marker(cluster).exists()


def _marker(cluster: Cluster) -> Path:
    return cluster.folder / "kind"


def _name(cluster: Cluster) -> str:
    return f"sta-{cluster.name}"


def _build_images(archives: Archives, detail: Detail) -> None:
    archives.update(images.build_all(detail, install.IMAGES))


def _create(cluster: Cluster) -> None:
    options = ["--name", _name(cluster), "--kubeconfig", str(cluster.kubeconfig)]
    if _name(cluster) in run(["kind", "get", "clusters"], remedy=_INSTALL).split():
        run(["kind", "export", "kubeconfig", *options])
    else:
        run(["kind", "create", "cluster", *options, "--wait", _READY], remedy=_INSTALL)


def _load(cluster: Cluster, archives: Archives, detail: Detail) -> None:
    for name, archive in archives.items():
        detail(name)
        run(["kind", "load", "image-archive", archive, "--name", _name(cluster)])


def up(name: str, progress: Progress, installation: Installation, remark: Remark) -> Endpoints:
    """Bring a kind cluster up with the operator and the example in it, or finish what an interrupted call began.

    Args:
        name: Of the cluster; to kind it is `sta-NAME`.
        progress: Told how it goes.
        installation: What to install; its add-ons are left out.
        remark: Told what a person should know.

    Raises:
        LocalClusterError: Docker or kind fails, or the cluster of that name is a node of this machine.
    """
    with plan.locked(name) as cluster:
        if cluster.logs.exists():
            raise LocalClusterError(
                f"The cluster {name} is a node of this machine already.", "Take it down, or choose another --name."
            )
        _marker(cluster).touch()
        remark("kind: tried by its authors with a stand-in only, for want of a Docker; no add-ons are installed.")
        archives: Archives = {}
        kubectl = Kubectl(existing.command("kubectl", parts.KUBERNETES), cluster.kubeconfig)
        before = [
            Step("Build images", lambda detail: _build_images(archives, detail)),
            Step("Create the kind cluster", lambda _: _create(cluster)),
            Step("Load images", lambda detail: _load(cluster, archives, detail)),
        ]
        durations = plan.cache_folder() / "up-kind-durations.json"
        run_steps(before, progress, durations)
        values = install.chart_values(archives, pinned.FROST)
        run_steps(existing.steps(kubectl, installation, values, None, remark), progress, durations)
        return existing.describe(kubectl, installation)


def down_steps(cluster: Cluster) -> list[Step]:
    """The steps that take a kind cluster down. The caller holds the cluster (`plan.locked`)."""
    options = ["--name", _name(cluster), "--kubeconfig", str(cluster.kubeconfig)]
    return [
        Step("Delete the kind cluster", lambda _: run(["kind", "delete", "cluster", *options], remedy=_INSTALL)),
        Step("Remove its state", lambda _: shutil.rmtree(cluster.folder)),
    ]
