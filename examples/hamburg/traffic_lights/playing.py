"""Plays the schedule against a running service and counts what its subscribers get.

Called by ``play.py``, and by end-to-end tests and benchmarks.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import orjson

from sensorthings_operator.cli.errors import AnswerError, SensorThingsError
from sensorthings_operator.cli.subscription import Message, Subscription
from sensorthings_operator.desired.entities import key
from traffic_lights.report import Quantiles, Received, Report, Sent, match
from traffic_lights.schedule import Change, changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sensorthings_operator.cli.addresses import BrokerUrl
    from sensorthings_operator.cli.sensorthings import SensorThings
    from sensorthings_operator.desired.entities import EntityId
    from traffic_lights.model import Model

_SETTLE_SECONDS: Final = 0.5  # a duplicate comes after its original, and nothing announces that none will


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play, and how.

    Attributes:
        model: whose programs are played.
        rate: Observations per second; ``model.pace`` is real time.
        duration: seconds of the schedule.
        qos: of the subscribers.
        drain: seconds to wait, after the last answer, for what is still missing.
    """

    model: Model
    rate: float
    duration: float
    qos: int = 1
    drain: float = 10.0


async def play(
    session: SensorThings,
    datastreams: Mapping[str, EntityId],
    plan: Plan,
    brokers: Sequence[BrokerUrl],
    progress: Callable[[int], None] = lambda sent: None,
) -> Report:
    """POST signal changes on schedule, whatever the service does, and wait for their delivery.

    Args:
        session: the service; the brokers are reached in the same way from here.
        datastreams: the identifiers that ``load`` returned.
        plan: what to play.
        brokers: one subscriber each, to all Datastreams; the same endpoint may stand there more than once.
        progress: called after each POST that began, with their number.

    Raises:
        SensorThingsError: a subscriber cannot connect. Failures after that are counted, not raised.
    """
    topics = {name: session.url.observations_topic(identifier) for name, identifier in datastreams.items()}
    run = _Run(session, datastreams, topics)
    async with contextlib.AsyncExitStack() as stack:
        subscriptions = [
            await stack.enter_async_context(
                Subscription(broker, list(topics.values()), qos=plan.qos, access=session.access)
            )
            for broker in brokers
        ]
        subscribers = [_Subscriber(run, subscription) for subscription in subscriptions]
        readers = [asyncio.create_task(subscriber.read()) for subscriber in subscribers]
        try:
            seconds = await run.send(changes(plan.model, rate=plan.rate, duration=plan.duration), progress)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(plan.drain):
                    await asyncio.gather(*(subscriber.complete() for subscriber in subscribers))
            await asyncio.sleep(_SETTLE_SECONDS)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
    return Report(
        url=str(session.url),
        datastreams=len(topics),
        qos=plan.qos,
        asked=plan.rate,
        achieved=round(len(run.acknowledged) / seconds, 3) if seconds else 0.0,
        seconds=round(seconds, 3),
        sent=len(run.sent),
        acknowledged=len(run.acknowledged),
        failed=dict(run.failed),
        late=round(run.late, 3),
        post=Quantiles.of([answered - run.sent[number].began for number, answered in run.acknowledged.items()]),
        subscribers=tuple(
            match(str(subscriber.broker), run.sent, run.acknowledged, subscriber.received, subscriber.lost)
            for subscriber in subscribers
        ),
    )


class _Run:
    """What was sent, and how the service answered."""

    def __init__(self, session: SensorThings, datastreams: Mapping[str, EntityId], topics: Mapping[str, str]) -> None:
        self.identifier = str(uuid.uuid4())
        self.sent: dict[int, Sent] = {}
        self.acknowledged: dict[int, float] = {}
        self.failed: collections.Counter[str] = collections.Counter()
        self.late = 0.0
        self._session = session
        self._datastreams = datastreams
        self._topics = topics

    async def send(self, schedule: Iterable[Change], progress: Callable[[int], None]) -> float:
        """POST each change when it is due, without waiting for the answers of those before; the seconds it took."""
        began = time.perf_counter()
        async with asyncio.TaskGroup() as posts:
            for number, change in enumerate(schedule):
                ahead = began + change.due - time.perf_counter()
                await asyncio.sleep(max(ahead, 0))
                self.late = max(self.late, time.perf_counter() - began - change.due)
                posts.create_task(self._post(number, change))
                progress(number + 1)
        return time.perf_counter() - began

    async def _post(self, number: int, change: Change) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        observation = {
            "result": change.state.value,
            "phenomenonTime": now,
            "resultTime": now,
            "parameters": {"run": self.identifier, "sequence": number},
        }
        path = f"{key('Datastreams', self._datastreams[change.name])}/Observations"
        self.sent[number] = Sent(self._topics[change.name], change.state.value, time.perf_counter())
        try:
            await self._session.create(path, observation)
        except AnswerError as error:
            refused = f". {error.remedy}" if error.status in {401, 403} else ""
            self.failed[f"the service answered {error.status}{refused}"] += 1
        except SensorThingsError as error:
            self.failed[error.what] += 1
        else:
            self.acknowledged[number] = time.perf_counter()


class _Subscriber:
    """What one subscriber got of a run; messages of other publishers are left out."""

    def __init__(self, run: _Run, subscription: Subscription) -> None:
        self.broker = subscription.broker
        self.received: list[Received] = []
        self.lost: str | None = None
        self._run = run
        self._subscription = subscription
        self._arrived: set[int] = set()
        self._news = asyncio.Event()

    async def read(self) -> None:
        """Collect messages until cancelled, or until the connection is lost."""
        try:
            async for message in self._subscription:
                received = _read(message, self._run.identifier)
                if received is not None:
                    self.received.append(received)
                    self._arrived.add(received.sequence)
                    self._news.set()
        except SensorThingsError as error:
            self.lost = error.what
            self._news.set()

    async def complete(self) -> None:
        """Wait until every acknowledged Observation arrived, or until none can arrive any more."""
        while not self.lost and not self._run.acknowledged.keys() <= self._arrived:
            self._news.clear()
            await self._news.wait()


def _read(message: Message, run: str) -> Received | None:
    """The message, if it is an Observation of this run."""
    try:
        entity = orjson.loads(message.payload)
        parameters = entity["parameters"]
        if parameters["run"] != run:
            return None
        return Received(int(parameters["sequence"]), message.topic, entity["result"], message.arrived)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
