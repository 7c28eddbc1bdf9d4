"""The versions of MQTT that clients may speak: those of FROST-Server's broker."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.e2e.netns import inside

if TYPE_CHECKING:
    from tests.e2e.conftest import Running

_SECONDS = 20.0


@pytest.mark.parametrize(
    ("version", "answer"),
    [
        (MQTTProtocolVersion.MQTTv31, "Success"),
        (MQTTProtocolVersion.MQTTv311, "Success"),
        # Moquette knows none later: clients that can speak another version have to try again with that.
        (MQTTProtocolVersion.MQTTv5, "Unsupported protocol version"),
    ],
    ids=["3.1", "3.1.1", "5"],
)
def test_what_the_broker_answers(running: Running, version: MQTTProtocolVersion, answer: str) -> None:
    answers: queue.Queue[str] = queue.Queue()
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=f"version-{version}", protocol=version, reconnect_on_failure=False
    )
    client.on_connect = lambda _client, _data, _flags, reason, _properties: answers.put(str(reason))
    with inside(running.service.kubernetes.netns):
        client.connect(running.service.cluster_ip("mqtt"), 1883)
        client.loop_start()
    try:
        assert answers.get(timeout=_SECONDS) == answer
    finally:
        client.disconnect()
        client.loop_stop()
