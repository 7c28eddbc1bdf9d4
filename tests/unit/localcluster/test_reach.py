"""A port that somebody else has is found before any work."""

from __future__ import annotations

import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from localcluster import reach
from localcluster.errors import LocalClusterError
from localcluster.loopback import Address
from localcluster.plan import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

_INDEX = 198  # of ports and a loopback address that no cluster of this machine has


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with TemporaryDirectory(prefix="sta-") as folder:
        yield Cluster("a", _INDEX, Path(folder))


def _address(cluster: Cluster, what: str) -> Address:
    return {
        "edge": Address(cluster.edge, 8883),
        "plain": Address(reach.LOOPBACK, cluster.ports.mqtt),
        "prometheus": Address(cluster.edge, 9090),
    }[what]


@pytest.mark.parametrize("what", ["edge", "plain", "prometheus"])
def test_only_ports_that_will_be_listened_on_must_be_free(cluster: Cluster, what: str) -> None:
    nothing = {"edge": False, "plain": False, "prometheus": False}
    address = _address(cluster, what)
    with socket.create_server((address.host, address.port)):
        reach.require_free(cluster, **nothing)
        with pytest.raises(LocalClusterError, match=f"Port {address} cannot be listened on"):
            reach.require_free(cluster, **{**nothing, what: True})
    reach.require_free(cluster, **{**nothing, what: True})
