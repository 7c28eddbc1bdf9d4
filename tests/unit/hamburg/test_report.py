"""Matching what was acknowledged with what was delivered, and the latencies' quantiles."""

from __future__ import annotations

import dataclasses
import statistics
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from traffic_lights.report import Delivery, Quantiles, Received, Report, Sent, match, remarks, table

latencies = st.lists(st.floats(0, 100), min_size=1, max_size=300)
runs = st.integers(0, 60).flatmap(
    lambda number: st.tuples(
        st.just({n: Sent(f"topic-{n % 3}", n % 4, n / 10) for n in range(number)}),
        st.sets(st.integers(0, max(number - 1, 0))) if number else st.just(set()),
        st.lists(st.integers(0, max(number - 1, 0))) if number else st.just([]),
    )
)


def received(sent: dict[int, Sent], numbers: list[int]) -> list[Received]:
    return [Received(n, sent[n].topic, sent[n].result, sent[n].began + 0.5 + i) for i, n in enumerate(numbers)]


@given(runs)
def test_every_message_and_every_acknowledgement_is_counted_once(
    run: tuple[dict[int, Sent], set[int], list[int]],
) -> None:
    sent, acknowledged, arrived = run
    delivery = match("mqtt://a", sent, acknowledged, received(sent, arrived))
    times = Counter(arrived)
    assert delivery.delivered == len(acknowledged & times.keys())
    assert delivery.missing == len(acknowledged - times.keys())
    assert delivery.unacknowledged == len(times.keys() - acknowledged)
    assert delivery.duplicates == sum(count - 1 for count in times.values())
    assert delivery.mismatched == 0
    assert delivery.delivered + delivery.unacknowledged + delivery.duplicates == len(arrived)


@given(runs, st.sampled_from(["sequence", "topic", "result"]))
def test_what_was_not_sent_so_delivers_nothing(run: tuple[dict[int, Sent], set[int], list[int]], wrong: str) -> None:
    sent, acknowledged, arrived = run
    bent = [
        Received(
            message.sequence + 1000 if wrong == "sequence" else message.sequence,
            "elsewhere" if wrong == "topic" else message.topic,
            "3" if wrong == "result" else message.result,
            message.arrived,
        )
        for message in received(sent, arrived)
    ]
    delivery = match("mqtt://a", sent, acknowledged, bent)
    assert delivery.mismatched == len(arrived)
    assert delivery.delivered == delivery.duplicates == delivery.unacknowledged == 0
    assert delivery.missing == len(acknowledged)


def test_latency_is_of_the_first_message() -> None:
    sent = {0: Sent("t", 1, 10.0)}
    messages = [Received(0, "t", 1, 10.25), Received(0, "t", 1, 99.0)]
    assert match("mqtt://a", sent, [0], messages).latency.max == 250.0


@given(latencies)
def test_quantiles_are_in_order_and_within_what_was_measured(seconds: list[float]) -> None:
    found = Quantiles.of(seconds)
    values = [found.p50, found.p90, found.p99, found.max]
    numbers = [value for value in values if value is not None]
    assert len(numbers) == 4
    assert numbers == sorted(numbers)
    assert abs(numbers[0] - statistics.median(seconds) * 1000) < 0.01
    assert abs(numbers[3] - max(seconds) * 1000) < 0.01
    assert numbers[0] >= min(seconds) * 1000 - 0.01


def test_quantiles_of_nothing() -> None:
    assert Quantiles.of([]) == Quantiles(None, None, None, None)


def report(**delivery: object) -> Report:
    nothing = Quantiles(None, None, None, None)
    given_delivery = {
        "mqtt": "mqtt://a", "delivered": 2, "missing": 0, "duplicates": 0, "mismatched": 0, "unacknowledged": 0,
        "latency": nothing, "lost": None, **delivery,
    }  # fmt: skip
    return Report(
        url="http://a/v1.1", datastreams=8, qos=1, asked=2.0, achieved=2.0, seconds=1.0, sent=2, acknowledged=2,
        failed={}, late=0.0, post=nothing, subscribers=(Delivery(**given_delivery),),  # type: ignore[arg-type]
    )  # fmt: skip


def test_exact_is_only_what_arrived_once() -> None:
    assert report().exact
    assert not report(missing=1).exact
    assert not report(duplicates=1).exact
    assert not report(mismatched=1).exact
    assert not dataclasses.replace(report(), sent=0, acknowledged=0).exact
    assert not dataclasses.replace(report(), acknowledged=1).exact


def test_table_and_remarks_show_what_went_wrong() -> None:
    console = Console(width=80)
    shown = report(missing=7, lost="The connection is lost", mismatched=3, unacknowledged=4)
    with console.capture() as capture:
        console.print(table(shown))
    assert " 7 " in capture.get()
    said = " ".join(remarks(shown))
    assert "The connection is lost" in said
    assert "3 messages are not what was sent" in said
    assert "4 Observations arrived without" in said
    assert remarks(report()) == []
