"""What works against FROST-Server's own MQTT module, tried at the gate. The first test shows that it works there."""

from __future__ import annotations

import itertools
import json
import socket
import time
from typing import TYPE_CHECKING, Final

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from tests.e2e.images.conftest import call
from tests.e2e.images.containers import await_true
from tests.e2e.visitor import Outcome, Visitor
from tests.keycloak.frost.conftest import LIFESPANS, REALM
from tests.keycloak.server import access_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.visitor import Transport
    from tests.keycloak.frost.conftest import Gate, Modules
    from tests.keycloak.server import Keycloak

_SECONDS: Final = 3.0
_numbers = itertools.count(5000)


def _text(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def _packet(kind: int, body: bytes) -> bytes:
    length, size = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        size += bytes([digit | (0x80 if length else 0)])
        if not length:
            return bytes([kind]) + size + body


def _connect(client_id: str, *, token: str = "", will: tuple[str, str] | None = None) -> bytes:
    """A CONNECT of MQTT 3.1.1 with a clean session."""
    flags = 0x02 | (0xC0 if token else 0) | (0x04 if will else 0)
    fields = [client_id, *(will or ()), *(("anybody", token) if token else ())]
    return _packet(0x10, _text(b"MQTT") + bytes([4, flags, 0, 60]) + b"".join(_text(each.encode()) for each in fields))


def _publish(topic: str, result: int, *, retain: bool = False) -> bytes:
    """A PUBLISH with QoS 0."""
    return _packet(0x30 | retain, _text(topic.encode()) + json.dumps({"result": result}).encode())


def _said(connection: socket.socket) -> bytes:
    """What comes until the connection ends or nothing more does."""
    connection.settimeout(_SECONDS)
    said = b""
    try:
        while more := connection.recv(1000):
            said += more
    except TimeoutError:
        return said + b"...open"
    except ConnectionError:
        pass
    return said


class _Stage:
    """A Datastream, and a witness who is told of all that happens to it."""

    def __init__(self, modules: Modules, gate: Gate, datastream: str) -> None:
        self.modules, self.gate, self.datastream = modules, gate, datastream
        self.topic = f"v1.1{datastream}/Observations"
        self.witness = Visitor(gate.port)
        assert self.witness.subscribe(self.topic) is Outcome.GRANTED
        # FROST-Server knows of a subscription only a moment after it was acknowledged.
        await_true(self._is_told, "the witness is told")

    def _is_told(self) -> bool:
        assert self.modules.status("POST", f"{self.datastream}/Observations", "writer", {"result": 1}) == 201
        time.sleep(0.2)
        return bool(self.witness.received)

    def happened(self, result: int) -> bool:
        """Whether a result was told of, or is stored."""
        mark = next(_numbers)
        assert self.modules.status("POST", f"{self.datastream}/Observations", "writer", {"result": mark}) == 201
        await_true(lambda: mark in [told["result"] for told in self.witness.received], "what comes after it is told")
        stored = call(f"{self.modules.http.root}{self.datastream}/Observations?$filter=result%20eq%20{result}")
        return result in [told["result"] for told in self.witness.received] or bool(stored.json["value"])


@pytest.fixture
def stage(modules: Modules, gate: Gate, datastream: str) -> Iterator[_Stage]:
    """Where the attacks are played."""
    made = _Stage(modules, gate, datastream)
    yield made
    made.witness.__exit__()


def test_at_frost_server_itself_a_will_of_nobody_is_relayed(modules: Modules, stage: _Stage) -> None:
    """What the gate is there for; were it mended there, this would be the place to learn of it."""
    result = next(_numbers)
    with Visitor(modules.mqtt.port) as witness:
        witness.subscribe(stage.topic)
        with socket.create_connection(("127.0.0.1", modules.mqtt.port)) as connection:
            connection.sendall(_connect("someone", will=(stage.topic, json.dumps({"result": result}))))
            assert connection.recv(4) == b"\x20\x02\x00\x00"
        await_true(lambda: result in [told["result"] for told in witness.received], "the will is told of", 20)


@pytest.mark.parametrize("token", ["", "reader", "writer"])
def test_a_will_is_refused(stage: _Stage, token: str) -> None:
    result = next(_numbers)
    will = (stage.topic, json.dumps({"result": result}))
    with Visitor(stage.gate.port, token=stage.modules.tokens.get(token, ""), will=will) as visitor:
        assert visitor.outcome is Outcome.REFUSED
    assert not stage.happened(result)


@pytest.mark.parametrize("together", [False, True], ids=["one after the other", "at once"])
@pytest.mark.parametrize("second", ["a known client id", "a will"])
def test_a_second_connect_ends_the_connection(stage: _Stage, second: str, together: bool) -> None:
    result, known = next(_numbers), f"known-{next(_numbers)}"
    with Visitor(stage.gate.port, client_id=known, token=stage.modules.tokens["writer"]) as visitor:
        assert visitor.publish(stage.topic, next(_numbers)) is Outcome.GRANTED
    again = (
        _connect(known)
        if second == "a known client id"
        else _connect("other", will=(stage.topic, f'{{"result":{result}}}'))
    )
    with socket.create_connection(("127.0.0.1", stage.gate.port)) as connection:
        if together:
            connection.sendall(_connect("someone") + again + _publish(stage.topic, result))
        else:
            connection.sendall(_connect("someone"))
            assert connection.recv(4) == b"\x20\x02\x00\x00"
            connection.sendall(again)
        assert _said(connection) in (b"", b"\x20\x02\x00\x00"), "no second CONNACK, and the end"
    assert not stage.happened(result)


def test_a_client_id_inherits_nothing_byte_by_byte(stage: _Stage) -> None:
    result, known = next(_numbers), f"known-{next(_numbers)}"
    with Visitor(stage.gate.port, client_id=known, token=stage.modules.tokens["writer"]) as visitor:
        assert visitor.publish(stage.topic, next(_numbers)) is Outcome.GRANTED
    with socket.create_connection(("127.0.0.1", stage.gate.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in _connect(known) + _publish(stage.topic, result):
            try:
                connection.sendall(bytes([byte]))
            except ConnectionError:
                break
            time.sleep(0.005)
        assert b"open" not in _said(connection)
    assert not stage.happened(result)


def test_nobody_takes_over_the_connection_of_another(stage: _Stage) -> None:
    with Visitor(stage.gate.port, client_id="device", token=stage.modules.tokens["writer"]) as device:
        with Visitor(stage.gate.port, client_id="device") as other:
            assert other.outcome is Outcome.GRANTED
            assert device.publish(stage.topic, next(_numbers)) is Outcome.GRANTED, "it is still there"
            result = next(_numbers)
            assert other.publish(stage.topic, result) is Outcome.CLOSED
        assert device.is_open
    assert not stage.happened(result)


@pytest.mark.parametrize("transport", ["tcp", "websockets"])
def test_a_connection_does_not_outlive_its_token(stage: _Stage, keycloak: Keycloak, transport: Transport) -> None:
    admin = keycloak.admin()
    secret = admin.client(REALM, "short")["secret"]
    form = {"grant_type": "client_credentials", "client_id": "short", "client_secret": secret}
    token = access_token(keycloak.tls_url, REALM, form, ca=keycloak.authority.ca)
    port = stage.gate.port if transport == "tcp" else stage.gate.web_socket_port
    begun = time.monotonic()
    with Visitor(port, token=token, transport=transport) as visitor:
        assert visitor.publish(stage.topic, next(_numbers)) is Outcome.GRANTED
        assert visitor.await_end(LIFESPANS["short"] + 2)
        assert time.monotonic() - begun > LIFESPANS["short"] - 3
    with Visitor(port, token=token, transport=transport) as visitor:
        assert visitor.outcome is Outcome.REFUSED


def test_nothing_is_retained(stage: _Stage) -> None:
    known = f"known-{next(_numbers)}"
    with Visitor(stage.gate.port, client_id=known, token=stage.modules.tokens["writer"]) as visitor:
        visitor.publish(stage.topic, next(_numbers), retain=True)
    with Visitor(stage.gate.port, client_id=known) as visitor:
        assert visitor.publish(stage.topic, next(_numbers), retain=True) is Outcome.CLOSED
    with Visitor(stage.gate.port) as late:
        assert late.subscribe(stage.topic) is Outcome.GRANTED
        mark = next(_numbers)
        await_true(lambda: _told_after(stage, late, mark), "it is told of what comes")
        assert late.retained == 0


def _told_after(stage: _Stage, visitor: Visitor, mark: int) -> bool:
    assert stage.modules.status("POST", f"{stage.datastream}/Observations", "writer", {"result": mark}) == 201
    time.sleep(0.2)
    return mark in [told["result"] for told in visitor.received]


@pytest.mark.parametrize(
    "topic", ["$SYS/broker/version", "foo/bar", "v1.1/Things(1)", "v1.1/Datastreams(99999)/Observations"]
)
def test_nothing_is_told_that_is_not_stored(stage: _Stage, topic: str) -> None:
    with Visitor(stage.gate.port) as everything:
        assert everything.subscribe("#") is Outcome.GRANTED
        result = next(_numbers)
        with Visitor(stage.gate.port, token=stage.modules.tokens["writer"]) as visitor:
            assert visitor.publish(topic, result) is Outcome.CLOSED
        assert not stage.happened(result)
        assert result not in [told.get("result") for told in everything.received]


def test_a_token_of_a_person_by_another_application_publishes_nothing(stage: _Stage) -> None:
    """Keycloak gives an application all roles of whoever logs in there, unless it is told otherwise."""
    result = next(_numbers)
    with Visitor(stage.gate.port, token=stage.modules.tokens["person"]) as visitor:
        assert visitor.publish(stage.topic, result) is not Outcome.GRANTED
    assert not stage.happened(result)


def test_frost_server_s_own_topics_are_not_for_subscribers(stage: _Stage) -> None:
    with Visitor(stage.gate.port) as visitor:
        assert visitor.subscribe("$SYS/#") is Outcome.REFUSED
        assert visitor.is_open


def test_version_five_is_spoken(stage: _Stage) -> None:
    version = MQTTProtocolVersion.MQTTv5
    with Visitor(stage.gate.port, version=version) as reader:
        assert reader.subscribe(stage.topic) is Outcome.GRANTED
        await_true(lambda: _told_after(stage, reader, 77), "it is told")
        assert reader.publish(stage.topic, next(_numbers)) is Outcome.REFUSED
        assert reader.is_open, "version 5 has a word for it"
        with Visitor(stage.gate.port, version=version, token=stage.modules.tokens["writer"]) as writer:
            result = next(_numbers)
            assert writer.publish(stage.topic, result) is Outcome.GRANTED
        await_true(lambda: result in [told["result"] for told in reader.received], "it is told of that, too")


def test_what_was_refused_is_counted_and_no_secret_is_told(stage: _Stage) -> None:
    token = stage.modules.tokens["tampered"]
    with Visitor(stage.gate.port, token=token) as visitor:
        assert visitor.outcome is Outcome.REFUSED
    told = stage.gate.metrics()
    assert "refused_total" in told
    for text in (told, stage.gate.container.log):
        for secret in stage.modules.tokens.values():
            assert secret not in text
            assert secret.rpartition(".")[2] not in text or len(secret) < 20
