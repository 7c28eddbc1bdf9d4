"""What the answers of several servers come to, as one database."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.conditions.databasehosts import (
    WORKING,
    DatabaseAnswer,
    HostLook,
    Limits,
    Usage,
    primaries,
    standbys,
)
from sensorthings_operator.conditions.databasejudging import is_doubtful, judge
from sensorthings_operator.conditions.observed import Answer
from tests.unit.operator.samples import look, silent, standby

_GIGABYTE = 10**9
_REFUSALS = [
    DatabaseAnswer.UNREACHABLE,
    DatabaseAnswer.CREDENTIALS_REFUSED,
    DatabaseAnswer.DATABASE_MISSING,
    DatabaseAnswer.CA_INVALID,
]


def _judged(*looks: HostLook, before: Answer | None = None, **limits: Any) -> Answer:
    return judge(looks, "sensorthings", Limits(**limits), before, began=0.0, now=0.0)


_LOOKS = st.lists(st.sampled_from(["primary", "standby", "bare primary", *_REFUSALS]), min_size=1, max_size=4).map(
    lambda kinds: [
        {"primary": look, "standby": standby, "bare primary": lambda host: look(host, postgis="")}.get(
            kind, lambda host, kind=kind: silent(host, DatabaseAnswer(kind))
        )(f"db-{number}:5432")
        for number, kind in enumerate(kinds)
    ]
)


@given(_LOOKS, st.randoms())
def test_the_order_of_the_servers_does_not_matter(looks: list[HostLook], random: Random) -> None:
    answer = _judged(*looks)
    random.shuffle(looks)
    other = _judged(*looks)
    assert (other.holds, other.reason) == (answer.holds, answer.reason)
    assert (other.replication is None) == (len(looks) == 1)


@given(_LOOKS)
def test_it_works_where_one_server_takes_writes_and_has_postgis(looks: list[HostLook]) -> None:
    answer = _judged(*looks)
    writing = primaries(looks)
    assert answer.holds == (len(writing) == 1 and bool(writing[0].postgis))
    assert answer.holds == (answer.reason in WORKING)
    if len(writing) > 1:
        assert answer.reason == DatabaseAnswer.TWO_PRIMARIES
        assert all(each.host in answer.message for each in writing)
    if not writing and standbys(looks):
        assert answer.reason == DatabaseAnswer.NO_PRIMARY


def test_a_server_that_is_down_is_not_what_the_others_are_judged_by() -> None:
    answer = _judged(silent(), look("db-1:5432"))
    assert (answer.holds, answer.message) == (True, 'database "sensorthings" at db-1:5432 answers')


def test_where_none_takes_writes_it_is_told_which_did_not_answer() -> None:
    message = _judged(silent(), standby()).message
    assert message.startswith("no server at db-0:5432, db-1:5432 takes writes")
    assert "PostgreSQL at db-0:5432 does not answer" in message


def test_two_primaries_are_told_with_their_timelines_and_what_to_do() -> None:
    message = _judged(look(timeline=3), look("db-1:5432", timeline=4)).message
    assert "db-0:5432 (timeline 3) and db-1:5432 (timeline 4) both take writes" in message
    assert "stop one of them now" in message


@pytest.mark.parametrize(
    ("fields", "limits", "reason"),
    [
        ({"usages": (Usage(0, 97),)}, {"connections": 97}, DatabaseAnswer.REACHABLE),
        ({"usages": (Usage(0, 97), Usage(0, 10))}, {"connections": 11}, DatabaseAnswer.FEW_CONNECTIONS),
        ({"usages": (Usage(89, 100),)}, {}, DatabaseAnswer.REACHABLE),
        ({"usages": (Usage(50, 100), Usage(9, 10))}, {}, DatabaseAnswer.CONNECTIONS_USED),
        ({"usages": (Usage(0, 0),)}, {}, DatabaseAnswer.CONNECTIONS_USED),
        ({"usages": ()}, {"connections": 40}, DatabaseAnswer.REACHABLE),
        ({"size_bytes": 84 * _GIGABYTE}, {"volume_bytes": 100 * _GIGABYTE}, DatabaseAnswer.REACHABLE),
        ({"size_bytes": 85 * _GIGABYTE}, {"volume_bytes": 100 * _GIGABYTE}, DatabaseAnswer.VOLUME_FULL),
        ({"size_bytes": 85 * _GIGABYTE}, {"volume_bytes": None}, DatabaseAnswer.REACHABLE),
        ({"version": 100023}, {"oldest_postgresql": 11}, DatabaseAnswer.VERSION_OLD),
        ({"version": 110022}, {"oldest_postgresql": 11}, DatabaseAnswer.REACHABLE),
        ({"postgis": "2.4.4"}, {"oldest_postgis": (2, 5)}, DatabaseAnswer.VERSION_OLD),
        ({"postgis": "2.5.0"}, {"oldest_postgis": (2, 5)}, DatabaseAnswer.REACHABLE),
        ({"postgis": "3.10.0dev"}, {"oldest_postgis": (3, 2)}, DatabaseAnswer.REACHABLE),
    ],
)
def test_warnings(fields: dict[str, Any], limits: dict[str, Any], reason: DatabaseAnswer) -> None:
    answer = _judged(look(**fields), **limits)
    assert (answer.holds, answer.reason) == (True, reason)


def test_a_standbys_connections_count_too() -> None:
    answer = _judged(look(), standby(usages=(Usage(99, 100),)))
    assert answer.reason == DatabaseAnswer.CONNECTIONS_USED
    assert "db-1:5432" in answer.message


def test_all_that_is_near_its_end_is_in_the_message() -> None:
    answer = _judged(look(usages=(Usage(99, 100),), version=90624), connections=200, oldest_postgresql=14)
    assert answer.reason == DatabaseAnswer.CONNECTIONS_USED
    assert "where all pods together may open 200" in answer.message
    assert "PostgreSQL 9 is older than 14" in answer.message


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20))
def test_a_warning_ends_below_where_it_began(percents: list[int]) -> None:
    answer: Answer | None = None
    warned = False
    for percent in percents:
        warned = percent >= (80 if warned else 90)
        answer = _judged(look(usages=(Usage(percent, 100),)), before=answer)
        assert (answer.reason == DatabaseAnswer.CONNECTIONS_USED) == warned


@pytest.mark.parametrize(
    ("looks", "doubtful"),
    [
        ((look(), standby()), False),
        ((look(),), False),
        ((look(), silent("db-1:5432")), False),
        ((silent(), standby()), False),
        ((look(), look("db-1:5432")), True),
        ((look(), standby(streaming=False)), True),
        ((look(), standby(position=0, replay_age_seconds=3600)), True),
    ],
)
def test_what_may_be_of_a_moment_is_looked_at_once_more(looks: tuple[HostLook, ...], doubtful: bool) -> None:
    assert is_doubtful(looks, _judged(*looks)) == doubtful
