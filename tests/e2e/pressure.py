"""A node that runs short of memory, as its kubelet sees it: nothing on this machine needs to be used up for that."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from localcluster import node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.plan import Cluster

# A soft threshold that is always passed, though not all of it, which the kubelet takes for none. A hard one is taken
# off what pods may request, and none would be left.
_ALWAYS_SHORT: Final = {
    "evictionSoft": {"memory.available": "99%"},
    "evictionSoftGracePeriod": {"memory.available": "1s"},
    "evictionMaxPodGracePeriod": 60,
}


@contextmanager
def short_of_memory(cluster: Cluster) -> Iterator[None]:
    """The node's kubelet evicts one pod every ten seconds while the block runs: first those above their requests."""
    kubelet = node.daemon(cluster, "kubelet")
    argv = Path(f"/proc/{kubelet.pid}/cmdline").read_text().rstrip("\0").split("\0")
    (usual,) = (word for word in argv if word.startswith("--config="))
    configuration = yaml.safe_load(Path(usual.removeprefix("--config=")).read_text())
    pressed = cluster.folder / "kubelet-short-of-memory.yaml"
    pressed.write_text(yaml.safe_dump({**configuration, **_ALWAYS_SHORT}))

    def restart(config: str) -> None:
        kubelet.stop()
        kubelet.start([config if word == usual else word for word in argv], node.placement(cluster))

    restart(f"--config={pressed}")
    try:
        yield
    finally:
        restart(usual)
