"""Figures of benchmarks are durations that were measured, and the line that tells them says what was met."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.fleet.measuring import spread
from benchmarks.report import bench_line


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=300))
def test_quantiles_are_measured_durations(durations: list[float]) -> None:
    found = spread(durations)
    assert {found.p50, found.p99} <= set(durations)
    assert found.p50 == statistics.median_low(durations)
    assert sum(duration > found.p99 for duration in durations) <= len(durations) / 100
    assert found.count == len(durations)


@pytest.mark.parametrize(
    ("value", "floor", "told"),
    [
        (2.0, 1.0, "value=2.00 unit=s floor=1.00 ratio=2.00 goal=2 ok=true"),
        (2.1, 1.0, "value=2.10 unit=s floor=1.00 ratio=2.10 goal=2 ok=false"),
        (2.0, None, "value=2.00 unit=s goal=2 ok=true"),
        (2.1, None, "value=2.10 unit=s goal=2 ok=false"),
    ],
)
def test_the_line_says_whether_the_goal_is_met(value: float, floor: float | None, told: str) -> None:
    assert bench_line("x", value, "s", floor=floor, goal=2) == f"BENCH name=x {told}"
