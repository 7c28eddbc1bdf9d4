"""Loading and playing against a service in this process that loses, doubles and refuses on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensorthings_operator.cli.addresses import BrokerUrl, ServiceUrl
from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.sensorthings import SensorThings
from tests.unit.cli.fakes import Broker, Service
from traffic_lights import Plan, Report, load, play, traffic_lights

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = traffic_lights(2)


async def played(prepare: Callable[[Service], None] = lambda fake: None, subscribers: int = 1) -> Report:
    async with Broker() as broker, Service(broker) as fake, SensorThings(ServiceUrl.parse(fake.url)) as session:
        loaded = await load(session, MODEL)
        prepare(fake)
        brokers = [BrokerUrl.parse(broker.url)] * subscribers
        return await play(session, loaded.datastreams, Plan(MODEL, rate=50, duration=1, drain=0.2), brokers)


async def test_loading_twice_creates_nothing_the_second_time() -> None:
    async with Broker() as broker, Service(broker) as fake, SensorThings(ServiceUrl.parse(fake.url)) as session:
        first = await load(session, MODEL)
        second = await load(session, MODEL)
        assert first.created == 1 + 1 + 2 + 2 * 8
        assert second.created == 0
        assert second.datastreams == first.datastreams
        assert {name: len(entities) for name, entities in fake.entities.items()} == {
            "Sensors": 1,
            "ObservedProperties": 1,
            "Things": 2,
            "Datastreams": 16,
        }


async def test_loading_more_adds_only_what_is_missing() -> None:
    async with Broker() as broker, Service(broker) as fake, SensorThings(ServiceUrl.parse(fake.url)) as session:
        await load(session, MODEL)
        del fake.entities["Datastreams"][-3:]
        grown = await load(session, traffic_lights(3))
        assert grown.created == 3 + 1 + 8
        assert len(grown.datastreams) == 24


async def test_loading_from_a_service_that_is_not_there() -> None:
    async with Broker() as broker:
        url = ServiceUrl.parse(f"http://127.0.0.1:{broker.port}/v1.1")
    async with SensorThings(url) as session:
        with pytest.raises(SensorThingsError, match="cannot be reached"):
            await load(session, MODEL)


async def test_all_is_delivered_exactly_once_to_every_subscriber() -> None:
    report = await played(subscribers=2)
    assert report.exact
    assert report.sent > 20
    assert [delivery.delivered for delivery in report.subscribers] == [report.sent] * 2
    assert report.subscribers[0].latency.p50 is not None
    assert report.record()["exact"] is True


async def test_lost_and_doubled_messages_are_counted() -> None:
    def lose_two_and_double_one(fake: Service) -> None:
        fake.copies = {3: 0, 4: 0, 5: 2}

    report = await played(lose_two_and_double_one)
    (delivery,) = report.subscribers
    assert (delivery.missing, delivery.duplicates) == (2, 1)
    assert delivery.delivered == report.acknowledged - 2
    assert not report.exact


async def test_refused_posts_are_counted_and_not_missed() -> None:
    def refuse_three(fake: Service) -> None:
        fake.statuses = [500, 500, 503]

    report = await played(refuse_three)
    assert report.failed == {"the service answered 500": 2, "the service answered 503": 1}
    assert report.acknowledged == report.sent - 3
    assert report.subscribers[0].missing == 0
    assert not report.exact


async def test_messages_of_others_are_left_out() -> None:
    def disturb(fake: Service) -> None:
        fake.copies = {}
        original = fake.broker.publish

        def publish(topic: str, payload: bytes) -> None:
            original(topic, b'{"result": 1}')
            original(topic, b"not json")
            original(topic, b'{"result": 1, "parameters": {"run": "another", "sequence": 0}}')
            original(topic, payload)

        fake.broker.publish = publish  # type: ignore[method-assign]

    report = await played(disturb)
    assert report.exact
