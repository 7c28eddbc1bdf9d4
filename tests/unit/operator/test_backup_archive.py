"""The archive of write-ahead log: which pieces of it a restore reads, and what a backup's program says is missing."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.desired.files.backups import archive, making, pgbackrest, practice

_PROMOTED: Final = "1\t0/9000090\tno recovery target specified\n"
"""00000002.history, as PostgreSQL 15 wrote it when a standby was promoted whose primary could not archive."""
_LISTED: Final = {
    "0000000100000000": [
        *(f"00000001000000000000000{n}-{'8' * 40}.zst" for n in range(1, 6)),
        f"000000010000000000000009.partial-{'8' * 40}.zst",
        "000000010000000000000002.00000028.backup",
    ],
    "0000000200000000": [f"00000002000000000000000{n}-{'8' * 40}.zst" for n in "9ABC"],
}
"""What pgBackRest 2.45 listed of its archive then: the segments 6 to 8 were lost with the primary."""


@given(st.integers(0, 2**40 - 1), st.integers(1, 2**16), st.integers(0, archive.SEGMENT_BYTES - 1))
def test_a_piece_of_the_log_begins_before_what_is_in_it(number: int, timeline: int, further: int) -> None:
    segment = f"{timeline:08X}{number // 256:08X}{number % 256:08X}"
    assert archive.begin(segment) == number * archive.SEGMENT_BYTES
    at = archive.begin(segment) + further
    assert archive.position(f"{at >> 32:X}/{at & 0xFFFFFFFF:X}") == at


@pytest.mark.parametrize(
    ("known", "newest"),
    [
        ([], ""),
        ([{"id": "15-1", "max": None, "min": None}], ""),
        ([{"id": "15-1", "max": "000000030000000100000007"}], "000000030000000100000007"),
        ([{"id": "15-1", "max": "000000030000000100000007"}, {"id": "16-2", "max": "0" * 23 + "1"}], "0" * 23 + "1"),
    ],
)
def test_the_last_piece_of_the_log_is_that_of_the_newest_database(known: list[dict[str, Any]], newest: str) -> None:
    assert archive.newest({"name": "air-db", "archive": known}) == newest


def _name(timeline: int, number: int) -> str:
    return f"{timeline:08X}{number // 256:08X}{number % 256:08X}"


def _listed(folder: str) -> dict[str, Any]:
    files = {name: {"type": "file", "size": 1, "time": 1000 + int(name[16:24], 16)} for name in _LISTED[folder]}
    return {".": {"type": "path"}, **files}


def _answers(monkeypatch: pytest.MonkeyPatch, *, stop: str, newest: str = "00000002000000000000000C") -> list[str]:
    """pgBackRest with that archive, and one backup; what is asked of it."""
    asked: list[str] = []
    known = {
        "name": "air-db",
        "archive": [{"id": "15-1", "max": newest}],
        "backup": [
            {
                "label": "20261123-175235F",
                "error": False,
                "archive": {"start": stop, "stop": stop},
                "timestamp": {"start": 900, "stop": 1002},
                "info": {"size": 10, "delta": 10, "repository": {"delta": 3}},
            }
        ],
    }

    def answer(_: str, *arguments: str) -> str:
        asked.append(arguments[-1])
        if arguments[-1] == "info":
            return json.dumps([known])
        if "repo-get" in arguments:
            assert arguments[-1] == "archive/air-db/15-1/00000002.history"
            return _PROMOTED
        return json.dumps(_listed(arguments[-1].removeprefix("archive/air-db/15-1/")))

    monkeypatch.setattr(pgbackrest, "_answer", answer)
    monkeypatch.setattr(making, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(making, "run", lambda *_: "")
    return asked


def test_what_a_primary_did_not_archive_before_another_took_over_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, stop="000000010000000000000002")
    said = making.check("air-db", timeline=2)
    assert said["gap"] == {"segment": "000000010000000000000006", "since": 1005}
    assert [label for label, *_ in said["backups"]] == ["20261123-175235F"]


def test_a_backup_after_a_gap_makes_the_archive_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _answers(monkeypatch, stop="00000002000000000000000A")
    said = making.check("air-db", timeline=2)
    assert "gap" not in said
    assert "archive/air-db/15-1/0000000100000000" not in asked, "what is older than the backup is not looked at"


def test_a_backup_says_what_was_missing_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, stop="000000010000000000000002")
    said = making.backup("air-db", full_every_days=7, has_standby=True)
    assert said["gap"]["segment"] == "000000010000000000000006"


def test_a_backup_is_made_also_where_the_archive_can_not_be_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, stop="000000010000000000000002")

    def fails(*_: Any) -> dict[str, float]:
        raise pgbackrest.FailedError("no right to list")

    monkeypatch.setattr(making, "segments", fails)
    assert "gap" not in making.backup("air-db", full_every_days=7, has_standby=False)


def test_an_archive_that_knows_nothing_of_the_primary_yet_tells_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, stop="000000010000000000000002", newest="000000010000000000000005")
    with pytest.raises(pgbackrest.FailedError, match=r"timeline 2\) is in the archive yet"):
        making.check("air-db", timeline=2)


def test_what_a_former_primary_archives_as_it_ends_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, stop="000000010000000000000002")
    pauses: list[float] = []
    late = [f"00000001000000000000000{n}-{'8' * 40}.zst" for n in (6, 7, 8)]

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        monkeypatch.setitem(_LISTED, "0000000100000000", [*_LISTED["0000000100000000"], *late])

    monkeypatch.setattr(time, "sleep", pause)
    assert "gap" not in making.check("air-db", timeline=2)
    assert len(pauses) == 1


@pytest.mark.parametrize(("failing", "well"), [(2, True), (3, False)])
def test_one_that_was_just_promoted_is_asked_again(failing: int, well: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, stop="00000002000000000000000A")
    tries: list[tuple[str, ...]] = []

    def run(*command: str) -> str:
        tries.append(command)
        if len(tries) <= failing:
            raise pgbackrest.FailedError("no database found")
        return ""

    monkeypatch.setattr(making, "run", run)
    if well:
        assert "gap" not in making.check("air-db", timeline=2)
    else:
        with pytest.raises(pgbackrest.FailedError, match="no database found"):
            making.check("air-db", timeline=2)
    assert len(tries) == 3


_SWITCHES: Final = st.lists(st.integers(0, 40 * archive.SEGMENT_BYTES), max_size=4).map(sorted)


@given(_SWITCHES, st.integers(0, 1000), st.data())
def test_a_replay_reads_each_segment_from_the_timeline_that_it_is_of(
    switches: list[int], first: int, data: st.DataObject
) -> None:
    """Held against a plain reading of the rule: the newest timeline that had begun before the segment's end."""
    base = first * archive.SEGMENT_BYTES
    begins = [0, *(base + each for each in switches)]
    history = "".join(
        f"{n}\t{at >> 32:X}/{at & 0xFFFFFFFF:X}\tno recovery target specified\n\n" for n, at in enumerate(begins[1:], 1)
    )
    last = first + data.draw(st.integers(40, 60))
    needed = list(archive.needed(_name(1, first), _name(len(begins), last), history))
    for number, name in zip(range(first, last + 1), needed, strict=True):
        end = (number + 1) * archive.SEGMENT_BYTES
        owner = max(n for n, at in enumerate(begins, 1) if at < end)
        assert name == _name(owner, number)


