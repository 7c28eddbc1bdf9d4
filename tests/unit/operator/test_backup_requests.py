"""What the operator asks for beside a backup's schedule, and when: a first one, other tries, looks at the archive."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.api.status import ArchiveGap, BackupFailure, BackupRequest
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions.backups import Archive, Backups, told
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.observe import backuprequests, backups, managed
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.operator.backed_up import LOCATION, NOW, WELL, backed_up, children_of, pod_of
from tests.unit.operator.samples import body, child, service

_EARLIER: Final = told(NOW - timedelta(days=2))
_DONE: Final = BackupRequest(number=3, kind="Backup", time=_EARLIER, timeline=1, done=True)
_OPEN: Final = ArchiveGap(segment="0" * 24, since="2026-11-23T09:00:00Z")


def _asked(known: Backups, *, timeline: int | None = 1, waits: bool = False, now: datetime = NOW) -> BackupRequest:
    return backuprequests.asked(known, timeline=timeline, waits=waits, now=now)


def _failed(at: datetime, since: datetime | None = None) -> Backups:
    failure = BackupFailure(time=told(at), message="the store is away", since=told(since or at))
    return replace(WELL, failure=failure, again=backups.again(failure), request=_DONE)


def test_a_database_without_backups_gets_one() -> None:
    assert _asked(Backups("air-db")) == BackupRequest(number=0, kind="Backup", time=told(NOW), timeline=1)


def test_nothing_is_asked_for_while_all_is_well() -> None:
    assert _asked(replace(WELL, request=_DONE)) == _DONE
    assert _asked(replace(WELL, request=_DONE), timeline=None) == _DONE


@pytest.mark.parametrize(("minutes", "again"), [(4, False), (5, True)])
def test_a_backup_that_failed_is_made_again_soon(minutes: int, again: bool) -> None:
    found = _asked(_failed(NOW - timedelta(minutes=minutes)))
    assert (found.number, found.kind, found.done) == ((4, "Backup", False) if again else (3, "Backup", True))


def test_it_is_tried_later_and_later_hourly_at_the_most_and_for_a_day() -> None:
    first = at = NOW
    tries: list[timedelta] = []
    while (again := backups.again(BackupFailure(time=told(at), message="x", since=told(first)))) is not None:
        tries.append(datetime.fromisoformat(again) - at)
        at = datetime.fromisoformat(again)
    assert [pause.total_seconds() / 60 for pause in tries[:6]] == [5, 5, 10, 20, 40, 60]
    assert max(tries) == timedelta(hours=1)
    assert timedelta(days=1) <= at - first < timedelta(days=1, hours=1)
    assert len(tries) < 32
    assert _asked(_failed(at, first), now=at + timedelta(days=9)) == _DONE, "then the schedule alone"


def test_one_try_at_a_time() -> None:
    """By whomever: the schedule's, a person's, or the operator's own."""
    known = _failed(NOW - timedelta(minutes=30))
    assert _asked(known, waits=True) == _DONE
    again = replace(known, request=_asked(known))
    assert _asked(again) == again.request, "its Job is about to be made"


def test_what_nothing_came_of_is_asked_for_once_more_after_an_hour() -> None:
    """Such as a Job whose pods were evicted before they could say anything."""
    begun = BackupRequest(number=5, kind="Check", time=told(NOW), timeline=2)
    known = replace(WELL, request=begun)
    assert _asked(known, timeline=2, now=NOW + timedelta(minutes=59)) == begun
    later = NOW + timedelta(hours=1)
    assert _asked(known, timeline=2, waits=True, now=later) == begun, "a large database takes its time"
    found = _asked(known, timeline=2, now=later)
    assert (found.number, found.kind, found.timeline) == (6, "Check", 2)


def test_after_a_failover_the_archive_is_looked_through() -> None:
    found = _asked(replace(WELL, request=_DONE), timeline=2)
    assert (found.number, found.kind, found.timeline, found.done) == (4, "Check", 2, False)
    done = found.model_copy(update={"done": True})
    assert _asked(replace(WELL, request=done), timeline=2) == done, "once"


def test_a_gap_asks_for_a_backup_that_begins_anew() -> None:
    known = replace(WELL, request=_DONE, gap=_OPEN)
    found = _asked(known)
    assert (found.number, found.kind) == (4, "Backup")
    assert _asked(replace(known, request=found)) == found
    assert _asked(replace(known, gap=_OPEN.model_copy(update={"until": told(NOW)}))) == _DONE


