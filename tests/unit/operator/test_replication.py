"""How far standbys are behind, when reads leave them and come back, and what DatabaseReplicated says."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.databasehosts import (
    HostLook,
    HostSeen,
    Lag,
    Limits,
    Mark,
    Replication,
    ReplicationReason,
    Role,
    Sender,
    primaries,
)
from sensorthings_operator.conditions.databasejudging import judge
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.conditions.replication import DATABASE_REPLICATED
from sensorthings_operator.conditions.standbys import lag, marked, seen
from tests.unit.operator.samples import EXTERNAL, look, observed, service, silent, standby

_LIMITS = Limits(standby_lag_seconds=30)


def _judged(*looks: HostLook, before: Answer | None = None, at: float = 0) -> Answer:
    return judge(looks, "sensorthings", _LIMITS, before, began=at, now=at)


def _replication(*looks: HostLook, before: Answer | None = None, at: float = 0) -> Replication:
    found = _judged(*looks, before=before, at=at).replication
    assert found is not None
    return found


@st.composite
def _histories(draw: st.DrawFn) -> tuple[list[tuple[float, int]], list[float], int, float]:
    """Commits of a primary (time, position after it), times of earlier looks, commits replayed, and now."""
    gaps = draw(st.lists(st.floats(0.001, 5000), min_size=1, max_size=12))
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    commits = [(time, (n + 1) * 100) for n, time in enumerate(times)]
    replayed = draw(st.integers(0, len(commits)))
    now = times[-1] + draw(st.floats(0, 5000))
    looks = sorted(draw(st.lists(st.floats(0, now), max_size=6)))
    return commits, looks, replayed, now


def _position(commits: list[tuple[float, int]], at: float) -> int:
    return max((position for time, position in commits if time <= at), default=0)


@given(_histories())
def test_what_a_standby_shows_is_never_older_than_the_lag_says(
    history: tuple[list[tuple[float, int]], list[float], int, float],
) -> None:
    commits, looks, replayed, now = history
    missing = commits[replayed:]
    age = None if replayed == 0 else now - commits[replayed - 1][0]
    at = standby(position=replayed * 100, replay_age_seconds=age)
    marks = [Mark(time, _position(commits, time)) for time in looks]
    found = lag(at, look(position=len(commits) * 100), marks, now)
    assert found.bytes == len(missing) * 100
    assert (found == Lag(0, 0.0)) == (not missing)
    if missing and found.seconds is not None:
        assert found.seconds >= now - missing[0][0] - 1e-6
    if age is not None:
        assert found.seconds is not None
        assert found.seconds <= age


def test_an_idle_hour_of_the_primary_is_no_lag() -> None:
    """The standby replayed the last transaction an hour ago because there was none since; now there is one."""
    marks = (Mark(3570.0, 1000),)
    behind = standby(position=1000, replay_age_seconds=3600)
    assert lag(behind, look(position=1000), (), 3600.0).seconds == 0
    assert lag(behind, look(position=1100), (), 3600.0).seconds == 3600, "nobody looked before"
    assert lag(behind, look(position=1100), marks, 3600.0).seconds == 30


def test_a_standby_that_has_replayed_nothing_yet_has_no_known_lag() -> None:
    assert lag(standby(position=5, replay_age_seconds=None), look(position=9), (), 0.0) == Lag(4, None)
    assert not _replication(look(position=9), standby(position=5, replay_age_seconds=None)).lagging.isdisjoint(
        {"db-1:5432"}
    )


def test_clocks_that_differ_make_no_negative_lag() -> None:
    assert lag(standby(position=5, replay_age_seconds=-0.2), look(position=9), (), 0.0) == Lag(4, 0.0)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=60))
def test_marks_are_few_in_order_and_of_one_primary(steps: list[tuple[int, int]]) -> None:
    before: Replication | None = None
    position = replayed = 0
    for at, (written, applied) in enumerate(steps):
        position, replayed = position + written, min(position, replayed + applied)
        looks = (look(position=position), standby(position=replayed))
        marks = marked(looks, before, float(at))
        assert len(marks) <= 32
        assert all(one.at < other.at and one.position <= other.position for one, other in pairwise(marks))
        assert sum(mark.position <= replayed for mark in marks[:-1]) <= 1, "of those passed, the newest is enough"
        before = replace(_replication(*looks), marks=marks)
    other = marked((look("db-1:5432"), standby("db-0:5432")), before, 99.0)
    assert other == (Mark(99.0, 1000),), "another primary's write-ahead log has positions of its own"


_STANDINGS = {
    "near": standby(position=900, replay_age_seconds=10),
    "between": standby(position=900, replay_age_seconds=20),
    "beyond": standby(position=900, replay_age_seconds=31),
    "idle": standby(streaming=False),
    "away": silent("db-1:5432"),
}


@given(st.lists(st.sampled_from(sorted(_STANDINGS)), max_size=30))
def test_reads_leave_at_once_and_come_back_after_two_good_looks(standings: list[str]) -> None:
    before: Answer | None = None
    at_primary = False
    good = 0
    # Looks so rare that no mark of an earlier one makes a lag smaller.
    for number, standing in enumerate(standings):
        before = _judged(look(), _STANDINGS[standing], before=before, at=number * 1000.0)
        assert before.replication is not None
        good = good + 1 if at_primary and standing == "near" else 0
        if standing in ("beyond", "idle", "away"):
            at_primary = True
        elif good == 2:
            at_primary = False
        assert before.replication.reads_at_primary == at_primary, standings[: number + 1]


def test_one_standby_that_is_late_is_enough_since_the_driver_takes_any() -> None:
    late = standby("db-2:5432", position=900, replay_age_seconds=90)
    assert _replication(look(), standby(), late).reads_at_primary
    assert not _replication(look(), standby(), silent("db-2:5432")).reads_at_primary, "nobody reads from that one"


def test_without_a_primary_old_data_are_better_than_none() -> None:
    late = standby(position=900, replay_age_seconds=90)
    before = _judged(look(), late)
    assert before.replication is not None
    assert before.replication.reads_at_primary
    assert not _replication(silent(), late, before=before).reads_at_primary
    assert _replication(silent(), silent("db-1:5432"), before=before).reads_at_primary, "nothing is known: as it was"
    assert _replication(look(), look("db-1:5432"), before=before).reads_at_primary, "two primaries: as it was"


def test_a_standby_is_late_until_it_is_well_within_the_limit() -> None:
    answer: Answer | None = None
    late = []
    for number, age in enumerate((29, 31, 29, 16, 15, 29)):
        answer = _judged(look(), standby(position=900, replay_age_seconds=age), before=answer, at=number * 1000.0)
        assert answer.replication is not None
        late.append(answer.replication.reason is ReplicationReason.LAGGING)
    assert late == [False, True, True, True, False, False]


@pytest.mark.parametrize(
    ("looks", "reason", "told"),
    [
        ((look(), standby()), ReplicationReason.STREAMING, "db-1:5432: streaming, no more than 30 s behind"),
        ((look(), silent("db-1:5432")), ReplicationReason.MISSING, "db-1:5432 does not answer"),
        ((look(), look(server="start of db-0:5432", host="db:5432")), ReplicationReason.MISSING, "no server"),
        ((look(), standby(streaming=False)), ReplicationReason.NOT_STREAMING, "db-1:5432 receives nothing"),
        (
            (look(), standby(position=0, replay_age_seconds=60)),
            ReplicationReason.LAGGING,
            "db-1:5432 is more than 30 s behind",
        ),
        ((silent(), standby()), ReplicationReason.UNKNOWN, "one server takes writes"),
        ((look(), look("db-1:5432")), ReplicationReason.UNKNOWN, "one server takes writes"),
    ],
)
def test_what_is_told_of_standbys(looks: tuple[HostLook, ...], reason: ReplicationReason, told: str) -> None:
    found = _replication(*looks)
    assert found.reason is reason
    assert told in found.message


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0, 15))
def test_figures_that_change_make_no_other_answer(one: int, other: int, age: float) -> None:
    first = _judged(look(position=one, size_bytes=one), standby(position=one, replay_age_seconds=age))
    second = _judged(look(position=other, size_bytes=other), standby(position=other, replay_age_seconds=0.0))
    assert first == second
    assume(one != other)
    assert first.hosts != second.hosts, "they are known all the same"


def test_roles_are_kept_of_who_is_silent_but_not_of_a_primary_that_was_replaced() -> None:
    first = _judged(look(), standby())
    assert _replication(silent(), silent("db-1:5432"), before=first).roles == (
        ("db-0:5432", Role.PRIMARY),
        ("db-1:5432", Role.STANDBY),
    )
    assert _replication(silent(), look("db-1:5432"), before=first).roles == (("db-1:5432", Role.PRIMARY),)


def _sync_state(standby_look: HostLook, *senders: Sender, more: tuple[HostLook, ...] = ()) -> str:
    hosts: tuple[HostSeen, ...] = seen((look(senders=senders), standby_look, *more), (), 0.0)
    return hosts[1].sync_state


def test_a_standby_is_found_in_its_primarys_list() -> None:
    named = Sender("air-db-1", "10.0.0.9", "sync")
    other = Sender("walreceiver", "10.0.0.7", "async")
    third = standby("db-2:5432")
    assert _sync_state(standby("air-db-1.air-db.hamburg.svc:5432"), named, other) == "sync", "by its name"
    assert _sync_state(standby(address="10.0.0.7"), named, other) == "async", "by its address"
    assert _sync_state(standby(), other) == "async", "as the only one"
    assert _sync_state(standby(), other, more=(third,)) == "", "nobody knows which of two"
    assert _sync_state(standby()) == "", "or the role may not be told"


def test_two_names_of_one_server_are_one_primary() -> None:
    alias = look("db.city.internal:5432", server="start of db-0:5432")
    assert primaries((look(), standby(), alias)) == [look()]
    assert len(primaries((look(), look("db-1:5432")))) == 2


def _verdict(answer: Answer | None, **spec: object) -> Verdict | None:
    of = observed(service=service({**EXTERNAL, **spec}), database=answer, managed_database=None)
    return DATABASE_REPLICATED.evaluate(of) if DATABASE_REPLICATED.applies(of) else None


def test_the_condition_is_there_where_there_are_standbys() -> None:
    assert not DATABASE_REPLICATED.applies(observed())
    assert not DATABASE_REPLICATED.needed, "clients are served as before"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (None, "Unknown"),
        (_judged(look(), standby()), "True"),
        (_judged(look(), standby(streaming=False)), "False"),
        (_judged(silent(), standby()), "Unknown"),
        (_judged(silent(), silent("db-1:5432")), "Unknown"),
    ],
)
def test_its_status(answer: Answer | None, status: str) -> None:
    verdict = _verdict(answer)
    assert verdict is not None
    assert verdict.status == status
