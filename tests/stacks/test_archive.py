"""The scripts that keep backups, as they are rendered: what they keep, what they remove, what they refuse."""

from __future__ import annotations

import datetime
import gzip
import io
import subprocess
import sys
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
_OURS, _THEIRS = 7301234567890123456, 7309876543210987654
"""System identifiers, as initdb draws them."""
_FIRST = "000000010000000000000001"
_BARMAN_WAL_ARCHIVE = """#!/bin/bash
# Stands in for barman-cloud: the address is a folder, its files are blobs.
read -r url scope path <<< "${*: -3}"
name=$(basename "$path")
mkdir -p "$url/$scope/wals/${name:0:16}"
gzip --stdout "$path" > "$url/$scope/wals/${name:0:16}/$name.gz"
"""
_BARMAN_BACKUP = """#!/bin/bash
read -r url scope <<< "${*: -2}"
mkdir -p "$url/$scope/base" && touch "$url/$scope/base/made"
"""
_AZURE = {
    "azure/__init__.py": "",
    "azure/identity.py": "class DefaultAzureCredential: pass",
    "azure/storage/__init__.py": "",
    "azure/storage/blob.py": """
# Stands in for Azure's library: the address is a folder, its files are blobs.
import contextlib, io, pathlib, types

class ContainerClient(contextlib.nullcontext):
    @classmethod
    def from_container_url(cls, url, credential):
        made = cls()
        made.enter_result, made.folder = made, pathlib.Path(url)
        if not made.folder.is_dir():
            raise OSError(f"{url} does not answer")
        return made

    def list_blobs(self, name_starts_with):
        names = sorted(str(each.relative_to(self.folder)) for each in self.folder.rglob("*") if each.is_file())
        return [types.SimpleNamespace(name=name) for name in names if name.startswith(name_starts_with)]

    def download_blob(self, name, offset, length):
        whole = self.folder.joinpath(name).read_bytes()
        return types.SimpleNamespace(readall=lambda: whole[offset:offset + length])
""",
}


def _program(path: Path, content: str) -> None:
    path.write_text(content)
    path.chmod(0o755)


def _script(machine: str, folder: Path) -> Path:
    """A machine's script, with its archive in a place of the test's, and the programs that it calls stood in for."""
    files = {file["path"]: file["content"] for file in yaml.safe_load(DOCUMENTS[machine])["write_files"]}
    _program(
        folder / "pg_archivecleanup",
        '#!/bin/bash\nfor each in "$1"/*; do [[ "$(basename "$each")" < "$2" ]] && rm "$each"; done; true\n',
    )
    _program(folder / "psql", f"#!/bin/bash\ncat {folder}/data/global/pg_control\n")
    _program(
        folder / "pg_controldata",
        '#!/bin/bash\nset -e\nidentifier=$(cat "$1/global/pg_control")\n'
        'printf "Catalog version number:  202209061\nDatabase system identifier:  %s\n" "$identifier"\n',
    )
    _program(folder / "python3", f'#!/bin/bash\nPYTHONPATH={folder}/modules exec {sys.executable} "$@"\n')
    _program(folder / "barman-cloud-wal-archive", _BARMAN_WAL_ARCHIVE)
    _program(folder / "barman-cloud-backup", _BARMAN_BACKUP)
    for name, content in _AZURE.items():
        (folder / "modules" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "modules" / name).write_text(content)
    text = files["/usr/local/sbin/sensorthings-archive"]
    moved = {
        "/srv/archive": folder / "archive",
        "https://city.blob.core.windows.net/postgresql": folder / "archive",
        _PROGRAMS: folder,
        "/opt/barman/bin": folder,
        "/run/postgresql/sensorthings-archive": folder / "known",
    }
    for place, here in moved.items():
        text = text.replace(place, str(here))
    (folder / "archive").mkdir()
    _program(folder / "sensorthings-archive", text)
    _becomes(folder, _OURS)
    return folder / "sensorthings-archive"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script of a folder."""
    return _script("db-0 on no cloud", tmp_path)


@pytest.fixture(params=["db-0 on no cloud", "db-0 on Azure"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The script of each kind of archive."""
    return _script(request.param, tmp_path)


def _becomes(folder: Path, identifier: int) -> None:
    """The data directory is another PostgreSQL's."""
    (folder / "data/global").mkdir(parents=True, exist_ok=True)
    (folder / "data/global/pg_control").write_text(str(identifier))


def _log(identifier: int, content: bytes = b"x") -> bytes:
    """A segment: the head of its first page as PostgreSQL 15 writes it, and something after."""
    return b"\x10\xd1\x02\x00" + bytes(20) + identifier.to_bytes(8, sys.byteorder) + content * 1000


