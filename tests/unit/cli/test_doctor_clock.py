"""How far another clock is ahead: what was measured holds the truth, however long the answer took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.cli.doctor.clock import Offset, parse_date, span

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

seconds = st.floats(min_value=-1e6, max_value=1e6).map(lambda value: round(value, 3))
durations = st.floats(min_value=0, max_value=60).map(lambda value: round(value, 3))


@given(truth=seconds, going=durations, coming=durations, start=durations)
def test_the_truth_is_within_what_was_measured(truth: float, going: float, coming: float, start: float) -> None:
    sent = NOW + timedelta(seconds=start)
    answered = sent + timedelta(seconds=going)
    received = answered + timedelta(seconds=coming)
    shown = (answered + timedelta(seconds=truth)).replace(microsecond=0)
    offset = Offset.of(shown, sent=sent, received=received)
    assert offset.least <= truth <= offset.most
    assert abs(offset.certain) <= abs(truth)
    assert offset.certain * truth >= 0


@given(one=seconds, other=seconds, width=durations)
def test_two_clocks_are_compared_by_way_of_this_one(one: float, other: float, width: float) -> None:
    apart = Offset(one, one + width).against(Offset(other, other + width))
    assert apart.least <= one - other <= apart.most
    assert apart.most - apart.least == pytest.approx(2 * width, abs=1e-6)


def test_what_the_other_clock_shows() -> None:
    assert Offset(59, 61).there(NOW) == NOW + timedelta(seconds=60)


@given(at=st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 1, 1)))
def test_a_date_header_is_read(at: datetime) -> None:
    there = at.replace(tzinfo=UTC, microsecond=0)
    assert parse_date(format_datetime(there, usegmt=True)) == there


@given(text=st.text(max_size=40))
def test_any_other_header_is_no_date_or_one_with_a_zone(text: str) -> None:
    parsed = parse_date(text)
    assert parsed is None or parsed.tzinfo is not None


@pytest.mark.parametrize(
    ("length", "words"),
    [(0, "0 s"), (-45, "45 s"), (599, "599 s"), (600, "10 min"), (7200, "2 h"), (200_000, "2 days")],
)
def test_a_span_in_words(length: float, words: str) -> None:
    assert span(length) == words
