"""An MQTT client that tells what it was granted. Used by the tests of FROST-Server."""

from __future__ import annotations

import json
import threading
from typing import Any
from uuid import uuid4

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


class Client:
    """An MQTT client that is connected, or was refused."""

    def __init__(self, port: int, *, token: str = "", transport: str = "tcp") -> None:
        self.received: list[Any] = []
        self.granted: list[int] = []
        self.refused = False
        self._answered, self._subscribed = threading.Event(), threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"test-{uuid4().hex}",
            transport=transport,  # type: ignore[arg-type]
            protocol=MQTTProtocolVersion.MQTTv311,
        )
        if token:
            self._client.username_pw_set("anybody", token)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._granted
        self._client.on_message = lambda _client, _data, message: self.received.append(json.loads(message.payload))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._answered.wait(30)

    def _connected(self, _client: object, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        self.refused = bool(reason.is_failure)
        self._answered.set()

    def _granted(self, _client: object, _data: object, _mid: object, reasons: list[Any], _properties: object) -> None:
        self.granted = [reason.value for reason in reasons]
        self._subscribed.set()

    def subscribe(self, topic: str) -> list[int]:
        """What the server granted: a QoS, or 128 where it refuses."""
        self._client.subscribe(topic, qos=1)
        assert self._subscribed.wait(30)
        return self.granted

    def publish(self, topic: str, body: Any) -> None:
        """Send, and give the server time to have handled it: it answers a later request on the same connection."""
        self._client.publish(topic, json.dumps(body), qos=0)
        self._subscribed.clear()
        self.subscribe(f"{topic}?$select=id")

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()
