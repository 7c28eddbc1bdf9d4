"""What pods say of backups, how it is read, and what is known of them from pods and from the status."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.api.status import ArchiveGap, BackupEntry, BackupFailure, BackupRequest, BackupStatus
from sensorthings_operator.apply.status import build
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.backups import SEGMENT_BYTES, Backups, Run, segment_end, told
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.observe import backupruns, backups, restores
from tests.unit.operator.backed_up import LOCATION, NOW, S3, backed_up
from tests.unit.operator.samples import body, child, observed, service


@given(st.integers(0, 2**30), st.sampled_from(["", ".partial", ".00000028.backup"]), st.integers(1, 2**32 - 1))
def test_where_a_segment_ends(number: int, ending: str, timeline: int) -> None:
    """As PostgreSQL names them: 256 segments of 16 MiB for each of the second number (wal_segment_size)."""
    name = f"{timeline:08X}{number // 256:08X}{number % 256:08X}{ending}"
    assert segment_end(name) == (number + 1) * SEGMENT_BYTES


@given(st.text())
def test_a_name_that_is_no_segment_s_has_no_end(name: str) -> None:
    if segment_end(name) is not None:
        assert len(name) >= 24
    assert segment_end("0000000A.history") is None


_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_FIELDS: Final = (
    "backups",
    "oldest",
    "gap",
    "label",
    "seconds",
    "observations",
    "newest",
    "last_transaction",
    "failed",
)
_SAID: Final = st.dictionaries(st.sampled_from(_FIELDS), _JSON) | _JSON


def _live(component: str, message: str, *, code: int = 0, ended: str = "2026-11-23T01:18:00Z", **env: str) -> Manifest:
    variables = [
        {"name": name, "value": value} for name, value in {"STANZA": "air-db", "LOCATION": LOCATION, **env}.items()
    ]
    init = component not in ("backup", "drill")
    name = "restore" if init else component
    over = {"exitCode": code, "finishedAt": ended, "message": message}
    live = child("Pod", "x", labels={"app.kubernetes.io/component": component, "sensorthings.city/service": "air"})
    kind = "initContainer" if init else "container"
    return {
        **live,
        "spec": {f"{kind}s": [{"name": name, "env": variables}]},
        "status": {f"{kind}Statuses": [{"name": name, "image": "x", "state": {"terminated": over}}]},
    }


def _run(*arguments: Any, **fields: Any) -> Run:
    found = backupruns.run(_live(*arguments, **fields))
    assert found is not None
    return found


def _look(wanted: Service, before: Manifest, *ended: Run) -> Observed:
    seen = observed(service=wanted, backups=backups.known(wanted, before, ended, NOW))
    return restores.look(seen, before, ended)


def _written(known: Backups | None, spec: Manifest) -> Manifest:
    """The resource with that in its status."""
    seen = observed(service=service(spec), backups=known)
    return {**body(), "status": build(body(), seen, evaluate(seen), (), NOW)}


def _dumped(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except (TypeError, ValueError):  # a float that is no number, half of a surrogate pair, an integer beyond 64 bits
        return repr(value)


@given(st.sampled_from(["backup", "drill", "database-r1"]), _SAID.map(_dumped) | st.text(), st.integers(0, 2))
def test_whatever_a_pod_says_becomes_a_status_that_the_api_server_takes(component: str, said: str, code: int) -> None:
    found = _run(component, said, code=code)
    assert len(found.failed) <= 1024
    assert len(found.backups) <= 40
    assert len({each.label for each in found.backups}) == len(found.backups)
    wanted = service(backed_up(restore={"name": "r1"}))
    seen = _look(wanted, body(), found)
    status = build(body(), seen, evaluate(seen), (), NOW)
    BackupStatus.model_validate(status["database"]["backup"], strict=True)
    again = _look(wanted, {**body(), "status": status})
    assert again.backups == seen.backups, "what stands in the status is what was seen"


def test_a_backup_that_ended_well() -> None:
    listed = [["20261123-011700F", 1795396650, 1000, 200], ["20261116-011700F", 1794791850, 900, 150]]
    found = _run("backup", orjson.dumps({"backups": listed, "oldest": 1794791850}).decode())
    assert (found.failed, found.database, found.oldest) == ("", "air-db", "2026-11-16T01:17:30Z")
    assert [each.label for each in found.backups] == ["20261123-011700F", "20261116-011700F"]
    assert found.backups[0].stored_bytes == 200


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ('{"failed":"[028]: repo1: unable to reach it"}', "[028]: repo1: unable to reach it"),
        ("Traceback ...\nKeyError: 'STANZA'", "Traceback ... KeyError: 'STANZA'"),
        ("", "it ended without a word"),
        ('{"failed":""}', '{"failed":""}'),
    ],
)
def test_a_backup_that_failed(message: str, told: str) -> None:
    assert _run("backup", message, code=1).failed == told


def test_one_that_ended_well_and_says_nothing_is_no_success() -> None:
    assert "says nothing of a backup" in _run("backup", "").failed


def test_other_pods_and_those_that_run_tell_nothing() -> None:
    assert backupruns.run(child("Pod", "x", labels={"app.kubernetes.io/component": "http"})) is None
    running = _live("backup", "")
    running["status"]["containerStatuses"][0]["state"] = {"running": {}}
    assert backupruns.run(running) is None


def _known(
    runs: Sequence[Run], before: Backups | None = None, *, now: datetime = NOW, spec: Manifest | None = None
) -> Backups:
    live = body() if before is None else _written(before, backed_up())
    return backups.known(service(spec or backed_up()), live, runs, now)


def _succeeded(time: str, ended: str) -> Run:
    entry = BackupEntry(label=f"of {time}", time=time, size_bytes=1, stored_bytes=1)
    return Run("backup", "air-db", ended, location=LOCATION, backups=(entry,), oldest=time)


_EARLY: Final = _succeeded("2026-11-22T01:17:10Z", "2026-11-22T01:17:12Z")
_LATE: Final = _succeeded("2026-11-23T01:17:10Z", "2026-11-23T01:17:12Z")
_FAILED: Final = Run("backup", "air-db", "2026-11-23T01:16:00Z", failed="the store is away", location=LOCATION)


@pytest.mark.parametrize("runs", [[_EARLY, _FAILED, _LATE], [_LATE, _FAILED, _EARLY]])
def test_the_last_run_decides(runs: list[Run]) -> None:
    found = _known(runs)
    assert (found.succeeded, found.failure) == ("2026-11-23T01:17:10Z", None)


def test_a_failure_after_a_success_is_told_and_the_success_kept() -> None:
    failed = Run("backup", "air-db", "2026-11-23T05:00:00Z", failed="the store is away", location=LOCATION)
    found = _known([_LATE, failed])
    assert found.failure == BackupFailure(time=failed.ended, message="the store is away", since=failed.ended)
    assert found.succeeded == "2026-11-23T01:17:10Z"


_GAP: Final = ArchiveGap(segment="0" * 24, since="2026-11-22T09:00:00Z")
_CHECKED: Final = replace(_EARLY, ended="2026-11-22T12:00:00Z", gap=_GAP, request=1)
_FAILED_AGAIN: Final = replace(_FAILED, ended="2026-11-23T01:16:40Z")
_ASKED: Final = BackupRequest(number=1, kind="Check", time="2026-11-22T11:59:00Z", timeline=2)


@given(st.permutations([_EARLY, _CHECKED, _FAILED, _FAILED_AGAIN, _LATE]), st.integers(0, 5))
def test_what_is_known_is_the_same_whether_pods_are_seen_together_or_one_after_the_other(
    runs: list[Run], cut: int
) -> None:
    """Pods go with their Jobs: what the status remembers has to come to the same, in the order in which they ended."""
    ordered = sorted(runs, key=lambda each: each.ended)
    begun = Backups("air-db", LOCATION, request=_ASKED)
    at_once = _known(runs, begun)
    first = _known(ordered[:cut], begun)
    assert _known(ordered[cut:], first) == at_once
    assert _known(ordered, first) == at_once


def test_another_database_s_backups_are_not_taken_for_its_own() -> None:
    before = Backups("air-db", LOCATION, succeeded="2026-11-23T01:17:10Z")
    found = _known([_LATE], before, spec=backed_up(serving="r1"))
    assert (found.database, found.succeeded) == ("air-db-r1", None)


def test_backups_in_another_place_are_none() -> None:
    """The bucket is empty, whatever the volume has: so the first backup is asked for anew."""
    done = _ASKED.model_copy(update={"done": True})
    before = _known([_EARLY], Backups("air-db", LOCATION, request=done))
    assert before.succeeded is not None
    found = _known([_EARLY], before, spec=backed_up(S3))
    assert found.location == "https://minio.city.internal:9000/backups/hamburg/air"
    assert (found.succeeded, found.kept, found.request) == (None, (), None)
    assert _known([], before, spec=backed_up()).succeeded == before.succeeded


def test_a_failure_knows_since_when_all_failed() -> None:
    found = _known([_EARLY, _FAILED, _FAILED_AGAIN]).failure
    assert found is not None
    assert (found.since, found.time) == (_FAILED.ended, _FAILED_AGAIN.ended)
    after = replace(_FAILED, ended="2026-11-23T09:00:00Z")
    assert _known([_EARLY, _FAILED, _LATE, after]).failure == BackupFailure(
        time=after.ended, message="the store is away", since=after.ended
    )


def test_a_gap_ends_with_the_next_backup_and_is_told_while_there_are_older_ones() -> None:
    found = _known([_EARLY, _CHECKED])
    assert found.gap == _GAP, "from the last segment that is there, to nobody knows when"
    kept = replace(_LATE, oldest=_EARLY.oldest)
    assert _known([_EARLY, _CHECKED, kept]).gap == _GAP.model_copy(update={"until": _LATE.backups[0].time})
    assert _known([_EARLY, _CHECKED, _LATE]).gap is None, "nothing from before it is left"


def test_a_gap_that_a_backup_tells_of_ended_with_it() -> None:
    listed = [["20261123-011700F", 1795396650, 1000, 200], ["20261116-011700F", 1794791850, 900, 150]]
    gap = {"segment": "00000001000000000000000A", "since": 1795000000}
    found = _run("backup", orjson.dumps({"backups": listed, "oldest": 1794791850, "gap": gap}).decode())
    assert found.gap == ArchiveGap(segment=gap["segment"], since="2026-11-18T11:06:40Z", until=found.backups[0].time)
    gap["since"] = 1795396650
    found = _run("backup", orjson.dumps({"backups": listed, "gap": gap}).decode())
    assert found.gap is not None
    assert found.gap.until is None, "a look made no backup after it"


@pytest.mark.parametrize(
    ("made", "done"),
    [
        (_CHECKED, True),
        (replace(_CHECKED, request=None), False),
        (replace(_CHECKED, request=0), False),
        (replace(_CHECKED, request=None, failed="no", backups=()), False),
        (_LATE, True),
    ],
    ids=["its own", "somebody's", "an older one's", "failed", "a backup that came later"],
)
def test_what_was_asked_for_is_done(made: Run, done: bool) -> None:
    found = _known([made], Backups("air-db", LOCATION, request=_ASKED)).request
    assert found is not None
    assert found.done is done


def test_when_the_next_one_is_due() -> None:
    assert _known([_LATE]).due == "2026-11-24T01:17:00Z"
    assert _known([_LATE], spec=backed_up(backup={"schedule": "0 12 * * *"})).due == "2026-11-24T12:00:00Z"


def test_a_backup_that_did_not_come_is_missed_after_half_a_day() -> None:
    assert _known([_EARLY], now=datetime(2026, 11, 23, 12, 0, tzinfo=UTC)).missed is None
    assert _known([_EARLY], now=datetime(2026, 11, 23, 14, 0, tzinfo=UTC)).missed == "2026-11-23T01:17:00Z"
    assert _known([_LATE], now=datetime(2026, 11, 23, 14, 0, tzinfo=UTC)).missed is None


@given(st.integers(0, 60 * 24 * 40), st.sampled_from(["17 1 * * *", "5 */6 * * *", "0 3 * * SUN", "0 0 1 * *"]))
def test_who_has_a_backup_of_each_due_time_missed_none(minutes: int, schedule: str) -> None:
    now = NOW + timedelta(minutes=minutes)
    due = backups.missed(schedule, Backups("air-db", succeeded="1970-01-01T00:00:00Z"), now)
    assert due is not None
    assert backups.missed(schedule, Backups("air-db", succeeded=due), now) is None
    later = backups.due(schedule, now)
    assert later is not None
    assert due < told(now) < later


def test_a_restore_that_failed_and_then_did_not_is_told_as_it_is() -> None:
    failed = _run("database-r1", '{"failed":"no backup before that"}', code=1, STANZA="air-db-r1")
    done = _run(
        "database-r1", '{"label":"x","observations":3,"seconds":5}', ended="2026-11-23T02:00:00Z", STANZA="air-db-r1"
    )
    wanted = service(backed_up(restore={"name": "r1"}))
    assert _look(wanted, body(), failed).restore_failure == "no backup before that"
    after = _look(wanted, body(), failed, done)
    assert (after.restore_failure, after.restored and after.restored.observations) == ("", 3)
    lost = replace(failed, ended="2026-11-23T03:00:00Z", failed="air-db-r1 was restored before")
    assert _look(wanted, body(), done, lost).restore_failure == "air-db-r1 was restored before"


def test_a_pod_that_restores_nothing_is_not_taken_for_the_one_that_does() -> None:
    """Of a pair the others have the same container, which ends at once."""
    wanted = service(backed_up(instances=2, restore={"name": "r1"}))
    idle = _run("database-r1", "", STANZA="air-db-r1")
    assert _look(wanted, body(), idle).restored is None
    said = '{"label":"x","observations":3,"seconds":5}'
    done = _run("database-r1", said, ended="2026-11-23T02:00:00Z", STANZA="air-db-r1")
    found = _look(wanted, body(), idle, done).restored
    assert found is not None
    assert found.observations == 3
    assert found.estimated_observations is None


def test_a_large_table_that_was_not_counted_is_told_of_as_estimated() -> None:
    wanted = service(backed_up(instances=2, restore={"name": "r1"}))
    said = '{"label":"x","estimated_observations":6480975,"seconds":5}'
    found = _look(wanted, body(), _run("database-r1", said, ended="2026-11-23T02:00:00Z", STANZA="air-db-r1")).restored
    assert found is not None
    assert (found.observations, found.estimated_observations) == (None, 6480975)


@pytest.mark.parametrize("number", [-1, 2**53, 2**63, True, 1.5, "1"])
def test_a_size_that_no_status_can_hold_is_no_backup(number: object) -> None:
    said = orjson.dumps({"backups": [["20261123-011700F", 1795396650, number, 200]]}).decode()
    assert "says nothing of a backup" in _run("backup", said).failed
