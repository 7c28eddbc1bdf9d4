"""Counts and latencies of one run: what was acknowledged, what each subscriber got, and what it did not.

Called by ``playing``, which fills it, and by ``play.py``, which shows it; pure.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_LATE: Final = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Latencies in milliseconds; None where nothing was measured."""

    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Of latencies in seconds, interpolated between the measured ones (``statistics.quantiles``, inclusive)."""
        if not seconds:
            return cls(None, None, None, None)
        milliseconds = sorted(second * 1000 for second in seconds)
        # quantiles() wants two values at least.
        cuts = statistics.quantiles(
            milliseconds * 2 if len(milliseconds) == 1 else milliseconds, n=100, method="inclusive"
        )
        return cls(*(round(value, 3) for value in (cuts[49], cuts[89], cuts[98], milliseconds[-1])))


@dataclass(frozen=True, slots=True)
class Sent:
    """One Observation as it was sent: to which topic it belongs, its result, and when its POST began (seconds)."""

    topic: str
    result: int
    began: float


@dataclass(frozen=True, slots=True)
class Received:
    """One message of this run as a subscriber got it; ``sequence`` is the number that the Observation carries."""

    sequence: int
    topic: str
    result: Any
    arrived: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one subscriber got.

    Attributes:
        mqtt: the endpoint.
        delivered: acknowledged Observations that arrived, each counted once.
        missing: acknowledged Observations that did not arrive.
        duplicates: messages beyond the first of an Observation.
        mismatched: messages with another result, or under another topic, than was sent; they deliver nothing.
        unacknowledged: Observations that arrived, though their POST was not answered with 201.
        latency: from the beginning of the POST to the arrival of the first message.
        lost: why the connection ended before the run did, if so.
    """

    mqtt: str
    delivered: int
    missing: int
    duplicates: int
    mismatched: int
    unacknowledged: int
    latency: Quantiles
    lost: str | None

    @property
    def exact(self) -> bool:
        """Every acknowledged Observation arrived exactly once, as it was sent."""
        return not (self.missing or self.duplicates or self.mismatched)


@dataclass(frozen=True, slots=True)
class Report:
    """One run.

    Attributes:
        url: the service.
        datastreams: how many were subscribed to.
        qos: asked of the broker by the subscribers.
        asked: Observations per second that the schedule held.
        achieved: acknowledged Observations per second, from the first POST to the last answer.
        seconds: from the first POST to the last answer.
        sent: POSTs begun.
        acknowledged: POSTs answered with 201.
        failed: the others, counted by reason.
        late: seconds by which the sender fell behind its schedule at worst; only while small is it an open loop.
        post: latency of the acknowledged POSTs.
        subscribers: one each.
    """

    url: str
    datastreams: int
    qos: int
    asked: float
    achieved: float
    seconds: float
    sent: int
    acknowledged: int
    failed: Mapping[str, int]
    late: float
    post: Quantiles
    subscribers: tuple[Delivery, ...]

    @property
    def exact(self) -> bool:
        """Something was sent, and all of it acknowledged, and delivered exactly once to every subscriber."""
        return self.acknowledged == self.sent > 0 and all(subscriber.exact for subscriber in self.subscribers)

    def record(self) -> dict[str, Any]:
        """The JSON object that ``--output json`` writes; its keys are part of the interface."""
        return {"exact": self.exact, **asdict(self)}


def match(
    mqtt: str,
    sent: Mapping[int, Sent],
    acknowledged: Iterable[int],
    received: Iterable[Received],
    lost: str | None = None,
) -> Delivery:
    """Match what a subscriber got with what was sent, by sequence number, topic and result.

    Args:
        mqtt: the subscriber's endpoint.
        sent: every Observation of the run by its sequence number.
        acknowledged: the sequence numbers whose POST was answered with 201.
        received: the messages in the order of their arrival.
        lost: why the connection ended, if it did.
    """
    arrived: dict[int, float] = {}
    duplicates = mismatched = 0
    for message in received:
        origin = sent.get(message.sequence)
        if origin is None or (origin.topic, origin.result) != (message.topic, message.result):
            mismatched += 1
        elif message.sequence in arrived:
            duplicates += 1
        else:
            arrived[message.sequence] = message.arrived
    confirmed = set(acknowledged)
    delivered = confirmed & arrived.keys()
    return Delivery(
        mqtt=mqtt,
        delivered=len(delivered),
        missing=len(confirmed) - len(delivered),
        duplicates=duplicates,
        mismatched=mismatched,
        unacknowledged=len(arrived.keys() - confirmed),
        latency=Quantiles.of([arrived[sequence] - sent[sequence].began for sequence in delivered]),
        lost=lost,
    )


def table(report: Report) -> Table:
    """The report for people."""
    title = (
        f"{report.sent} Observations of {report.datastreams} signal groups in {report.seconds:.1f} s: "
        f"{report.achieved:.1f} per second acknowledged, {report.asked:.1f} asked"
    )
    shown = Table(title=title, title_justify="left", title_style="bold")
    shown.add_column("POST to", overflow="fold")
    for heading in ("count", "missing", "twice", "p50 ms", "p90 ms", "p99 ms", "max ms"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_row("201", str(report.acknowledged), str(report.sent - report.acknowledged), "", *_cells(report.post))
    for subscriber in report.subscribers:
        counts = (subscriber.delivered, subscriber.missing, subscriber.duplicates)
        shown.add_row(subscriber.mqtt, *(str(count) for count in counts), *_cells(subscriber.latency))
    return shown


def remarks(report: Report) -> list[str]:
    """What does not fit in the table and must be known: failures, mismatches, a lost connection, a late sender."""
    found = [f"{count} POSTs failed: {reason}" for reason, count in report.failed.items()]
    for subscriber in report.subscribers:
        if subscriber.lost:
            found.append(f"{subscriber.mqtt}: {subscriber.lost}")
        if subscriber.mismatched:
            found.append(f"{subscriber.mqtt}: {subscriber.mismatched} messages are not what was sent")
        if subscriber.unacknowledged:
            found.append(
                f"{subscriber.mqtt}: {subscriber.unacknowledged} Observations arrived without an acknowledgement"
            )
    if report.late > _LATE:
        found.append(
            f"The sender fell up to {report.late:.2f} s behind its schedule: too busy a machine for an open loop"
        )
    return found


def _cells(quantiles: Quantiles) -> list[str]:
    values = (quantiles.p50, quantiles.p90, quantiles.p99, quantiles.max)
    return ["-" if value is None else f"{value:.1f}" for value in values]