def _run(script: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Called as PostgreSQL does it: in the data directory."""
    return subprocess.run([script, *argv], capture_output=True, text=True, check=False, cwd=script.parent / "data")


def _kept(folder: Path) -> dict[str, bytes]:
    archive = folder / "archive"
    return {str(each.relative_to(archive)): each.read_bytes() for each in archive.rglob("*") if each.is_file()}


def _archives(script: Path, identifier: int, name: str = _FIRST) -> subprocess.CompletedProcess[str]:
    """A PostgreSQL with that identifier hands over a log."""
    folder = script.parent
    _becomes(folder, identifier)
    (folder / "data" / name).write_bytes(_log(identifier, b"a" if identifier == _OURS else b"b"))
    return _run(script, "wal", name, name)


def test_an_empty_archive_is_anybodys_and_then_that_ones(either: Path) -> None:
    assert _run(either, "owner").stdout == ""
    assert _archives(either, _OURS).returncode == 0
    assert _run(either, "owner").stdout == f"{_OURS}\n"
    # As a standby that takes over, a new machine, and a database that was restored.
    (either.parent / "known").unlink(missing_ok=True)
    assert _archives(either, _OURS, "000000020000000000000002").returncode == 0
    assert (either.parent / "known").read_text() == f"{_OURS}\n"


@pytest.mark.parametrize("name", [_FIRST, "000000010000000000000009", "00000002.history"])
def test_logs_of_another_postgresql_are_never_written_over_nor_mixed(either: Path, name: str) -> None:
    folder = either.parent
    assert _archives(either, _THEIRS).returncode == 0
    assert _archives(either, _THEIRS, "000000010000000000000002").returncode == 0
    before = _kept(folder)
    done = _archives(either, _OURS, name)
    assert done.returncode == 1
    assert f"{folder}/archive holds the backups of the PostgreSQL with system identifier {_THEIRS}" in done.stderr
    assert f"this one's is {_OURS}" in done.stderr
    assert "sensorthings-restore --to latest --in-place" in done.stderr
    assert "move what is there to another place" in done.stderr
    assert done.stderr.count("\n") == 1
    assert _kept(folder) == before


@pytest.mark.parametrize("what", ["backup", "prune"])
def test_base_backups_are_neither_put_beside_those_of_another_postgresql_nor_removed_from_them(
    either: Path, what: str
) -> None:
    assert _archives(either, _THEIRS).returncode == 0
    before = _kept(either.parent)
    _becomes(either.parent, _OURS)
    done = _run(either, what)
    assert done.returncode == 1
    assert f"system identifier {_THEIRS}" in done.stderr
    assert _kept(either.parent) == before


def test_a_standby_takes_no_history_of_another_postgresql(either: Path) -> None:
    assert _archives(either, _THEIRS, "000000010000000000000001").returncode == 0
    _becomes(either.parent, _OURS)
    done = _run(either, "fetch", "000000010000000000000001", "there")
    # For PostgreSQL: not there. From 126 on it would stop.
    assert done.returncode == 1
    assert f"system identifier {_THEIRS}" in done.stderr
    assert not (either.parent / "data/there").exists()


def test_a_restored_database_goes_on_where_a_new_one_was_refused(either: Path) -> None:
    assert _archives(either, _THEIRS).returncode == 0
    assert _archives(either, _OURS).returncode == 1
    assert _archives(either, _THEIRS, "000000020000000000000002").returncode == 0
    assert _archives(either, _OURS).returncode == 1


def test_what_was_moved_aside_is_in_nobodys_way(either: Path) -> None:
    assert _archives(either, _THEIRS).returncode == 0
    archive = either.parent / "archive"
    archive.rename(either.parent / "aside")
    archive.mkdir()
    # As after pg_upgrade, which draws another identifier.
    assert _archives(either, _OURS).returncode == 0


def test_an_archive_that_does_not_answer_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    script = _script("db-0 on Azure", tmp_path)
    (tmp_path / "archive").rmdir()
    done = _archives(script, _OURS)
    assert done.returncode != 0
    assert "does not answer" in done.stderr
    assert not (tmp_path / "archive").exists()


def test_who_asks_must_be_known(either: Path) -> None:
    (either.parent / "data/global/pg_control").unlink()
    (either.parent / "data" / _FIRST).write_bytes(_log(_OURS))
    done = _run(either, "wal", _FIRST, _FIRST)
    assert done.returncode == 1
    assert "Which PostgreSQL asks is not known" in done.stderr
    assert _kept(either.parent) == {}


def test_logs_in_blob_storage_are_whole(tmp_path: Path) -> None:
    script = _script("db-0 on Azure", tmp_path)
    assert _archives(script, _OURS).returncode == 0
    (blob,) = _kept(tmp_path).values()
    assert gzip.decompress(blob) == _log(_OURS, b"a")


def test_a_segment_comes_back_as_it_was_and_is_never_replaced(script: Path, tmp_path: Path) -> None:
    segment, other, back = tmp_path / "segment", tmp_path / "other", tmp_path / "back"
    segment.write_bytes(_log(_OURS, b"x"))
    other.write_bytes(_log(_OURS, b"y"))
    assert _run(script, "wal", str(segment), _FIRST).returncode == 0
    # The other machine brings it, too.
    assert _run(script, "wal", str(segment), _FIRST).returncode == 0
    assert _run(script, "wal", str(other), _FIRST).returncode != 0
    assert _run(script, "fetch", _FIRST, str(back)).returncode == 0
    assert back.read_bytes() == segment.read_bytes()
    assert [each.name for each in (tmp_path / "archive/wal").iterdir()] == [_FIRST]


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
