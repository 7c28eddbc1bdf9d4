"""The program in the pods that make and restore backups: what it decides and says, without pgBackRest."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.desired.files.backups import __main__ as program
from sensorthings_operator.desired.files.backups import archive, making, once, pgbackrest, restoring

_DAY: Final = 86400
_NOW: Final = 1_763_900_000.0


def _backup(label: str, age_days: float) -> dict[str, Any]:
    return {"label": label, "time": _NOW - age_days * _DAY, "size": 10, "stored": 1, "stop": "0" * 24}


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        ([], "full"),
        ([_backup("aF", 6)], "diff"),
        ([_backup("aF_bD", 1), _backup("aF", 6)], "diff"),
        ([_backup("aF_bD", 1), _backup("aF", 7)], "full"),
        ([_backup("aF_bD", 1)], "full"),
        ([_backup("aF", 6.99)], "full"),
    ],
)
def test_a_full_backup_comes_when_the_last_one_is_old(known: list[dict[str, Any]], kind: str) -> None:
    assert making.kind(known, 7, _NOW) == kind


def test_daily_runs_with_a_little_delay_make_a_full_one_each_week() -> None:
    known: list[dict[str, Any]] = []
    kinds = []
    for day in range(21):
        now = _NOW + day * _DAY + (day % 3) * 600
        kinds.append(making.kind(known, 7, now))
        known.append({"label": "F" if kinds[-1] == "full" else "D", "time": now + 60, "size": 1, "stored": 1})
    assert [day for day, kind in enumerate(kinds) if kind == "full"] == [0, 7, 14]


@given(st.integers(0, 200))
def test_what_is_said_fits_into_a_termination_message(number: int) -> None:
    known = [
        {
            "label": f"20261123-0117{n:02d}F_20261124-011700D",
            "time": 1763860650 + n,
            "size": 2**45,
            "stored": 2**44,
            "stop": "F" * 24,
        }
        for n in range(number)
    ]
    said = json.dumps(making.report(known, archive.Gap("0" * 24, 1763860650)), separators=(",", ":"))
    assert len(said) <= 4096


def test_what_pgbackrest_tells_of_a_database() -> None:
    told = {
        "name": "air-db",
        "backup": [
            {
                "label": "20261122-011700F",
                "error": False,
                "archive": {"start": "000000010000000000000004", "stop": "000000010000000000000005"},
                "timestamp": {"start": 1, "stop": 2},
                "info": {"size": 10, "delta": 10, "repository": {"delta": 3}},
            },
            {
                "label": "20261123-011700F",
                "error": True,
                "archive": {"start": "000000010000000000000006", "stop": "000000010000000000000007"},
                "timestamp": {"start": 3, "stop": 4},
                "info": {"size": 10, "delta": 10, "repository": {"delta": 3}},
            },
        ],
    }
    assert [each["label"] for each in making.backups(told)] == ["20261122-011700F"], "one with damaged pages is none"
    assert making.backups({}) == []


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (["P00 INFO: x\n", "P00 ERROR: [028]: no\n", "HINT: do it\n", "P00 INFO: end\n"], "[028]: no HINT: do it"),
        (["2026 FATAL:  recovery ended before configured recovery target was reached\n"], "recovery ended before"),
        (["a\n", "b\n", "c\n", "d\n"], "b c d"),
        ([], ""),
    ],
)
def test_the_last_error_is_the_reason(written: list[str], told: str) -> None:
    assert pgbackrest.reason(written).startswith(told)


@given(st.lists(st.text()))
def test_a_reason_is_one_short_line(written: list[str]) -> None:
    found = pgbackrest.reason(written)
    assert len(found) <= 700
    assert "\n" not in found


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ("2026-11-23T10:00:00Z", "2026-11-23 10:00:00.000000+00"),
        ("2026-11-23T10:00:00.5+01:00", "2026-11-23 09:00:00.500000+00"),
    ],
)
def test_a_time_as_postgresql_reads_it(given_: str, said: str) -> None:
    assert restoring.target(given_) == said


def test_which_backup_was_restored() -> None:
    line = "P00   INFO: repo1: restore backup set 20261123-011700F, recovery will start at 2026-11-23 01:17:00"
    assert restoring.label(f"x\n{line}\ny") == "20261123-011700F"
    assert restoring.label("nothing") == ""


@pytest.mark.parametrize(("status", "ready"), [("starting", False), ("standby ", False), ("ready   ", True)])
def test_a_recovery_is_over_when_postgresql_is_ready_and_not_when_it_replays(
    tmp_path: Path, status: str, ready: bool
) -> None:
    """As PostgreSQL 15 writes it; without hot_standby a server that replays has "standby" there."""
    assert not restoring.is_ready(tmp_path)
    file = tmp_path / "postmaster.pid"
    lines = ["7", "/data", "1763900000", "5432", "/sockets", "", "  1234567         0"]
    file.write_text("\n".join(lines))
    assert not restoring.is_ready(tmp_path)
    file.write_text("\n".join([*lines, status, ""]))
    assert restoring.is_ready(tmp_path) is ready


def test_a_time_that_the_log_does_not_reach_is_told_with_what_to_do() -> None:
    log = "LOG:  x\nFATAL:  recovery ended before configured recovery target was reached\nLOG:  shutting down\n"
    assert restoring.ended(log).startswith("recovery ended before")
    assert "without a time" in restoring.ended(log)
    assert "without a time" not in restoring.ended("FATAL:  could not locate required checkpoint record\n")
    assert restoring.ended("") == "PostgreSQL ended without a word"


def test_the_log_is_fetched_with_the_keys_of_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """PostgreSQL's environment has none: pgBackRest is run by the script that reads them."""
    commands: list[tuple[str, ...]] = []

    def run(*command: str) -> str:
        commands.append(command)
        raise pgbackrest.FailedError("enough")

    monkeypatch.setattr(restoring, "run", run)
    with pytest.raises(pgbackrest.FailedError):
        restoring.restore("air-db", tmp_path / "pgdata", to="")
    get = 'bash /etc/pgbackrest/run.sh --stanza=air-db archive-get %f "%p"'
    assert f"--recovery-option=restore_command={get}" in commands[0]


