"""Talks to an MQTT broker, for ``sensorthings doctor``. A refusal and a failure are answers here, never exceptions.

By MQTT 5, where a broker says why it refuses: the gate speaks it, whatever FROST-Server behind it does.
"""

from __future__ import annotations

import queue
import uuid
from typing import TYPE_CHECKING, Any, Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from sensorthings_operator.cli import tls
from sensorthings_operator.cli.doctor.observed import NOT_AN_ENTITY, Said
from sensorthings_operator.cli.subscription import origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from paho.mqtt.reasoncodes import ReasonCode

    from sensorthings_operator.cli.access import Access
    from sensorthings_operator.cli.addresses import BrokerUrl

_SECONDS: Final = 15.0
"""For each answer; a gate has ten for one of the HTTP module."""
_FAILURES: Final = 0x80
"""Reason codes from here on are refusals."""


def talk(broker: BrokerUrl, access: Access, *, topic: str = "", token: str = "") -> Said:
    """Connect; with a topic also subscribe to it, and publish there what nothing can be created of. Then leave.

    Blocks for as long as the broker takes, at most three times 15 s.
    """
    talker = _Talker(broker, access, token)
    try:
        return talker.talk(topic)
    finally:
        talker.close()


class _Talker:
    def __init__(self, broker: BrokerUrl, access: Access, token: str) -> None:
        self._broker, self._access = broker, access
        self._told: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._heard: dict[str, int] = {}
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"sensorthings-doctor-{uuid.uuid4().hex[:12]}",
            protocol=MQTTProtocolVersion.MQTTv5,
            transport=broker.transport,
            reconnect_on_failure=False,
        )
        if broker.transport == "websockets":
            client.ws_set_options(path=broker.path, headers=origin(broker))
        client.connect_timeout = _SECONDS
        self._tls = tls.NamedContext.of(broker.host, access.authority) if broker.tls else None
        if self._tls is not None:
            client.tls_set_context(self._tls)
        if token:
            client.username_pw_set("token", token)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        self._client = client

    def talk(self, topic: str) -> Said:
        try:
            self._client.connect(self._access.address(self._broker.host), self._broker.port)
        except (paho.WebsocketConnectionError, OSError) as error:
            return self._said(self._unreachable(error))
        self._client.loop_start()
        if self._await("connected") and topic:
            self._await("subscribed", lambda: self._client.subscribe(topic, qos=1))
            # Who may not subscribe might still publish.
            self._await("published", lambda: self._client.publish(topic, NOT_AN_ENTITY, qos=1))
        return self._said(None if self._heard else _SILENT)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        if self._tls is not None:
            self._tls.close()

    def _await(self, what: str, ask: Callable[[], object] | None = None) -> bool:
        """Ask, and wait for the answer, or for the end; whether the answer is no refusal."""
        if ask is not None and "ended" not in self._heard:
            ask()
        while what not in self._heard and "ended" not in self._heard:
            try:
                got, code = self._told.get(timeout=_SECONDS)
            except queue.Empty:
                return False
            self._heard[got] = code
        return self._heard.get(what, _FAILURES) < _FAILURES

    # paho calls these four in its own thread.

    def _on_connect(self, _client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        self._told.put(("connected", code.value))

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, _identifier: int, codes: list[ReasonCode], _properties: Any
    ) -> None:
        self._told.put(("subscribed", codes[0].value))

    def _on_publish(
        self, _client: paho.Client, _data: Any, _identifier: int, code: ReasonCode, _properties: Any
    ) -> None:
        self._told.put(("published", code.value))

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, flags: paho.DisconnectFlags, code: ReasonCode, _properties: Any
    ) -> None:
        self._told.put(("ended", code.value if flags.is_disconnect_packet_from_server else 0))

    def _said(self, failure: tls.Failure | None) -> Said:
        return Said(str(self._broker), **self._heard, failure=failure)

    def _unreachable(self, error: Exception) -> tls.Failure:
        failed = tls.failure(error, self._broker.host, self._access.authority)
        if failed is not None:
            return failed
        if isinstance(error, paho.WebsocketConnectionError):
            return tls.Failure(
                f"The WebSocket is refused: {error}", "Does its route lead to the MQTT module? See RoutesProgrammed."
            )
        return tls.Failure(
            f"The MQTT endpoint cannot be reached from here: {getattr(error, 'strerror', None) or error}",
            "Look whether it runs and its name leads there; --connect-to ADDRESS says where it answers.",
        )


_SILENT: Final = tls.Failure(
    f"The MQTT endpoint did not answer within {_SECONDS:g} s", "Look at the log of the service's MQTT pods."
)
