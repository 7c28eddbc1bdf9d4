"""Takes a cluster down: ends its processes, removes what it made on the machine, and leaves the cached builds."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from localcluster import cgroups, leftovers, machine, network, node
from localcluster.errors import LocalClusterError
from localcluster.steps import Step

if TYPE_CHECKING:
    from localcluster.plan import Cluster
    from localcluster.steps import Detail


def _stop(cluster: Cluster, detail: Detail) -> None:
    # At once and not in order: nothing that any of them could still write is kept.
    detail("daemons, containers")
    cgroups.kill(cluster.cgroup)
    # Whatever a pid file still means would be in no cgroup of ours, because somebody moved it.
    for pidfile in (cluster.folder / "run").glob("*.pid"):
        detail(pidfile.stem)
        node.daemon(cluster, pidfile.stem).stop()


def _clean(cluster: Cluster, detail: Detail) -> None:
    detail("namespaces")
    network.remove(cluster)
    detail("cgroups")
    cgroups.remove(cluster.cgroup)
    detail("state")
    if network.mounts_below(cluster.folder):
        raise LocalClusterError(
            f"Something is still mounted below {cluster.folder}, so it is not deleted.",
            "Unmount it and call down again.",
        )
    # First out of the way as a whole: half a state would be taken for a cluster by the next `up`.
    removed = cluster.folder.with_name(f".removed-{cluster.name}")
    shutil.rmtree(removed, ignore_errors=True)
    machine.restore(cluster)
    cluster.folder.replace(removed)
    shutil.rmtree(removed)


def _verify(cluster: Cluster, _: Detail) -> None:
    remaining = leftovers.leftovers(cluster)
    if remaining:
        raise LocalClusterError("This was left:\n" + "\n".join(remaining), "Call down again; report it if it stays.")


def steps(cluster: Cluster) -> list[Step]:
    """The steps of `down`, in order. The caller holds the cluster (`plan.locked`)."""
    return [
        Step("Stop processes and containers", lambda detail: _stop(cluster, detail)),
        Step("Remove network, cgroups and state", lambda detail: _clean(cluster, detail)),
        Step("Look for leftovers", lambda detail: _verify(cluster, detail)),
    ]
