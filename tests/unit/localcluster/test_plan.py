"""The plan of addresses, names and folders."""

from __future__ import annotations

import json
import tempfile
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcluster import plan
from localcluster.errors import LocalClusterError
from localcluster.plan import Cluster, Ports

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder; pytest's own temporary folders are too deep for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="sta-") as folder:
        monkeypatch.setenv("XDG_STATE_HOME", folder)
        yield Path(folder) / "sensorthings"


@given(st.integers(0, 200))
def test_the_link_has_two_addresses_of_the_clusters_own_subnet(index: int) -> None:
    cluster = Cluster(index=index)
    assert list(cluster.subnet.hosts()) == [cluster.host_address, cluster.node_address]
    assert not cluster.subnet.overlaps(plan.SERVICE_RANGE)
    assert not cluster.subnet.overlaps(plan.POD_RANGE)
    assert max(len(cluster.host_link), len(cluster.node_link)) <= 15


@given(st.sets(st.integers(0, 200), min_size=2, max_size=2))
def test_two_clusters_share_nothing_on_the_host(indices: set[int]) -> None:
    one, other = (Cluster(index=index) for index in indices)
    assert not one.subnet.overlaps(other.subnet)
    assert one.host_link != other.host_link
    assert one.edge != other.edge
    assert IPv4Address(one.edge).is_loopback
    ports = [
        port
        for each in (one, other)
        for port in (each.ports.api, each.ports.http, each.ports.mqtt, each.ports.websocket)
    ]
    assert len(set(ports)) == 8
    assert max(ports) < 32768  # below the ephemeral ports


def test_the_first_cluster_has_the_usual_ports() -> None:
    assert Ports.of(0) == Ports(api=6443, http=8080, mqtt=1883, websocket=9876)


@pytest.mark.parametrize("name", ["", "A", "1a", "a-", "a.b", "a/b", "a b", "a" * 17])
def test_what_is_no_label_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(LocalClusterError, match="cannot be the name"):
        Cluster(name, 0, tmp_path)


def test_a_folder_too_deep_for_a_unix_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalClusterError, match="XDG_STATE_HOME"):
        Cluster(folder=tmp_path / ("x" * 80))


@given(st.sets(st.integers(0, 200), max_size=50))
def test_the_lowest_free_index(taken: set[int]) -> None:
    index = plan.lowest_free(taken)
    assert index not in taken
    assert set(range(index)) <= taken


def test_no_index_is_left() -> None:
    with pytest.raises(LocalClusterError):
        plan.lowest_free(set(range(201)))


def test_the_default_name_has_index_0_and_others_keep_theirs(state: Path) -> None:
    with plan.locked("b") as first, plan.locked("c") as second:
        assert (first.index, second.index) == (1, 2)
    assert plan.find("local").index == 0
    (state / "b").rename(state / ".removed-b")
    (state / "machine.json").touch()
    with plan.locked("d") as third:
        assert third.index == 1
    assert plan.find("c").index == 2


def test_a_plan_cut_off_while_written_is_made_anew(state: Path) -> None:
    (state / "local").mkdir(parents=True)
    (state / "local" / "cluster.json").write_text('{"name": "loc')
    with plan.locked("local") as cluster:
        assert json.loads((cluster.folder / "cluster.json").read_text()) == {"name": "local", "index": 0}


@pytest.mark.usefixtures("state")
def test_one_call_at_a_time_works_on_a_cluster() -> None:
    with plan.locked("local"), pytest.raises(LocalClusterError, match="Another"), plan.locked("local"):
        pass
    with plan.locked("local"):
        pass


def test_a_relative_xdg_folder_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert plan.cache_folder() == tmp_path / ".cache" / "sensorthings"