@given(st.integers(1, 600), st.sets(st.integers(0, 599)))
def test_the_first_one_that_is_missing_is_told(number: int, lost: set[int]) -> None:
    names = [_name(1, each) for each in range(number)]
    held = {name: float(each) for each, name in enumerate(names) if each not in lost}

    def stored(folder: str) -> Mapping[str, float]:
        return {name: at for name, at in held.items() if name.startswith(folder)}

    found = archive.gap(names, stored, -1.0)
    missing = sorted(each for each in lost if each < number)
    assert found == (archive.Gap(_name(1, missing[0]), missing[0] - 1.0) if missing else None)


def test_a_file_beside_a_segment_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, stop="000000010000000000000002")
    found = pgbackrest.segments("air-db", "15-1/0000000100000000")
    assert set(found) == {_name(1, number) for number in range(1, 6)}


@pytest.mark.parametrize(("replayed", "whole"), [("1/6FFFFA8", False), ("1/7000060", True), ("1/8000000", True)])
def test_a_drill_that_ends_at_a_gap_failed(
    replayed: str, whole: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = {"name": "air-db", "archive": [{"id": "15-1", "max": "000000010000000100000007"}]}
    monkeypatch.setattr(practice, "asked", lambda _: known)
    monkeypatch.setattr(practice, "restore", lambda *_, **__: {"replayed": replayed})
    variables = {"STANZA": "air-db", "PGDATA": str(tmp_path)}
    if whole:
        assert practice.drill(variables) == {"replayed": replayed}
    else:
        with pytest.raises(pgbackrest.FailedError, match="gap"):
            practice.drill(variables)
