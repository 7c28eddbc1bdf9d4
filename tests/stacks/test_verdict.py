"""The judge of the fault tests can find what it looks for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stacks.machines import stream, verdict
from tests.stacks.machines.stream import Answer, Attempt

if TYPE_CHECKING:
    from pathlib import Path


def _attempt(number: int, began: float, ended: float, server: str | None = "a", timeline: int = 1) -> Attempt:
    answer = None if server is None else Answer(server, timeline)
    return Attempt("any", number, began, ended, answer, "" if answer else "refused")


def test_what_was_acknowledged_and_is_not_there_is_lost() -> None:
    attempts = [_attempt(1, 0, 1), _attempt(2, 1, 2), _attempt(3, 2, 3, server=None), _attempt(4, 3, 4, server=None)]
    found = verdict.judged(attempts, [("any", 1), ("any", 3), ("any", 1)])
    assert (found.acknowledged, found.lost, found.doubled, found.unasked) == (2, [("any", 2)], [("any", 1)], 1)


def test_an_old_primary_that_still_acknowledges_is_found() -> None:
    before, after = _attempt(1, 0, 1), _attempt(2, 2, 3, "b", 2)
    late = _attempt(3, 3.5, 4, "a", 1)
    assert verdict.two_primaries([before, after, late]) == [(after, late)]


def test_an_answer_that_was_on_its_way_is_no_second_primary() -> None:
    assert verdict.two_primaries([_attempt(1, 0, 5, "a", 1), _attempt(2, 2, 3, "b", 2)]) == []


def test_two_servers_on_one_timeline_are_found() -> None:
    assert len(verdict.two_primaries([_attempt(1, 0, 1, "a", 1), _attempt(2, 2, 3, "b", 1)])) == 1


@given(st.lists(st.tuples(st.floats(0.01, 5), st.booleans()), max_size=40))
def test_one_primary_after_the_other_is_never_two(steps: list[tuple[float, bool]]) -> None:
    now, timeline, attempts = 0.0, 1, []
    for number, (took, promoted) in enumerate(steps):
        timeline += promoted
        attempts.append(_attempt(number, now, now + took, f"server-{timeline % 2}", timeline))
        now += took + 0.001
    assert verdict.two_primaries(attempts) == []


def test_answers_that_do_not_tell_who_gave_them_show_no_two_primaries() -> None:
    through_frost = Attempt("any", 2, 1.5, 2, Answer("", 0), "")
    assert verdict.two_primaries([_attempt(1, 0, 1, "a", 2), through_frost, _attempt(3, 3, 4, "a", 2)]) == []


def test_a_promotion_is_the_first_answer_of_another_timeline() -> None:
    before, after = _attempt(1, 0, 1), _attempt(2, 5, 6, "b", 2)
    late = _attempt(3, 7, 8, "a", 3)
    assert verdict.promotion([late, after, before, _attempt(4, 2, 3, server=None)], since=2) == 4
    assert verdict.promotion([before, _attempt(2, 5, 6)], since=2) is None


def test_silence_is_the_longest_time_without_an_answer_after_a_moment() -> None:
    attempts = [_attempt(1, 0, 1), _attempt(2, 1, 9, server=None), _attempt(3, 9, 10), _attempt(4, 11, 12)]
    assert verdict.silence(attempts, since=4) == 6
    assert verdict.silence(attempts, since=11.5) == 0.5
    assert verdict.silence(attempts, since=20) == float("inf")


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    async def write(number: int) -> Answer:
        if number % 2:
            raise OSError("no route")
        stop.set()
        return Answer("10.0.0.1", 3)

    stop = asyncio.Event()
    path = tmp_path / "records"

    async def run() -> None:
        with path.open("w") as output:
            await stream.streams([("any", write, 0.0)], output, stop)

    asyncio.run(run())
    with path.open("a") as output:
        output.write('{"writer": "any", "num')
    records = stream.Records(path)
    first, second = records.read()
    assert (first.answer, first.error) == (None, "OSError: no route")
    assert (second.number, second.answer) == (2, Answer("10.0.0.1", 3))
    with path.open("a") as output:
        output.write(f'ber": {Attempt("any", 3, 0, 1, None, "").line().partition("number")[2][3:]}\n')
    assert [each.number for each in records.read()] == [1, 2, 3]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(min_value=0, max_value=200), max_size=8))
def test_records_are_read_once_however_they_come(tmp_path: Path, cuts: list[int]) -> None:
    whole = "".join(Attempt("any", number, 0, 1, None, "é").line() + "\n" for number in range(3)).encode()
    path, seen = tmp_path / "records", 0
    path.write_bytes(b"")
    records = stream.Records(path)
    for cut in [*sorted(cuts), len(whole)]:
        path.write_bytes(whole[: max(cut, 0)])
        found = [each.number for each in records.read()]
        assert found == list(range(len(found)))
        assert len(found) >= seen
        seen = len(found)
    assert seen == 3
