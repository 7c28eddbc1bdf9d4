"""The script that keeps backups in a folder, as it is rendered: what it keeps, what it removes, what it refuses."""

from __future__ import annotations

import datetime
import io
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stacks.test_user_data import DOCUMENTS

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAMS = "/usr/lib/postgresql/15/bin"
_RETENTION = 30  # days, as in the description


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script, with its folder in a place of the test's, and PostgreSQL's programs stood in for."""
    files = {file["path"]: file["content"] for file in yaml.safe_load(DOCUMENTS["db-0 on no cloud"])["write_files"]}
    text = files["/usr/local/sbin/sensorthings-archive"]
    cleanup = tmp_path / "pg_archivecleanup"
    cleanup.write_text(
        '#!/bin/bash\nfor each in "$1"/*; do [[ "$(basename "$each")" < "$2" ]] && rm "$each"; done; true\n'
    )
    cleanup.chmod(0o755)
    place = tmp_path / "sensorthings-archive"
    place.write_text(text.replace("/srv/archive", str(tmp_path / "archive")).replace(_PROGRAMS, str(tmp_path)))
    place.chmod(0o755)
    return place


def _run(script: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([script, *argv], capture_output=True, text=True, check=False)


def test_a_segment_comes_back_as_it_was_and_is_never_replaced(script: Path, tmp_path: Path) -> None:
    segment, other, back = tmp_path / "segment", tmp_path / "other", tmp_path / "back"
    segment.write_bytes(b"x" * 1000)
    other.write_bytes(b"y" * 1000)
    name = "000000010000000000000001"
    assert _run(script, "wal", str(segment), name).returncode == 0
    # The other machine brings it, too.
    assert _run(script, "wal", str(segment), name).returncode == 0
    assert _run(script, "wal", str(other), name).returncode != 0
    assert _run(script, "fetch", name, str(back)).returncode == 0
    assert back.read_bytes() == segment.read_bytes()
    assert [each.name for each in (tmp_path / "archive/wal").iterdir()] == [name]


def test_a_segment_that_is_not_there_is_a_failure_as_postgresql_expects(script: Path, tmp_path: Path) -> None:
    assert _run(script, "fetch", "000000020000000000000001", str(tmp_path / "back")).returncode == 1
    assert not (tmp_path / "back").exists()


def _backup(folder: Path, ended: datetime.datetime, segment: int) -> str:
    name = ended.strftime("%Y%m%dT%H%M%SZ")
    (folder / name).mkdir(parents=True)
    (folder / name / "ended").write_text(ended.isoformat())
    label = f"START WAL LOCATION: 0/{segment:X}000028 (file 0000000100000000{segment:08X})\n".encode()
    entry = tarfile.TarInfo("backup_label")
    entry.size = len(label)
    with tarfile.open(folder / name / "base.tar.gz", "w:gz") as archive:
        archive.addfile(entry, io.BytesIO(label))
    return name


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(st.lists(st.integers(min_value=0, max_value=90), min_size=1, max_size=5, unique=True))
def test_every_moment_of_the_kept_time_can_be_restored_and_no_older_backup_stays(
    script: Path, tmp_path: Path, ages: list[int]
) -> None:
    archive = tmp_path / "archive"
    subprocess.run(["rm", "-rf", archive], check=True)
    (archive / "wal").mkdir(parents=True)
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0) - datetime.timedelta(minutes=1)
    oldest_first = sorted(ages, reverse=True)
    names = {}
    for segment, age in enumerate(oldest_first, start=1):
        names[age] = _backup(archive / "base", now - datetime.timedelta(days=age), segment)
        (archive / "wal" / f"0000000100000000{segment:08X}").touch()
    assert _run(script, "prune").returncode == 0
    # The newest backup that is older than the kept time begins it; without one, the oldest there is.
    before = [age for age in oldest_first if age >= _RETENTION]
    first = before[-1] if before else oldest_first[0]
    kept = [age for age in oldest_first if age <= first]
    assert [line.split()[0] for line in _run(script, "list").stdout.splitlines()] == [names[age] for age in kept]
    segments = sorted(each.name for each in (archive / "wal").iterdir())
    assert len(segments) == len(kept)


def test_without_a_backup_nothing_is_removed(script: Path, tmp_path: Path) -> None:
    (tmp_path / "archive/wal").mkdir(parents=True)
    (tmp_path / "archive/wal/000000010000000000000001").touch()
    assert _run(script, "prune").returncode == 0
    assert list((tmp_path / "archive/wal").iterdir())
    assert _run(script, "list").stdout == ""