def test_a_timeline_that_was_not_known_is_no_failover() -> None:
    unknown = _DONE.model_copy(update={"timeline": None})
    assert _asked(replace(WELL, request=unknown), timeline=7) == _DONE.model_copy(update={"timeline": 7})


_TIMES: Final = st.integers(0, 72 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))
_FAILURES: Final = st.one_of(
    st.none(),
    st.tuples(_TIMES, _TIMES).map(lambda at: BackupFailure(time=told(max(at)), message="x", since=told(min(at)))),
)


@given(_FAILURES, st.sampled_from([None, _OPEN]), st.integers(1, 3), st.booleans(), _TIMES)
def test_asking_twice_asks_once(
    failure: BackupFailure | None, gap: ArchiveGap | None, timeline: int, done: bool, now: datetime
) -> None:
    """Passes come when they want, several in a moment."""
    request = _DONE.model_copy(update={"done": done})
    again = None if failure is None else backups.again(failure)
    known = replace(WELL, failure=failure, gap=gap, again=again, request=request)
    once = _asked(known, timeline=timeline, now=now)
    assert once.number - request.number in (0, 1)
    assert _asked(replace(known, request=once), timeline=timeline, now=now) == once


# What becomes of it


def _jobs(spec: Manifest, **fields: Any) -> list[Manifest]:
    made = children_of(spec, **fields)
    return [each for (kind, name), each in made.items() if kind == "Job" and name.startswith("air-backup-")]


def test_each_request_is_a_job_of_its_own_until_it_is_done() -> None:
    (first,) = _jobs(backed_up())
    assert [first] == _jobs(backed_up(), backup_request=_request(0)), "which is the first backup"
    (other,) = _jobs(backed_up(), backup_request=_request(1))
    assert first["metadata"]["name"] != other["metadata"]["name"]
    assert not _jobs(backed_up(), backup_request=_request(1, done=True))
    assert not _jobs(backed_up(), backup_request=_request(1), backup_held=True)


def test_a_look_makes_no_backup_and_knows_what_the_primary_writes() -> None:
    (job,) = _jobs(backed_up(instances=2), backup_request=_request(7, kind="Check", timeline=2))
    (container,) = pod_of(job)["containers"]
    assert container["command"][-1] == "check"
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert (variables["REQUEST"], variables["TIMELINE"]) == ("7", "2")


def _request(number: int, **fields: Any) -> BackupRequest:
    return BackupRequest(**{"number": number, "kind": "Backup", "time": _EARLIER, **fields})


def _prepared(
    spec: Manifest, *, timeline: int | None = None, keys_missing: bool = False, store: OwnedStore | None = None
) -> Service:
    answer = Answer(True, "x", "x", archive=Archive(failing=False, waiting_bytes=0, timeline=timeline))
    there = store or OwnedStore(SUMMARIES)
    return managed.prepared(there, service(spec), body(spec), answer=answer, keys_missing=keys_missing, now=NOW)


def test_without_the_keys_of_a_store_nothing_is_asked_of_it_yet() -> None:
    held = _prepared(backed_up(), keys_missing=True)
    assert held.backup_held
    store = OwnedStore(SUMMARIES)
    labels = {"sensorthings.city/service": "air", "app.kubernetes.io/component": "backup"}
    store.put("Job", child("Job", "air-backup-1", labels=labels))
    assert not _prepared(backed_up(), keys_missing=True, store=store).backup_held, "what runs is not ended for that"
    assert not _prepared(backed_up()).backup_held


@pytest.mark.parametrize("asleep", [{"hibernated": True}, {"paused": True}])
def test_nothing_is_asked_for_while_nothing_is_made(asleep: Manifest) -> None:
    """Else what is not done would be asked for anew each hour, and be written into the status."""
    spec = {**backed_up(), **asleep}
    begun = _request(2).model_dump(by_alias=True, exclude_none=True)
    live = {
        **body(spec),
        "status": {"database": {"backup": {"database": "air-db", "location": LOCATION, "request": begun}}},
    }
    found = managed.prepared(OwnedStore(SUMMARIES), service(spec), live, answer=None, keys_missing=False, now=NOW)
    assert found.backup_request == _request(2)


@pytest.mark.parametrize(("instances", "timeline"), [(1, None), (2, 4)])
def test_the_timeline_of_a_pair_tells_of_failovers_and_a_single_one_has_none(
    instances: int, timeline: int | None
) -> None:
    found = _prepared(backed_up(instances=instances), timeline=4).backup_request
    assert found is not None
    assert found.timeline == timeline


def test_a_database_without_backups_is_asked_for_nothing() -> None:
    assert _prepared({"database": {"type": "Managed"}}).backup_request is None
