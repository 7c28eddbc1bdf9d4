"""Databases with several servers, asked beside the passes: what counts, what wakes, and how often."""

import asyncio
from collections.abc import Callable

import pytest

from sensorthings_operator.clients.database import Credentials
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.conditions.databasehosts import HostLook, Limits, Replication, ReplicationReason, Role
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired.addresses import DatabaseAddress
from sensorthings_operator.observe.databases import Target, database_probes, last_database_answer
from sensorthings_operator.observe.probes import Probes
from tests.unit.operator.samples import body, look, standby
from tests.unit.operator.test_probes import ADDRESS, KEY, TARGET, FakeDatabase
from tests.unit.operator.virtual_time import on_virtual_time


def _probes(database: FakeDatabase, woken: Callable[[ServiceKey], None]) -> Probes[Target]:
    return database_probes(database, changed=woken, interval_seconds=30)


_PAIR = (look(position=2000), standby("db-1:5433", position=2000))
_LATE = (look(position=2000), standby("db-1:5433", position=1000, replay_age_seconds=3600))
_READ = Target(ADDRESS, Credentials("frost", "one"), Limits(), is_read=True)


class ScriptedDatabase(FakeDatabase):
    """Answers one after the other, and the last one for ever."""

    def __init__(self, *answers: tuple[HostLook, ...]) -> None:
        super().__init__()
        self.answers = list(answers)

    async def __call__(self, address: DatabaseAddress, credentials: Credentials) -> tuple[HostLook, ...]:
        self.answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await super().__call__(address, credentials)


def _reads_at_primary(answer: Answer | None) -> bool:
    assert answer is not None
    assert answer.replication is not None
    return answer.replication.reads_at_primary


@on_virtual_time
async def test_what_may_be_of_a_moment_counts_once_it_was_seen_twice() -> None:
    caught_up = (look(position=2100), standby("db-1:5433", position=2050, replay_age_seconds=0.1))
    for first, second, at_primary, reason in (
        (_LATE, _LATE, True, "DatabaseAnswers"),
        (_LATE, caught_up, False, "DatabaseAnswers"),
        ((look(), look("db-1:5433")), _PAIR, False, "DatabaseAnswers"),
        ((look(), look("db-1:5433")), (look(), look("db-1:5433")), False, "TwoPrimaries"),
    ):
        database, woken = ScriptedDatabase(first, second), list[ServiceKey]()
        probes = _probes(database, woken.append)
        probes.watch(KEY, TARGET)
        await asyncio.sleep(1.1)
        assert database.asked[1] - database.asked[0] == pytest.approx(1)
        assert woken == [KEY], "the first look is told to nobody"
        answer = probes.answer(KEY)
        assert answer is not None
        assert (answer.reason, _reads_at_primary(answer)) == (reason, at_primary)
        await probes.close()


@on_virtual_time
async def test_a_transaction_after_an_idle_hour_does_not_drive_reads_away() -> None:
    """The standby replayed its last one an hour ago, and reaches where the primary was within the second."""
    reached = (look(position=3000), standby("db-1:5433", position=2000, replay_age_seconds=3601))
    database = ScriptedDatabase(_LATE, reached)
    probes = _probes(database, lambda _: None)
    probes.watch(KEY, TARGET)
    await asyncio.sleep(1.1)
    answer = probes.answer(KEY)
    assert not _reads_at_primary(answer)
    assert answer is not None
    lag = answer.hosts[1].lag
    assert lag is not None
    assert lag.seconds == 1
    await probes.close()


@on_virtual_time
async def test_figures_are_kept_though_they_wake_nobody() -> None:
    database, woken = ScriptedDatabase((look(size_bytes=1),), (look(size_bytes=2),)), list[ServiceKey]()
    probes = _probes(database, woken.append)
    probes.watch(KEY, TARGET)
    await asyncio.sleep(100)
    assert woken == [KEY]
    answer = probes.answer(KEY)
    assert answer is not None
    assert answer.hosts[0].look.size_bytes == 2
    await probes.close()


@on_virtual_time
async def test_a_surprise_leaves_reads_where_they_are() -> None:
    database = ScriptedDatabase(_LATE)
    probes = _probes(database, lambda _: None)
    probes.watch(KEY, TARGET)
    await asyncio.sleep(2)
    database.answers = [ValueError("what?")]  # type: ignore[list-item]
    await asyncio.sleep(40)
    answer = probes.answer(KEY)
    assert answer is not None
    assert not answer.holds
    assert _reads_at_primary(answer)
    await probes.close()


@on_virtual_time
async def test_those_that_are_read_from_have_turns_of_their_own() -> None:
    read, others = FakeDatabase(), 300
    read.answer = _PAIR
    probes = _probes(read, lambda _: None)
    for number in range(others):
        probes.watch(("hamburg", str(number)), Target(ADDRESS, Credentials("frost", "other")))
    probes.watch(KEY, _READ)
    await asyncio.sleep(1)
    before = len([each for each in read.passwords if each == "one"])
    await asyncio.sleep(300)
    asked = len([each for each in read.passwords if each == "one"]) - before
    assert 8 <= asked <= 13, "each 30 s, however many others there are"
    await probes.close()


@on_virtual_time
async def test_many_that_are_read_from_are_asked_five_a_second_at_most() -> None:
    database = FakeDatabase()
    database.answer = _PAIR
    probes = _probes(database, lambda _: None)
    for number in range(300):
        probes.watch(("hamburg", str(number)), _READ)
    await asyncio.sleep(1)
    before = len(database.asked)
    await asyncio.sleep(600)
    assert 2500 <= len(database.asked) - before <= 3700
    await probes.close()


@on_virtual_time
async def test_what_is_no_longer_read_from_makes_nobody_wait() -> None:
    database = FakeDatabase()
    database.answer = _PAIR
    probes = _probes(database, lambda _: None)
    for target in (_READ, Target(ADDRESS, Credentials("frost", "other"))):
        for number in range(300):
            probes.watch(("hamburg", str(number)), target)
    probes.watch(KEY, _READ)
    await asyncio.sleep(100)
    before = database.passwords.count("one")
    await asyncio.sleep(600)
    assert 17 <= database.passwords.count("one") - before <= 25, "each 30 s"
    await probes.close()


def test_replication_and_where_reads_go_are_read_from_the_status() -> None:
    conditions = [
        {"type": "DatabaseReachable", "status": "True", "reason": "DatabaseAnswers", "message": "told"},
        {"type": "DatabaseReplicated", "status": "False", "reason": "StandbyLagging", "message": "late"},
        {"type": "ReadsAvailable", "status": "True", "reason": "ReadsAtPrimary", "message": "there"},
    ]
    hosts = [{"host": "db-0:5432", "role": "primary"}, {"host": "db-1:5433", "role": "standby"}]
    live = {**body(), "status": {"conditions": conditions, "database": {"primary": "db-0:5432", "hosts": hosts}}}
    answer = last_database_answer(live)
    assert answer is not None
    assert answer.replication == Replication(
        ReplicationReason.LAGGING,
        "late",
        (("db-0:5432", Role.PRIMARY), ("db-1:5433", Role.STANDBY)),
        reads_at_primary=True,
    )
    del conditions[1:]
    answer = last_database_answer(live)
    assert answer is not None
    assert answer.replication is None
