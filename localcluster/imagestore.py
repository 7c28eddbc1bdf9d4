"""Loads images from docker-archive files into the node's containerd, each only once.

A loaded image carries the digest of its configuration as a label in containerd itself, so that what is there is known
without a note of our own that could be wrong.
"""

from __future__ import annotations

import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from localcluster.commands import run
from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localcluster.plan import Cluster

_LABEL = "sensorthings.city/config"


def config_digest(archive: Path) -> str:
    """The digest of the image's configuration, which is the image's identity (hexadecimal SHA-256).

    Raises:
        LocalClusterError: It is no docker-archive.
    """
    try:
        with tarfile.open(archive) as tar:
            manifest = tar.extractfile("manifest.json")
            config = str(json.load(manifest)[0]["Config"]) if manifest else ""
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        raise LocalClusterError(f"{archive} is no docker-archive: {error}.", f"Remove it: {archive}") from None
    return config.removesuffix(".json").rpartition("/")[2]


def parse_labels(listing: str) -> dict[str, str]:
    """From the table of `ctr images ls`: the configuration's digest of each image that carries our label."""
    found = {}
    for line in listing.splitlines()[1:]:
        name, *_, labels = line.split()
        pairs = dict(pair.partition("=")[::2] for pair in labels.split(","))
        if _LABEL in pairs:
            found[name] = pairs[_LABEL]
    return found


def load(cluster: Cluster, containerd: Path, images: Mapping[str, Path], progress: Callable[[str], None]) -> list[str]:
    """Load the images that are not there with the same content, and return their names.

    Args:
        cluster: Whose node to load into.
        containerd: Folder of containerd's commands.
        images: Archives by image name.
        progress: Told what is being loaded.

    Raises:
        LocalClusterError: containerd refuses one.
    """
    ctr: list[str | Path] = [
        containerd / "ctr",
        "--address",
        cluster.containerd_socket,
        "--namespace",
        "k8s.io",
        "images",
    ]
    present = parse_labels(run([*ctr, "ls"]))
    digests = {name: config_digest(archive) for name, archive in images.items()}
    missing = [name for name in images if present.get(name) != digests[name]]

    def load_one(name: str) -> None:
        progress(name)
        run([*ctr, "import", "--local", images[name]])
        run([*ctr, "label", name, f"{_LABEL}={digests[name]}"])

    # Two at a time: while one waits for the disk the other unpacks. They share their lowest layers.
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(load_one, missing))
    return missing
