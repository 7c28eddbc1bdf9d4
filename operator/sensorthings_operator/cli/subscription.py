"""What a SensorThings service publishes over MQTT, as an asynchronous iterator of messages.

Called by ``sensorthings observe`` and by the loader in ``examples/hamburg``. paho-mqtt runs its network loop in a
thread of its own; everything that it reports is handed to the event loop, and the time of arrival is taken before that.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from sensorthings_operator.cli import tls
from sensorthings_operator.cli.access import Access
from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from paho.mqtt.reasoncodes import ReasonCode

    from sensorthings_operator.cli.addresses import BrokerUrl

_TOPICS_PER_SUBSCRIBE: Final = 100  # FROST's broker takes packets of 8092 bytes; a topic with a UUID has 66
_NO_BROKER: Final = "Is there an MQTT broker at this port? Look at the log of the service's MQTT pods."
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Message:
    """One message: where it was published, what it holds, and when it arrived.

    ``arrived`` is in seconds of ``time.perf_counter``, for latencies; ``received`` is that instant in UTC, for people.
    """

    topic: str
    payload: bytes
    arrived: float
    received: datetime


class Subscription:
    """A subscriber with a client id and a clean session of its own; an async context manager and iterator.

    Entering returns once the broker has granted every topic. A lost connection ends the iteration with an error: there
    is no silent reconnect, because what is published meanwhile would be missing unseen.

    Args:
        broker: the MQTT endpoint.
        topics: at least one.
        qos: asked of the broker, 0 to 2.
        timeout: seconds to wait for each answer of the broker.
        access: how it is reached from here.

    Raises:
        SensorThingsError: the access has credentials, and would send them unencrypted.
    """

    def __init__(
        self,
        broker: BrokerUrl,
        topics: Sequence[str],
        *,
        qos: int = 1,
        timeout: float = 10.0,
        access: Access | None = None,
    ) -> None:
        self.broker = broker
        self._access = access or Access()
        self._access.refuse_cleartext(str(broker), broker.host, encrypted=broker.tls)
        self._topics = topics
        self._qos = qos
        self._timeout = timeout
        self._messages: asyncio.Queue[Message | SensorThingsError] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._granted: dict[int | None, asyncio.Future[list[ReasonCode]]] = {}
        # An empty client id is refused by FROST-Server 2.0.0.
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"sensorthings-{uuid.uuid4()}",
            clean_session=True,
            transport=broker.transport,
            reconnect_on_failure=False,
        )
        self._client.connect_timeout = timeout
        if broker.transport == "websockets":
            self._client.ws_set_options(path=broker.path, headers=origin(broker))
        self._tls = tls.NamedContext.of(broker.host, self._access.authority) if broker.tls else None
        if self._tls is not None:
            self._client.tls_set_context(self._tls)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect

    async def __aenter__(self) -> Self:
        try:
            await self._connect()
            for first in range(0, len(self._topics), _TOPICS_PER_SUBSCRIBE):
                await self._subscribe(self._topics[first : first + _TOPICS_PER_SUBSCRIBE])
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        """The next message.

        Raises:
            SensorThingsError: the connection is lost.
        """
        message = await self._messages.get()
        if isinstance(message, SensorThingsError):
            raise message
        return message

    async def _connect(self) -> None:
        if self._access.credentials is not None:
            async with Tokens(self._access, self._access.credentials, timeout=self._timeout) as tokens:
                # FROST-Server takes a token for a password, with any user name.
                self._client.username_pw_set(self._access.credentials.client_id, await tokens.current())
        try:
            address = self._access.address(self.broker.host)
            await asyncio.to_thread(self._client.connect, address, self.broker.port)
        except (mqtt.WebsocketConnectionError, OSError) as error:
            if self._tls is not None:
                self._tls.close()
            raise self._unreachable(error) from error
        self._client.loop_start()
        answer = await self._answer(self._connected, "connection")
        if answer.is_failure:
            raise self._error(f"The connection is refused: {answer}", self._login())

    def _unreachable(self, error: Exception) -> SensorThingsError:
        failed = tls.failure(error, self.broker.host, self._access.authority)
        if failed is not None:
            return self._error(*failed)
        if isinstance(error, mqtt.WebsocketConnectionError):
            return self._error(
                f"The WebSocket is refused: {error}", "Check the path of --mqtt: FROST-Server serves it under /mqtt."
            )
        return self._error(f"The MQTT endpoint cannot be reached: {error}", "Check --mqtt, and that the service runs.")

    def _login(self) -> str:
        if self._access.credentials is None:
            return "The service asks for a token for MQTT: name a client with --client-credentials FILE."
        return (
            f"The service does not accept the token of client '{self._access.credentials.client_id}': it must be of "
            "the realm that spec.auth.keycloak.realm means. Compare token_url, and the clocks."
        )

    async def _subscribe(self, topics: Sequence[str]) -> None:
        sent, identifier = self._client.subscribe([(topic, self._qos) for topic in topics])
        if sent != mqtt.MQTT_ERR_SUCCESS:
            raise self._lost(mqtt.error_string(sent))
        # Set before the event loop runs again, thus before the answer can be handed to it.
        granted = self._granted[identifier] = self._loop.create_future()
        answers = await self._answer(granted, "subscription")
        refused = [topic for topic, answer in zip(topics, answers, strict=False) if answer.is_failure]
        if refused:
            more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
            raise self._error(
                f"The subscription to {refused[0]}{more} is refused",
                "Check the topic, and that the service allows anonymous reading, or the client's token reading.",
            )

    async def _answer(self, answer: asyncio.Future[_Answer], to: str) -> _Answer:
        try:
            async with asyncio.timeout(self._timeout):
                return await answer
        except TimeoutError as error:
            raise self._error(
                f"The {to} was not answered within {self._timeout:g} s",
                _NO_BROKER,
            ) from error

    async def _stop(self) -> None:
        self._client.disconnect()
        # Waits for the thread of the network loop.
        await asyncio.to_thread(self._client.loop_stop)

    # paho calls these four in its own thread.

    def _on_connect(
        self, _client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, answer: ReasonCode, _properties: Any
    ) -> None:
        self._loop.call_soon_threadsafe(_resolve, self._connected, answer)

    def _on_subscribe(
        self, _client: mqtt.Client, _data: Any, identifier: int, answers: list[ReasonCode], _properties: Any
    ) -> None:
        self._loop.call_soon_threadsafe(lambda: _resolve(self._granted.pop(identifier), answers))

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        arrived = Message(message.topic, bytes(message.payload), time.perf_counter(), datetime.now(UTC))
        self._loop.call_soon_threadsafe(self._messages.put_nowait, arrived)

    def _on_disconnect(
        self, _client: mqtt.Client, _data: Any, _flags: mqtt.DisconnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        self._loop.call_soon_threadsafe(self._end, str(reason))

    def _end(self, reason: str) -> None:
        self._messages.put_nowait(self._lost(reason))
        error = self._error(f"The connection ended before the subscription stood: {reason}", _NO_BROKER)
        pending: list[asyncio.Future[Any]] = [self._connected, *self._granted.values()]
        for waiting in pending:
            if not waiting.done():
                waiting.set_exception(error)

    def _lost(self, reason: str) -> SensorThingsError:
        return self._error(
            f"The connection is lost: {reason}", "Observations published since then are not delivered; start again."
        )

    def _error(self, what: str, remedy: str) -> SensorThingsError:
        return SensorThingsError(what, where=str(self.broker), remedy=remedy)


def origin(broker: BrokerUrl) -> dict[str, str]:
    """The headers that name the host: paho-mqtt writes the address there that it connects to."""
    host = f"[{broker.host}]" if ":" in broker.host else broker.host
    named = host if broker.port == (443 if broker.tls else 80) else f"{host}:{broker.port}"
    return {"Host": named, "Origin": f"{'https' if broker.tls else 'http'}://{named}"}


def _resolve(waiting: asyncio.Future[_Answer], answer: _Answer) -> None:
    if not waiting.done():
        waiting.set_result(answer)
