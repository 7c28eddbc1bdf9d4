"""The versions of MQTT that clients may speak: those of the gate, which speaks 3.1.1 to FROST-Server."""

from __future__ import annotations

import json
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.e2e.netns import inside

if TYPE_CHECKING:
    from tests.e2e.conftest import Running

_SECONDS = 20.0


@pytest.mark.parametrize(
    "version",
    [MQTTProtocolVersion.MQTTv31, MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5],
    ids=["3.1", "3.1.1", "5"],
)
def test_what_is_posted_is_told_in_each(running: Running, version: MQTTProtocolVersion) -> None:
    told: queue.Queue[int] = queue.Queue()
    granted = threading.Event()
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=f"version-{version}", protocol=version, reconnect_on_failure=False
    )
    topic = f"v1.1/Datastreams({running.datastream})/Observations"

    def subscribe(*_: object) -> None:
        client.subscribe(topic, 1)

    client.on_connect = subscribe
    client.on_subscribe = lambda *_: granted.set()
    client.on_message = lambda _client, _data, message: told.put(json.loads(message.payload)["result"])
    with inside(running.service.kubernetes.netns):
        client.connect(running.service.cluster_ip("mqtt"), 1883)
        client.loop_start()
    try:
        assert granted.wait(_SECONDS)
        # FROST-Server knows of a subscription only a moment after it was acknowledged.
        for number in range(20):
            assert running.http.observe(running.datastream, number).status == 201
            with suppress(queue.Empty):
                assert told.get(timeout=1) <= number
                return
        pytest.fail("nothing was told")
    finally:
        client.disconnect()
        client.loop_stop()
