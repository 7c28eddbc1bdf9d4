"""What the edge's benchmark counts, and how it is drawn."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.edge import picture
from benchmarks.edge.changes import Noticed
from benchmarks.edge.client import Poster, Told, gains
from benchmarks.edge.pods import Pods, used
from benchmarks.edge.step import _MILLICORES, Step, target


class _Answer:
    def __init__(self, status: int) -> None:
        self.status = status

    async def __aenter__(self) -> "_Answer":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def text(self) -> str:
        return "told"


class _Session:
    """Takes every other Observation."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    def post(self, _: str, *, json: dict[str, int]) -> _Answer:
        self.sent.append(json["result"])
        return _Answer(201 if json["result"] % 2 == 0 else 503)


def _poster() -> tuple[Poster, _Session]:
    session = _Session()
    return Poster(cast("Any", session), cast("Any", "http://there/v1.1"), "Datastreams(1)"), session


async def test_an_open_loop_tells_what_was_sent_and_what_was_taken() -> None:
    client, session = _poster()
    await client.post()
    turns = iter([True] * 10 + [False])
    sent = await client.paced(1000, lambda: next(turns))
    assert sent == range(1, 11)
    assert session.sent == list(range(11))
    assert set(client.acknowledged) == {0, 2, 4, 6, 8, 10}
    assert [failure.partition(": ")[2] for failure in client.failed] == ["503 told"] * 5


def _pods(*ready: tuple[float, int]) -> Pods:
    pods = Pods(cast("Any", None), begun=100.0)
    pods.ready["http"] += ready
    pods.ready["mqtt"] += ready
    return pods


@given(st.lists(st.integers(1, 3), min_size=2, max_size=30))
def test_a_count_is_told_from_when_it_became_so(counts: list[int]) -> None:
    pods = _pods(*((float(second), count) for second, count in enumerate(counts)))
    added = pods.since("http", 2, 0.0)
    changes = [second for second in range(1, len(counts)) if counts[second] == 2 != counts[second - 1]]
    assert added == (changes[0] if changes else None), "two that were there already were not added"


def test_a_step_is_drawn_the_same_each_time(tmp_path: Path) -> None:
    client, _ = _poster()
    client.begun = [100.0, 101.0, 106.0]
    client.acknowledged = {0: 100.1, 1: 101.1, 2: 106.1}
    told = Told(arrived={0: 100.2, 1: 101.3, 2: 106.4})
    step = Step(5.0, 6.0, 7.0, _pods((0.0, 1), (6.0, 2)), client, [told], {"http": 50, "mqtt": 20}, 0)
    one, other = tmp_path / "one.svg", tmp_path / "other.svg"
    picture.draw(step, one)
    picture.draw(step, other)
    assert one.read_bytes() == other.read_bytes()
    assert "acknowledged" in one.read_text()
    assert step.untold() == [0]


def test_what_was_noticed_is_told_in_numbers() -> None:
    noticed = Noticed("renewal", 21.0, sent=700, failed=["503 gone"], missing=0, untold=2, lost=1, silence=3.21)
    assert "700 POSTs, 1 failed ['503 gone']" in str(noticed)
    assert "connection ended 1 times, 2 acknowledged not told to it, 3.2 s of silence" in str(noticed)


def test_what_a_subscriber_missed_counts_from_the_first_that_came() -> None:
    client, _ = _poster()
    client.acknowledged = {number: float(number) for number in range(6)}
    told = Told(arrived={2: 2.5, 3: 3.5, 5: 7.5})
    assert told.missed(client) == [4]
    assert told.silence() == 4.0
    assert Told().missed(client) == [0, 1, 2, 3, 4, 5]


@given(st.lists(st.floats(1, 1000), min_size=4, max_size=20))
def test_a_rate_that_stands_is_warm(rates: list[float]) -> None:
    assert gains(rates) == any(rate > 1.05 * max(rates[:-2]) for rate in rates[-2:])
    assert not gains([*rates, max(rates), max(rates)])


@given(st.floats(0.02, 0.09), st.floats(1.6, 2))
def test_a_target_lets_a_part_be_scaled_out_and_in_again(low: float, more: float) -> None:
    high, asked = low * more, _MILLICORES / 1000
    held = target(low, high) / 100 * asked
    rounded = 0.01 * asked
    assert high > 1.1 * (held - rounded), "one pod is not enough"
    assert (3 * low - high) / 2 < 0.5 * (held + rounded), "two are too many"


def test_what_pods_use_is_told_for_each_module() -> None:
    def pod(container: str, cpu: str) -> dict[str, Any]:
        return {"containers": [{"name": container, "usage": {"cpu": cpu}}, {"name": "tls", "usage": {"cpu": "7m"}}]}

    measured = [pod("frost-http", "100m"), pod("frost-http", "300000000n")]
    service = SimpleNamespace(namespace="city", kubernetes=SimpleNamespace(items=lambda _: measured))
    assert used(cast("Any", service)) == {"http": pytest.approx(0.2)}
