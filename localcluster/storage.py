"""Storage: a StorageClass `local` and a stock of `local` volumes, made beforehand, as folders of the node.

`local` volumes honour a pod's fsGroup, hostPath ones do not. Nothing makes volumes on demand: none of the usual dynamic
provisioners for one machine could be had as a Go module. So there is a stock, and `recycle` empties the volumes
whose claim is gone and offers them again, which a provisioner would do by deleting.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from localcluster.rendering import manifests

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.kubectl import Kubectl
    from localcluster.plan import Cluster

VOLUMES = 32
SIZE = "10Gi"  # what a claim may ask for at most; nothing enforces it on a folder
_SELECTOR = "--selector=app.kubernetes.io/managed-by=localcluster"


def folders(cluster: Cluster) -> list[Path]:
    """The folders of the volumes."""
    return [cluster.folder / "volumes" / f"{cluster.name}-{number:02}" for number in range(VOLUMES)]


def ensure(cluster: Cluster, kubectl: Kubectl) -> None:
    """Make the StorageClass and the volumes where they are not there, and recycle the released ones."""
    for folder in folders(cluster):
        folder.mkdir(parents=True, exist_ok=True)
    present = {volume["metadata"]["name"] for volume in kubectl.get("persistentvolumes", _SELECTOR)["items"]}
    missing = [folder for folder in folders(cluster) if folder.name not in present]
    kubectl.apply(manifests("storage.yaml", volumes=missing, size=SIZE, node=cluster.node_name))
    recycle(cluster, kubectl)


def released(volumes: list[dict[str, Any]]) -> list[str]:
    """Names of the volumes whose claim was deleted."""
    return [volume["metadata"]["name"] for volume in volumes if volume.get("status", {}).get("phase") == "Released"]


def recycle(cluster: Cluster, kubectl: Kubectl) -> list[str]:
    """Empty the volumes whose claim was deleted, and make them available again. Returns their names."""
    names = released(kubectl.get("persistentvolumes", _SELECTOR)["items"])
    for name in names:
        folder = cluster.folder / "volumes" / name
        shutil.rmtree(folder, ignore_errors=False)
        folder.mkdir()
        # Last: until then nobody can claim it, and an interrupted recycling is done again.
        kubectl.run(
            "patch", f"persistentvolume/{name}", "--type=merge", f"--patch={json.dumps({'spec': {'claimRef': None}})}"
        )
    return names