@pytest.mark.parametrize(
    ("size", "count", "found"),
    [
        (-1, True, {}),
        (0, False, {"observations": 3}),
        (64 << 20, False, {"observations": 3}),
        ((64 << 20) + 1, False, {"estimated_observations": 2990}),
        ((64 << 20) + 1, True, {"observations": 3}),
    ],
)
def test_a_large_table_keeps_nobody_waiting_but_in_a_drill(
    monkeypatch: pytest.MonkeyPatch, size: int, count: bool, found: dict[str, int]
) -> None:
    def ask(database: str, statement: str) -> str:
        assert database == "sensorthings"
        if statement.startswith("explain"):
            return '[{"Plan": {"Node Type": "Seq Scan", "Plan Rows": 2990}}]'
        return str(size) if "pg_table_size" in statement else '{"observations": 3}'

    monkeypatch.setattr(restoring, "ask", ask)
    assert restoring._observations(count=count) == found


class _Restores:
    """What a restore in a pod asks for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, known: list[dict[str, Any]]) -> None:
        self.restored: list[tuple[str, str]] = []
        monkeypatch.setattr(once, "asked", lambda _: {})
        monkeypatch.setattr(once, "backups", lambda _: known)
        monkeypatch.setattr(once, "restore", self._restore)

    def _restore(self, stanza: str, _: Path, *, to: str) -> dict[str, Any]:
        self.restored.append((stanza, to))
        return {"observations": 3}


def _variables(folder: Path, **changed: str) -> dict[str, str]:
    given_ = {"POD": "air-db-r1-0", "DATA": str(folder), "PGDATA": str(folder / "pgdata"), "STANZA": "air-db-r1"}
    given_ |= {"RESTORED": str(folder / "told")}
    return {**given_, "SOURCE": "air-db", "TARGET": "2026-11-23T10:00:00Z", "INSTANCES": "1", **changed}


def test_a_database_is_restored_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    restores = _Restores(monkeypatch, [])
    assert once.restore_once(_variables(tmp_path)) == {"observations": 3}
    assert once.restore_once(_variables(tmp_path)) == {"observations": 3}, "a pod that starts anew says it again"
    assert restores.restored == [("air-db", "2026-11-23T10:00:00Z")]


@pytest.mark.parametrize("changed", [{"TARGET": ""}, {"SOURCE": "air-db-r7"}])
def test_a_volume_of_another_restore_is_not_taken_for_this_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changed: dict[str, str]
) -> None:
    """Volumes are kept: a name that is used again finds the old one."""
    restores = _Restores(monkeypatch, [])
    once.restore_once(_variables(tmp_path))
    with pytest.raises(pgbackrest.FailedError, match="restored from air-db up to 2026-11-23T10:00:00Z before"):
        once.restore_once(_variables(tmp_path, **changed))
    assert len(restores.restored) == 1


def test_a_restore_that_was_cut_short_begins_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    restores = _Restores(monkeypatch, [])

    def ends(*_: Any, **__: Any) -> dict[str, Any]:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(once, "restore", ends)
        with pytest.raises(KeyboardInterrupt):
            once.restore_once(_variables(tmp_path))
    (tmp_path / "pgdata").mkdir()
    once.restore_once(_variables(tmp_path))
    assert len(restores.restored) == 1


def test_a_database_that_no_restore_made_is_never_restored_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    restores = _Restores(monkeypatch, [])
    (tmp_path / "pgdata").mkdir()
    with pytest.raises(pgbackrest.FailedError, match="a database that no restore made"):
        once.restore_once(_variables(tmp_path))
    assert restores.restored == []


def test_other_pods_than_the_first_restore_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    restores = _Restores(monkeypatch, [])
    assert once.restore_once(_variables(tmp_path, POD="air-db-r1-1")) is None
    assert restores.restored == []


def test_one_with_backups_of_its_own_is_never_taken_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its volume was lost: what was written since the restore would go without a word."""
    restores = _Restores(monkeypatch, [_backup("aF", 1)])
    with pytest.raises(pgbackrest.FailedError, match="would lose what was written since"):
        once.restore_once(_variables(tmp_path))
    assert once.restore_once(_variables(tmp_path, INSTANCES="2")) is None, "it copies the primary"
    monkeypatch.setattr(once, "asked", None)
    assert once.restore_once(_variables(tmp_path, INSTANCES="2")) is None, "and asks nobody at its next start"
    assert restores.restored == []


