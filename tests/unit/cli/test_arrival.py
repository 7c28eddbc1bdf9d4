"""What is shown of a message, however odd it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.cli.arrival import Arrival, heading, instant, meaning
from sensorthings_operator.cli.sensorthings import Datastream, Unit
from sensorthings_operator.cli.subscription import Message

RECEIVED = datetime(2026, 3, 1, 12, 0, 0, 250000, tzinfo=UTC)
KEYS = [
    "received", "topic", "thing", "datastream", "datastreamId", "result", "unit",
    "phenomenonTime", "resultTime", "latencySeconds", "entity",
]  # fmt: skip

int64 = st.integers(-(2**63), 2**64 - 1)  # beyond, JSON is read as a float


def arrival(payload: Any, datastream: Datastream | None = None) -> Arrival:
    encoded = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Arrival.of(Message("v1.1/Datastreams(1)/Observations", encoded, 1.0, RECEIVED), datastream)


def datastream(**unit: str) -> Datastream:
    return Datastream.model_validate(
        {"@iot.id": 1, "name": "Signal K1", "unitOfMeasurement": unit, "Thing": {"@iot.id": 5, "name": "9001"}}
    )


def test_record_of_an_observation() -> None:
    payload = {"result": 3, "phenomenonTime": "2026-03-01T12:00:00Z", "resultTime": None}
    record = arrival(payload, datastream(symbol="°C")).record()
    assert list(record) == KEYS
    assert record == {
        "received": "2026-03-01T12:00:00.250Z",
        "topic": "v1.1/Datastreams(1)/Observations",
        "thing": "9001",
        "datastream": "Signal K1",
        "datastreamId": 1,
        "result": 3,
        "unit": "°C",
        "phenomenonTime": "2026-03-01T12:00:00Z",
        "resultTime": None,
        "latencySeconds": 0.25,
        "entity": payload,
    }


@given(st.binary())
def test_any_payload_has_a_line_and_the_same_keys(payload: bytes) -> None:
    shown = arrival(payload)
    assert list(shown.record()) == KEYS
    json.dumps(shown.record())
    assert "\n" not in shown.line().plain


@given(st.recursive(st.none() | st.booleans() | int64 | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_any_result_has_a_line(result: Any) -> None:
    shown = arrival({"result": result}, datastream(definition="0=dark,1=red"))
    assert shown.record()["result"] == result
    assert shown.line().plain.isprintable()


def test_nothing_that_is_published_controls_the_terminal() -> None:
    evil = "\x1b]0;title\x07\x1b[2J\nnext line"
    unit = {"symbol": evil}
    shown = arrival({"result": evil, "phenomenonTime": evil}, datastream(**unit).model_copy(update={"name": evil}))
    assert shown.line().plain.isprintable()


def test_line_stands_under_its_heading() -> None:
    payload = {"result": 1, "phenomenonTime": "2026-03-01T12:00:00Z"}
    line = arrival(payload, datastream(definition="0=dark,1=red")).line().plain
    title = heading().plain
    assert line[title.index("thing") :].startswith("9001 ")
    assert line[title.index("datastream") :].startswith("Signal K1 ")
    assert line[title.index("latency") :].startswith("250 ms ")
    assert line[title.index("result") :] == "1 (red)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T13:00:00+01:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00.123456789Z", datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2026-03-01T11:00:00Z/2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_instant(text: str | None, expected: datetime | None) -> None:
    assert instant(text) == expected


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas(timedelta(0), timedelta(days=1)))
def test_instant_of_an_interval_is_its_end(start: datetime, length: timedelta) -> None:
    try:
        end = start + length
    except OverflowError:
        end = start
    assert instant(f"{start.isoformat()}/{end.isoformat()}") == end


@given(st.dictionaries(st.integers(0, 99), st.from_regex(r"[a-z][a-z -]{0,10}[a-z]", fullmatch=True), min_size=1))
def test_code_list_is_read(codes: dict[int, str]) -> None:
    unit = Unit(definition=", ".join(f"{code}={name}" for code, name in codes.items()))
    assert unit.codes() == codes
    assert all(meaning(code, unit) == f"({name})" for code, name in codes.items())


@pytest.mark.parametrize("definition", [None, "", "http://unitsofmeasure.org/ucum", "0=dark,http://x"])
def test_any_other_definition_is_no_code_list(definition: str | None) -> None:
    assert Unit(definition=definition).codes() == {}


def test_meaning_outside_a_code_list() -> None:
    assert meaning(7, Unit(definition="0=dark")) == "(not in the code list)"
    assert meaning(7.5, Unit(symbol="°C", name="Degree")) == "°C"
    assert meaning(7.5, Unit(name="Degree")) == "Degree"
    assert meaning(7.5, Unit()) == ""
