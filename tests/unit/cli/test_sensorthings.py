"""The HTTP client and the MQTT subscription, against a service in this process."""

from __future__ import annotations

import asyncio
import gc

import pytest

from sensorthings_operator.cli.addresses import BrokerUrl, ServiceUrl
from sensorthings_operator.cli.errors import AnswerError, SensorThingsError
from sensorthings_operator.cli.sensorthings import SensorThings
from sensorthings_operator.cli.subscription import Subscription
from tests.unit.cli.fakes import Broker, Service


async def test_collection_is_read_page_after_page_from_here() -> None:
    async with Broker() as broker, Service(broker) as fake, SensorThings(ServiceUrl.parse(fake.url)) as service:
        for number in range(5):
            fake.add("Things", {"name": str(number)})
        assert [thing["name"] async for thing in service.collect("Things")] == ["0", "1", "2", "3", "4"]
        assert len(fake.requests) == 3


async def test_page_that_leads_to_itself_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def same(*_: object) -> dict[str, object]:
        return {"value": [{}], "@iot.nextLink": "http://iot.city.example/v1.1/Things"}

    monkeypatch.setattr(SensorThings, "_read", same)
    service = SensorThings(ServiceUrl.parse("http://127.0.0.1/v1.1"))
    with pytest.raises(SensorThingsError, match="same page again"):
        assert [thing async for thing in service.collect("Things")]


async def test_created_entity_gives_its_id() -> None:
    async with Broker() as broker, Service(broker) as fake, SensorThings(ServiceUrl.parse(fake.url)) as service:
        assert await service.create("Things", {"name": "a"}) == 1
        assert await service.create("Things", {"name": "b"}) == 2
        assert (await service.read("Things(2)"))["name"] == "b"


async def test_answer_that_is_not_the_one_asked_for() -> None:
    async with Broker() as broker, Service(broker) as fake, SensorThings(ServiceUrl.parse(fake.url)) as service:
        with pytest.raises(AnswerError, match="404") as refused:
            await service.read("Things(9)")
        assert refused.value.status == 404
        assert "/Things(9)" in refused.value.where
        with pytest.raises(AnswerError) as refused:
            await service.read("no/such/thing")
        assert "<html>" not in str(refused.value)


async def test_service_that_is_not_there() -> None:
    async with Broker() as broker:
        port = broker.port
    async with SensorThings(ServiceUrl.parse(f"http://127.0.0.1:{port}/v1.1")) as service:
        with pytest.raises(SensorThingsError, match="cannot be reached") as refused:
            await service.read("Things")
        assert "--url" in refused.value.remedy


async def test_service_that_does_not_answer_in_time() -> None:
    async with (
        Broker(silent=True) as broker,
        SensorThings(ServiceUrl.parse(f"http://127.0.0.1:{broker.port}/v1.1"), timeout=0.05) as service,
    ):
        with pytest.raises(SensorThingsError, match=r"did not answer within 0\.05 s"):
            await service.read("Things")


async def test_messages_arrive_in_order_with_their_topic() -> None:
    async with Broker() as broker, Subscription(BrokerUrl.parse(broker.url), ["v1.1/a", "v1.1/b"]) as subscription:
        broker.publish("v1.1/a", b"1")
        broker.publish("v1.1/b", b"2")
        first, second = await anext(subscription), await anext(subscription)
    assert [(m.topic, m.payload) for m in (first, second)] == [("v1.1/a", b"1"), ("v1.1/b", b"2")]
    assert first.arrived <= second.arrived


async def test_every_subscriber_has_a_client_id_of_its_own() -> None:
    async with Broker() as broker:
        url = BrokerUrl.parse(broker.url)
        async with Subscription(url, ["a"]), Subscription(url, ["a"]):
            assert len(set(broker.client_ids)) == 2
            assert all(broker.client_ids)


async def test_many_topics_fit_into_the_packets_that_frost_takes() -> None:
    topics = [f"v1.1/Datastreams('{number:036}')/Observations" for number in range(250)]
    async with Broker() as broker, Subscription(BrokerUrl.parse(broker.url), topics):
        assert broker.subscribed.keys() == set(topics)
        assert max(broker.packets) < 8092


async def test_refused_subscription_names_the_topic() -> None:
    async with Broker(refused={"v1.1/b"}) as broker:
        with pytest.raises(SensorThingsError, match=r"subscription to v1\.1/b is refused"):
            await Subscription(BrokerUrl.parse(broker.url), ["v1.1/a", "v1.1/b"]).__aenter__()


async def test_refused_connection() -> None:
    async with Broker(connack=5) as broker:
        with pytest.raises(SensorThingsError, match=r"connection is refused: Not authorized"):
            await Subscription(BrokerUrl.parse(broker.url), ["v1.1/a"]).__aenter__()


async def test_broker_that_does_not_answer_in_time() -> None:
    async with Broker(silent=True) as broker:
        with pytest.raises(SensorThingsError, match=r"connection was not answered within 0\.1 s"):
            await Subscription(BrokerUrl.parse(broker.url), ["v1.1/a"], timeout=0.1).__aenter__()


async def test_broker_that_is_not_there() -> None:
    async with Broker() as broker:
        pass
    with pytest.raises(SensorThingsError, match="cannot be reached"):
        await Subscription(BrokerUrl.parse(broker.url), ["v1.1/a"]).__aenter__()


async def test_lost_connection_ends_the_iteration_after_what_arrived() -> None:
    async with Broker() as broker, Subscription(BrokerUrl.parse(broker.url), ["v1.1/a"]) as subscription:
        broker.publish("v1.1/a", b"1")
        assert (await anext(subscription)).payload == b"1"
        await broker.hang_up()
        with pytest.raises(SensorThingsError, match="connection is lost"):
            await anext(subscription)


async def test_connection_that_ends_at_once() -> None:
    async def hang_up(broker: Broker) -> None:
        await broker.connected.wait()
        await broker.hang_up()

    async with Broker(silent=True) as broker:
        entering = Subscription(BrokerUrl.parse(broker.url), ["v1.1/a"]).__aenter__()
        with pytest.raises(SensorThingsError, match="ended before the subscription stood"):
            await asyncio.gather(entering, hang_up(broker))


# paho leaves the socket of a refused WebSocket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_websocket_that_is_none() -> None:
    async with Broker() as broker, Service(broker) as fake:
        with pytest.raises(SensorThingsError, match="WebSocket is refused"):
            await Subscription(BrokerUrl.parse(f"ws://127.0.0.1:{fake.port}/mqtt"), ["v1.1/a"]).__aenter__()
    gc.collect()