def test_one_of_which_the_operator_knows_that_it_was_restored_is_not_restored_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its volume was lost before it had a backup of its own: of a pair, the others have what was written since."""
    restores = _Restores(monkeypatch, [])
    told = tmp_path / "told"
    pair, single = tmp_path / "pair", tmp_path / "single"
    for volume in (pair, single):
        volume.mkdir()
    known = {"RESTORED": str(told)}
    told.write_text("air-db-r1\n")
    assert once.restore_once(_variables(pair, INSTANCES="2", **known)) is None, "it copies the primary"
    assert not (pair / "pgdata").exists()
    with pytest.raises(pgbackrest.FailedError, match="would lose what was written since"):
        once.restore_once(_variables(single, **known))
    assert restores.restored == []


def test_what_was_restored_under_another_name_is_no_reason_to_wait(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    restores = _Restores(monkeypatch, [])
    (tmp_path / "told").write_text("air-db-r7\n")
    once.restore_once(_variables(tmp_path, INSTANCES="2"))
    assert len(restores.restored) == 1


def test_what_fails_is_said_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*_: Any, **__: Any) -> dict[str, Any]:
        raise pgbackrest.FailedError("[028]: no")

    said = tmp_path / "said"
    monkeypatch.setattr(program, "_SAID", said)
    monkeypatch.setattr(making, "backup", fails)
    assert program.main("backup", {"STANZA": "air-db", "FULL_EVERY_DAYS": "7", "INSTANCES": "1"}) == 1
    assert json.loads(said.read_text()) == {"failed": "[028]: no"}


def test_a_standby_that_is_away_does_not_keep_a_backup_from_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []

    def run(*command: str) -> str:
        commands.append(command)
        if "--backup-standby" in command:
            raise pgbackrest.FailedError("unable to find standby cluster", 56)
        return ""

    monkeypatch.setattr(making, "run", run)
    monkeypatch.setattr(making, "asked", lambda _: {})
    making.backup("air-db", full_every_days=7, has_standby=True)
    assert commands[-1][-1] == "--no-backup-standby"
    assert "--type=full" in commands[-1]
