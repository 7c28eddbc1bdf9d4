"""Looks for whatever a cluster may have left on the machine. `down` reports it, and its tests demand that it is
empty.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster import cgroups, network
from localcluster.commands import run

if TYPE_CHECKING:
    from localcluster.plan import Cluster


def _processes(cluster: Cluster) -> list[str]:
    """Processes in the cluster's cgroups or namespaces, and those whose command line names its folder or namespace."""
    grouped = cgroups.members(cluster.cgroup)
    names = (f"{cluster.folder}/".encode(), f"{cluster.netns_path}\0".encode())
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if int(entry.name) in grouped or any(name in command for name in names):
            found.append(f"process {entry.name}: {command.replace(bytes(1), b' ').decode(errors='replace').strip()}")
    return found


def _links(cluster: Cluster) -> list[str]:
    names = {link["ifname"] for link in json.loads(run(["ip", "-json", "link"]))}
    return [f"interface {name}" for name in names & {cluster.host_link, cluster.node_link}]


def _rules(cluster: Cluster) -> list[str]:
    """Rules of the host's packet filter that name the cluster's link or subnet."""
    if shutil.which("iptables-save") is None:
        return []
    marks = (cluster.host_link, f"172.30.{cluster.index}.")
    lines = run(["iptables-save"]).splitlines()
    return [f"iptables rule {line}" for line in lines if any(mark in line for mark in marks)]


def leftovers(cluster: Cluster) -> list[str]:
    """What is on this machine because of the cluster, one line each; empty when it is down.

    Processes, mounts, the network namespace, interfaces, cgroups, packet filter rules, and its state folder.
    """
    found = _processes(cluster)
    found += [f"mount {path}" for path in network.mounts_below(cluster.folder)]
    found += [f"network namespace {cluster.netns}"] if cluster.netns_path.exists() else []
    found += _links(cluster)
    found += [f"cgroup {path}" for path in cgroups.groups(cluster.cgroup)]
    found += _rules(cluster)
    found += [f"folder {cluster.folder}"] if cluster.folder.exists() else []
    return found
