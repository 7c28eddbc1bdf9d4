"""What the first cluster changes on the machine, the last one restores, and none in between."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from localcluster import machine
from localcluster.plan import Cluster


@pytest.fixture
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "state" / "sensorthings").mkdir(parents=True)


def _cluster(name: str, index: int) -> Cluster:
    """A cluster whose folder is there; its own path is short, as the unix sockets in it need."""
    folder = Path(tempfile.gettempdir()) / name
    return Cluster(name, index, folder)


@pytest.mark.usefixtures("_state")
def test_only_the_last_cluster_restores(tmp_path: Path) -> None:
    made, setting = tmp_path / "lib" / "kubelet", tmp_path / "overcommit"
    setting.write_text("0\n")
    other = tmp_path / "state" / "sensorthings" / "other"
    other.mkdir()
    (other / "cluster.json").touch()

    machine.prepare([made], [setting])
    setting.write_text("1\n")
    machine.prepare([made], [setting])  # the second cluster finds a machine that is changed already
    assert made.is_dir()

    machine.restore(_cluster("leaving", 0))
    assert made.is_dir()
    assert setting.read_text() == "1\n"

    (other / "cluster.json").unlink()
    machine.restore(_cluster("leaving", 0))
    assert not made.parent.exists()
    assert setting.read_text() == "0"


@pytest.mark.usefixtures("_state")
def test_a_folder_that_others_use_or_that_was_there_stays(tmp_path: Path) -> None:
    there, made = tmp_path / "there", tmp_path / "made"
    there.mkdir()
    machine.prepare([there, made], [])
    (made / "file").touch()
    machine.restore(_cluster("leaving", 0))
    assert there.is_dir()
    assert made.is_dir()
