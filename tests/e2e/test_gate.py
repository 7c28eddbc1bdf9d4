"""What clients may do by MQTT where anybody may write: publish where the spec says so, and nothing is told twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from tests.e2e.clients import subscribers
from tests.e2e.netns import inside
from tests.e2e.visitor import Outcome, Visitor

if TYPE_CHECKING:
    from tests.e2e.conftest import Running
    from tests.e2e.services import Service
    from tests.e2e.visitor import Transport

_PORTS: dict[Transport, int] = {"tcp": 1883, "websockets": 9876}
_STATUS_PORT = 8082


def _visitor(service: Service, transport: Transport = "tcp", **options: object) -> Visitor:
    with inside(service.kubernetes.netns):
        return Visitor(_PORTS[transport], host=service.cluster_ip("mqtt"), transport=transport, **options)  # type: ignore[arg-type]


def _topic(datastream: int) -> str:
    return f"v1.1/Datastreams({datastream})/Observations"


def test_nobody_publishes_unless_the_spec_says_so(running: Running) -> None:
    topic = _topic(running.datastream)
    with _visitor(running.service) as visitor:
        assert visitor.publish(topic, 1) is Outcome.CLOSED
    with _visitor(running.service, version=MQTTProtocolVersion.MQTTv5) as visitor:
        assert visitor.publish(topic, 2) is Outcome.REFUSED
        assert visitor.is_open
    assert running.http.results(running.datastream) == {}


def test_nobody_reaches_frost_server_s_own_module(running: Running) -> None:
    (pod,) = running.service.ready_pods("mqtt")
    with inside(running.service.kubernetes.netns), pytest.raises(ConnectionRefusedError):
        Visitor(11883, host=pod["status"]["podIP"])


def test_what_is_published_is_stored_and_told_once(service: Service) -> None:
    http = service.start(mqtt={"publishing": {"enabled": True}})
    datastream = http.create_datastream()
    with subscribers(service.subscriber(datastream)) as (subscriber,):
        # FROST-Server knows of a subscription only a moment after it was acknowledged.
        assert http.observe(datastream, 0).status == 201
        expected = {0}
        for number, transport in enumerate(("tcp", "websockets"), start=1):
            with _visitor(service, transport) as visitor:  # type: ignore[arg-type]
                assert visitor.publish(_topic(datastream), number) is Outcome.GRANTED
                expected.add(number)
                assert visitor.publish(_topic(datastream), 10 + number, qos=2) is Outcome.GRANTED
                expected.add(10 + number)
                assert visitor.publish(_topic(99999), 20 + number) is Outcome.CLOSED
        subscriber.await_results(expected - {0})
        assert all(count == 1 for count in subscriber.results.values())
    assert http.results(datastream) == dict.fromkeys(expected, 1)
