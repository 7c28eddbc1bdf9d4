"""The queue: one pass at a time for each service, no wake-up lost, nobody kept waiting by those that fail."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.workqueue import WorkQueue, backoff_seconds
from tests.unit.operator.virtual_time import on_virtual_time, run, until

A: ServiceKey = ("hamburg", "a")
B: ServiceKey = ("hamburg", "b")


async def _ignore(_key: ServiceKey, _error: Exception, _failures: int) -> None:
    """Nobody is told."""


@asynccontextmanager
async def working(
    reconcile: Callable[[ServiceKey], Awaitable[float | None]], *, workers: int = 4
) -> AsyncIterator[WorkQueue]:
    """A queue with its workers."""
    queue = WorkQueue(reconcile, failed=_ignore)
    tasks = [asyncio.create_task(queue.work()) for _ in range(workers)]
    try:
        yield queue
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Passes:
    """Counts passes, and notices two of one service at once."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.done: Counter[ServiceKey] = Counter()
        self.running: set[ServiceKey] = set()
        self.most = 0

    async def __call__(self, key: ServiceKey) -> float | None:
        assert key not in self.running, "two passes of one service at once"
        self.running.add(key)
        self.most = max(self.most, len(self.running))
        await asyncio.sleep(self.seconds)
        self.running.discard(key)
        self.done[key] += 1
        return None


@on_virtual_time
async def test_wakes_before_a_pass_are_one_pass_and_wakes_during_it_one_more() -> None:
    passes = Passes()
    async with working(passes) as queue:
        for _ in range(5):
            queue.add(A)
        await asyncio.sleep(0.5)
        for _ in range(5):
            queue.add(A)
        await asyncio.sleep(10)
    assert passes.done[A] == 2


@on_virtual_time
async def test_services_are_worked_on_side_by_side_but_not_more_than_there_are_workers() -> None:
    passes = Passes()
    async with working(passes, workers=3) as queue:
        for number in range(9):
            queue.add(("hamburg", str(number)))
        await asyncio.sleep(3.5)
    assert passes.most == 3
    assert sum(passes.done.values()) == 9


_WAKES = st.lists(st.tuples(st.sampled_from([A, B, ("x", "c")]), st.integers(0, 20_000)), max_size=25)
"""Services and when they are woken, in milliseconds."""


@given(_WAKES, st.floats(0.01, 3), st.integers(1, 4))
def test_no_wake_is_lost(wakes: list[tuple[ServiceKey, int]], seconds: float, workers: int) -> None:
    """After the last wake of a service there is a whole pass of it."""
    began: dict[ServiceKey, float] = {}

    async def main() -> None:
        clock = asyncio.get_running_loop()

        async def reconcile(key: ServiceKey) -> None:
            started = clock.time()
            await asyncio.sleep(seconds)
            began[key] = started

        async with working(reconcile, workers=workers) as queue:
            for key, at in wakes:
                clock.call_at(at / 1000, queue.add, key)
            await asyncio.sleep(20 + (len(wakes) + 2) * seconds * 2)

    run(main())
    for key, at in wakes:
        assert began[key] >= at / 1000 - 1e-6


@on_virtual_time
async def test_a_failing_service_comes_back_later_and_later_and_delays_nobody() -> None:
    tried: list[float] = []
    passes = Passes(0.0)

    async def reconcile(key: ServiceKey) -> float | None:
        if key == A:
            tried.append(asyncio.get_running_loop().time())
            raise OSError
        return await passes(key)

    async with working(reconcile, workers=1) as queue:
        queue.add(A)
        for _ in range(100):
            queue.add(B)
            await asyncio.sleep(1)
        assert passes.done[B] == 100
        await asyncio.sleep(3000)
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert pauses[0] <= 0.5
    assert all(later > earlier for earlier, later in zip(pauses[:8:2], pauses[2:8:2], strict=False))
    assert max(pauses) <= 300
    assert len(tried) < 30


@on_virtual_time
async def test_a_success_forgets_the_failures() -> None:
    fails = True
    tried = 0

    async def reconcile(_: ServiceKey) -> None:
        nonlocal tried
        tried += 1
        if fails:
            raise OSError

    async with working(reconcile) as queue:
        queue.add(A)
        await asyncio.sleep(60)
        fails = False
        await asyncio.sleep(300)
        fails, before = True, tried
        queue.add(A)
        await asyncio.sleep(0.6)
        assert tried >= before + 2, "the first retry comes as soon as the first one ever"


@on_virtual_time
async def test_a_pass_may_ask_for_another_one_and_a_wake_brings_it_forward() -> None:
    times: list[float] = []

    async def reconcile(_: ServiceKey) -> float | None:
        times.append(asyncio.get_running_loop().time())
        return 30.0 if len(times) < 3 else None

    async with working(reconcile) as queue:
        queue.add(A)
        await asyncio.sleep(40)
        queue.add(A)
        await asyncio.sleep(1000)
    assert times == [0, 30, 40], "and the one asked for before is not made besides"


@on_virtual_time
async def test_draining_finishes_what_runs_and_begins_nothing() -> None:
    passes = Passes(5.0)
    async with working(passes, workers=2) as queue:
        for number in range(5):
            queue.add(("hamburg", str(number)))
        await asyncio.sleep(1)
        await until(queue.drain(60))
        assert asyncio.get_running_loop().time() == 5
        await asyncio.sleep(100)
    assert sum(passes.done.values()) == 2


@on_virtual_time
async def test_draining_gives_up_at_its_deadline() -> None:
    async with working(Passes(1000)) as queue:
        queue.add(A)
        await asyncio.sleep(1)
        await until(queue.drain(10))
        assert asyncio.get_running_loop().time() == 11


@given(st.integers(1, 10_000))
def test_back_off_doubles_up_to_five_minutes_with_half_of_it_at_random(failures: int) -> None:
    longest = min(0.5 * 2 ** (failures - 1), 300) if failures < 40 else 300
    assert longest / 2 <= backoff_seconds(failures) <= longest
