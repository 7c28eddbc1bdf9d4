"""Databases are asked beside the passes; only a changed answer wakes one."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

from sensorthings_operator.clients.database import Credentials, DatabaseAnswer
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired.addresses import DatabaseAddress, database_address
from sensorthings_operator.observe.databases import Target, database_probes, last_database_answer
from sensorthings_operator.observe.probes import Probes
from tests.unit.operator.samples import EXTERNAL, SETTINGS, body, service
from tests.unit.operator.virtual_time import on_virtual_time

KEY: ServiceKey = ("hamburg", "air")
ADDRESS = database_address(service(EXTERNAL), SETTINGS)
TARGET = Target(ADDRESS, Credentials("frost", "one"))
REACHABLE = (DatabaseAnswer.REACHABLE, "it answers")
UNREACHABLE = (DatabaseAnswer.UNREACHABLE, "it does not")


class FakeDatabase:
    """Answers what it is told to, after a while."""

    def __init__(self) -> None:
        self.answer: tuple[DatabaseAnswer, str] | Exception = REACHABLE
        self.seconds = 0.0
        self.asked: list[float] = []
        self.running = 0
        self.most = 0
        self.passwords: list[str] = []

    async def __call__(self, _: DatabaseAddress, credentials: Credentials, __: int) -> tuple[DatabaseAnswer, str]:
        self.asked.append(asyncio.get_running_loop().time())
        self.passwords.append(credentials.password)
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self.seconds)
        self.running -= 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _probes(database: FakeDatabase, woken: Callable[[ServiceKey], None], concurrency: int = 8) -> Probes[Target]:
    return database_probes(database, changed=woken, interval_seconds=30, concurrency=concurrency)


@on_virtual_time
async def test_only_a_changed_answer_wakes() -> None:
    database, woken = FakeDatabase(), list[ServiceKey]()
    probes = _probes(database, woken.append)
    assert probes.watch(KEY, TARGET) is None
    assert probes.asks(KEY)
    await asyncio.sleep(300)
    assert woken == [KEY]
    assert 8 <= len(database.asked) <= 14, "every 30 s, more or less"
    assert probes.watch(KEY, TARGET) == Answer(True, "DatabaseAnswers", "it answers")

    database.answer = UNREACHABLE
    before = len(database.asked)
    await asyncio.sleep(40)
    assert woken == [KEY, KEY]
    assert database.asked[before + 1] - database.asked[before] < 0.4, "one that went is asked again soon"
    database.answer = REACHABLE
    await asyncio.sleep(20)
    assert len(woken) == 3
    await probes.close()


@on_virtual_time
async def test_many_that_began_together_are_spread_and_none_waits_longer_than_a_turn() -> None:
    asked = defaultdict[int, list[float]](list)

    async def ask(number: int) -> Answer:
        asked[number].append(asyncio.get_running_loop().time())
        return Answer(holds=True, reason="", message="")

    probes = Probes(ask, surprised="", changed=lambda _: None, interval_seconds=300)
    for number in range(100):
        probes.watch(("hamburg", str(number)), number)
    await asyncio.sleep(1000)
    assert all(after - before < 300.1 for times in asked.values() for before, after in pairwise(times))
    minutes = [sum(60 * m <= at < 60 * (m + 1) for times in asked.values() for at in times) for m in range(5, 10)]
    assert 98 <= sum(minutes) <= 102
    assert min(minutes) >= 4, "a fifth of them, give or take"
    for _ in range(3):
        before = len(asked[7])
        probes.ask_now(("hamburg", "7"))
        await asyncio.sleep(0.1)
        assert len(asked[7]) == before + 1
    probes.ask_now(("hamburg", "nobody"))
    await probes.close()


@on_virtual_time
async def test_a_database_that_never_answers_is_asked_more_and_more_rarely() -> None:
    database = FakeDatabase()
    database.answer = UNREACHABLE
    probes = _probes(database, lambda _: None)
    probes.watch(KEY, TARGET)
    await asyncio.sleep(600)
    assert 35 <= len(database.asked) <= 65
    await probes.close()


@on_virtual_time
async def test_another_password_is_another_question() -> None:
    database, woken = FakeDatabase(), list[ServiceKey]()
    probes = _probes(database, woken.append)
    probes.watch(KEY, TARGET)
    await asyncio.sleep(1)
    other = Target(ADDRESS, Credentials("frost", "two"))
    assert probes.watch(KEY, other) is None, "the old answer is not the new one's"
    await asyncio.sleep(1)
    assert database.passwords == ["one", "two"]
    assert woken == [KEY, KEY]
    await probes.close()


@on_virtual_time
async def test_what_is_forgotten_is_not_asked() -> None:
    database, woken = FakeDatabase(), list[ServiceKey]()
    database.seconds = 5
    probes = _probes(database, woken.append)
    probes.watch(KEY, TARGET)
    await asyncio.sleep(1)
    probes.forget(KEY)
    probes.forget(KEY)
    await asyncio.sleep(300)
    assert len(database.asked) == 1
    assert woken == []
    assert not probes.asks(KEY)


@on_virtual_time
async def test_few_are_asked_at_a_time() -> None:
    database = FakeDatabase()
    database.seconds = 5
    probes = _probes(database, lambda _: None, concurrency=3)
    for number in range(12):
        probes.watch(("hamburg", str(number)), TARGET)
    await asyncio.sleep(21)
    assert database.most == 3
    assert len(database.asked) >= 12
    await probes.close()


@on_virtual_time
async def test_many_that_are_well_are_asked_one_every_two_seconds() -> None:
    database = FakeDatabase()
    probes = _probes(database, lambda _: None)
    for number in range(300):
        probes.watch(("hamburg", str(number)), TARGET)
    await asyncio.sleep(1)
    asked = len(database.asked)
    assert 300 <= asked <= 306, "what is not known is asked at once, and one or two have their turn already"
    await asyncio.sleep(3000)
    assert 1490 <= len(database.asked) - asked <= 1510
    await probes.close()


@on_virtual_time
async def test_after_a_start_those_that_were_well_wait_for_their_turn() -> None:
    database = FakeDatabase()
    probes = _probes(database, lambda _: None)
    before = Answer(True, "DatabaseAnswers", "told before")
    for number in range(300):
        assert probes.watch(("hamburg", str(number)), TARGET, known=before) is None
    await asyncio.sleep(200)
    assert 60 <= len(database.asked) <= 140
    await asyncio.sleep(401)
    assert len(database.asked) >= 300, "each has had its turn"
    await probes.close()


@on_virtual_time
async def test_what_was_not_well_before_the_start_is_asked_at_once() -> None:
    database = FakeDatabase()
    probes = _probes(database, lambda _: None)
    probes.watch(KEY, TARGET, known=Answer(False, "DatabaseUnreachable", "told before"))
    await asyncio.sleep(0.1)
    assert len(database.asked) == 1
    await probes.close()


@on_virtual_time
async def test_another_password_does_not_wait_for_its_turn() -> None:
    database = FakeDatabase()
    probes = _probes(database, lambda _: None)
    before = Answer(True, "DatabaseAnswers", "told before")
    probes.watch(KEY, TARGET, known=before)
    probes.watch(KEY, Target(ADDRESS, Credentials("frost", "two")), known=before)
    await asyncio.sleep(0.1)
    assert database.passwords == ["two"]
    await probes.close()


@on_virtual_time
async def test_one_in_doubt_is_asked_now_and_not_again_and_again() -> None:
    database = FakeDatabase()
    probes = _probes(database, lambda _: None)
    probes.watch(KEY, TARGET, known=Answer(True, "DatabaseAnswers", "told before"))
    for _ in range(100):
        probes.doubt(KEY)
        await asyncio.sleep(0.1)
    assert len(database.asked) == 1
    await asyncio.sleep(100)
    asked = len(database.asked)
    await asyncio.sleep(31)
    for _ in range(10):
        probes.doubt(KEY)
        await asyncio.sleep(0.01)
    assert len(database.asked) <= asked + 2
    probes.doubt(("hamburg", "nobody"))
    await probes.close()


@on_virtual_time
async def test_a_surprise_of_the_driver_is_an_answer_without_its_text() -> None:
    database = FakeDatabase()
    database.answer = ValueError("password=one")
    probes = _probes(database, lambda _: None)
    probes.watch(KEY, TARGET)
    await asyncio.sleep(0.1)
    answer = probes.watch(KEY, TARGET)
    assert answer == Answer(False, "DatabaseUnreachable", "asking failed: ValueError")
    database.answer = REACHABLE
    await asyncio.sleep(5)
    answer = probes.watch(KEY, TARGET)
    assert answer is not None
    assert answer.holds, "and the probing goes on"
    await probes.close()


def _status(reason: str, status: str = "True") -> dict[str, object]:
    condition = {"type": "DatabaseReachable", "status": status, "reason": reason, "message": "told before"}
    return {**body(), "status": {"conditions": [condition]}}


def test_the_last_database_answer_is_read_from_the_status() -> None:
    assert last_database_answer(body()) is None
    assert last_database_answer(_status("DatabaseAnswers")) == Answer(True, "DatabaseAnswers", "told before")
    unreachable = last_database_answer(_status("DatabaseUnreachable", "False"))
    assert unreachable == Answer(False, "DatabaseUnreachable", "told before")


def test_what_was_no_answer_is_none() -> None:
    for reason in ("DatabaseNotAsked", "SecretUnusable", "Hibernated", "DatabaseStarting"):
        assert last_database_answer(_status(reason, "False")) is None


@on_virtual_time
async def test_a_database_with_few_connections_works_all_the_same() -> None:
    database = FakeDatabase()
    database.answer = (DatabaseAnswer.FEW_CONNECTIONS, "it takes 10")
    probes = _probes(database, lambda _: None)
    probes.watch(KEY, TARGET)
    await asyncio.sleep(1)
    assert probes.watch(KEY, TARGET) == Answer(True, "DatabaseConnectionsFew", "it takes 10")
