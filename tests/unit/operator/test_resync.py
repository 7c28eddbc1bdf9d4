"""How far apart the passes are that nothing asked for: all services in an interval, but two a second at most."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.controller import resync_pause_seconds


@pytest.mark.parametrize(
    ("services", "pause"), [(0, 300.0), (1, 300.0), (30, 10.0), (600, 0.5), (601, 0.5), (1_000, 0.5), (100_000, 0.5)]
)
def test_the_default_interval(services: int, pause: float) -> None:
    assert resync_pause_seconds(300, services) == pause


@given(st.integers(10, 86_400), st.integers(1, 100_000))
def test_a_round_is_the_interval_or_half_a_second_for_each(interval: int, services: int) -> None:
    pause = resync_pause_seconds(interval, services)
    assert pause >= 0.5
    assert pause * services == pytest.approx(max(interval, services / 2))
