"""Somebody who comes to the gate with an MQTT client: connects, subscribes, publishes, and tells how that went."""

from __future__ import annotations

import json
import threading
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Self
from uuid import uuid4

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

Transport = Literal["tcp", "websockets"]
_SECONDS = 15.0


class Outcome(StrEnum):
    """How it went."""

    GRANTED = "granted"
    REFUSED = "refused"
    CLOSED = "closed"


class Visitor:
    """One client, connected or refused; a context manager."""

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        username: str = "anybody",
        token: str = "",
        client_id: str = "",
        transport: Transport = "tcp",
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
        will: tuple[str, str] | None = None,
        clean: bool = True,
    ) -> None:
        self.received: list[Any] = []
        self.retained = 0
        self.reason: ReasonCode | None = None
        """Of CONNACK."""
        self.farewell: ReasonCode | None = None
        """Of DISCONNECT."""
        self._five = version == MQTTProtocolVersion.MQTTv5
        self._changed = threading.Condition()
        self._answers: dict[int, bool] = {}
        self._open = True
        session = {} if self._five else {"clean_session": clean}
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or f"visitor-{uuid4().hex}",
            transport=transport,
            protocol=version,
            reconnect_on_failure=False,
            **session,
        )
        if token:
            self._client.username_pw_set(username, token)
        if will is not None:
            self._client.will_set(*will, qos=1)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = lambda _c, _d, mid, reasons, _p: self._answer(mid, not reasons[0].is_failure)
        self._client.on_publish = lambda _c, _d, mid, reason, _p: self._answer(mid, not reason.is_failure)
        self._client.on_message = self._on_message
        options: dict[str, Any] = {"clean_start": clean} if self._five else {}
        if self._five and not clean:
            options["properties"] = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            options["properties"].SessionExpiryInterval = 3600
        self._client.connect(host, port, **options)
        self._client.loop_start()
        self._wait(lambda: self.reason is not None or not self._open)

    @property
    def outcome(self) -> Outcome:
        """Of the connection."""
        if self.reason is None:
            return Outcome.CLOSED
        return Outcome.REFUSED if self.reason.is_failure else Outcome.GRANTED

    @property
    def is_open(self) -> bool:
        """Whether the connection stands."""
        return self._open

    def subscribe(self, topic: str) -> Outcome:
        """With QoS 1."""
        return self._answered(self._client.subscribe(topic, qos=1)[1])

    def publish(self, topic: str, result: int, *, qos: int = 1, retain: bool = False) -> Outcome:
        """An Observation; with QoS 0 there is no answer but the end of the connection."""
        sent = self._client.publish(topic, json.dumps({"result": result}), qos=qos, retain=retain)
        return self._answered(sent.mid)

    def await_end(self, seconds: float) -> bool:
        """Whether the connection ends in time."""
        return self._wait(lambda: not self._open, seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _answered(self, mid: int | None) -> Outcome:
        if self.outcome is not Outcome.GRANTED or mid is None:
            return self.outcome
        self._wait(lambda: mid in self._answers or not self._open)
        if mid not in self._answers:
            return Outcome.CLOSED
        return Outcome.GRANTED if self._answers[mid] else Outcome.REFUSED

    def _wait(self, condition: Any, seconds: float = _SECONDS) -> bool:
        with self._changed:
            return bool(self._changed.wait_for(condition, seconds))

    def _answer(self, mid: int, well: bool) -> None:
        with self._changed:
            self._answers[mid] = well
            self._changed.notify_all()

    def _on_connect(self, _client: object, _data: object, _flags: object, reason: ReasonCode, _p: object) -> None:
        with self._changed:
            self.reason = reason
            self._changed.notify_all()

    def _on_disconnect(self, _client: object, _data: object, _flags: object, reason: ReasonCode, _p: object) -> None:
        with self._changed:
            self._open, self.farewell = False, reason
            self._changed.notify_all()

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.received.append(json.loads(message.payload))
            self.retained += message.retain
            self._changed.notify_all()
