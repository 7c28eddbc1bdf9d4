"""What arrived over MQTT, put together with what is known of its Datastream: for people, and as JSON.

Called by ``observe``, and for times and text by ``status``; pure, so that every odd message can be tried in a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.text import Text

if TYPE_CHECKING:
    from sensorthings_operator.cli.sensorthings import Datastream, Unit
    from sensorthings_operator.cli.subscription import Message

_COLUMNS: Final = (("received", 12), ("latency", 9), ("thing", 14), ("datastream", 36), ("phenomenonTime", 24))
"""Name and width in characters; the result comes last, where its width does not matter."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message and its Datastream, where the topic is of a known one.

    ``entity`` is the payload as JSON, or None where it is none.
    """

    message: Message
    datastream: Datastream | None
    entity: dict[str, Any] | None

    @classmethod
    def of(cls, message: Message, datastream: Datastream | None) -> Arrival:
        """Read the payload, whatever it is."""
        try:
            entity = orjson.loads(message.payload)
        except orjson.JSONDecodeError:
            entity = None
        return cls(message, datastream, entity if isinstance(entity, dict) else None)

    @property
    def latency(self) -> float | None:
        """Seconds from the end of phenomenonTime to the arrival, by two clocks that need not agree."""
        end = instant(self._text("phenomenonTime"))
        return None if end is None else (self.message.received - end).total_seconds()

    def record(self) -> dict[str, Any]:
        """The JSON object that ``--output json`` writes; its keys are part of the interface."""
        latency = self.latency
        datastream = self.datastream
        return {
            "received": _utc(self.message.received),
            "topic": self.message.topic,
            "thing": datastream.thing.name if datastream and datastream.thing else None,
            "datastream": datastream.name if datastream else None,
            "datastreamId": datastream.id if datastream else None,
            "result": self.entity.get("result") if self.entity else None,
            "unit": datastream.unit.symbol if datastream else None,
            "phenomenonTime": self._text("phenomenonTime"),
            "resultTime": self._text("resultTime"),
            "latencySeconds": None if latency is None else round(latency, 6),
            "entity": self.entity,
        }

    def line(self) -> Text:
        """The line that ``--output text`` writes."""
        record = self.record()
        latency = self.latency
        cells = {
            "received": self.message.received.astimezone().strftime("%H:%M:%S.%f")[:-3],
            "latency": "" if latency is None else f"{latency * 1000:.0f} ms",
            "thing": record["thing"] or "",
            "datastream": record["datastream"] or self.message.topic,
            "phenomenonTime": record["phenomenonTime"] or "",
        }
        line = Text()
        for name, width in _COLUMNS:
            line.append(_cell(cells[name], width), style="dim" if name in {"received", "phenomenonTime"} else "")
        return line.append(self._result(), style="bold")

    def _result(self) -> str:
        if self.entity is None:
            return f"(not JSON) {self.message.payload[:80]!r}"
        if "result" not in self.entity:
            return orjson.dumps(self.entity).decode()
        result = self.entity["result"]
        shown = result if isinstance(result, str) else orjson.dumps(result).decode()
        return f"{printable(shown)} {meaning(result, self.datastream.unit) if self.datastream else ''}".rstrip()

    def _text(self, name: str) -> str | None:
        value = self.entity.get(name) if self.entity else None
        return value if isinstance(value, str) else None


def heading() -> Text:
    """The line above the first arrival."""
    return Text("".join(_cell(name, width) for name, width in _COLUMNS) + "result", style="underline")


def instant(text: str | None) -> datetime | None:
    """The instant of a time of SensorThings, or the end of an interval; None where it has no zone or is no time."""
    try:
        parsed = datetime.fromisoformat(text.rpartition("/")[2]) if text else None
    except ValueError:
        return None
    return parsed if parsed and parsed.tzinfo else None


def meaning(result: Any, unit: Unit) -> str:
    """What stands after a result: the name of a code where the unit is a code list, else the unit's symbol."""
    codes = unit.codes()
    if codes:
        return f"({printable(codes.get(result, 'not in the code list'))})" if isinstance(result, int) else ""
    return printable(unit.symbol or unit.name or "")


def printable(text: str) -> str:
    """Without line breaks and terminal control sequences: whoever may publish is not thereby trusted."""
    return "".join(character if character.isprintable() else " " for character in text)


def _cell(text: str, width: int) -> str:
    shown = printable(text)
    short = shown if len(shown) <= width else shown[: width - 1] + "…"
    return f"{short:<{width}}  "


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
