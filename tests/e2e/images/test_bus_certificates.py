"""Mutual TLS on the bus, with the configuration and the options that the operator makes: who is let in, who is not."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from sensorthings_operator.apply import certificates
from sensorthings_operator.desired import bus, buscertificates
from sensorthings_operator.desired.jdbc import JAVA_OPTION
from tests.e2e.images.conftest import Http, Stack, call, free_port, listens
from tests.e2e.images.containers import await_true
from tests.e2e.images.test_frost import THING, Subscriber
from tests.unit.operator.samples import SETTINGS, service

if TYPE_CHECKING:
    from pathlib import Path

_HOST = "localhost"


def _written(folder: Path, values: dict[str, bytes]) -> Path:
    folder.mkdir()
    folder.chmod(0o755)
    for name, value in values.items():
        (folder / name).write_bytes(value)
    return folder


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The values of the Secret, as files."""
    values = certificates.issue({}, [_HOST], datetime.now(UTC))
    return _written(tmp_path_factory.mktemp("issued") / "certificates", values)


@pytest.fixture(scope="module")
def bus_port(stack: Stack, issued: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """A bus as the operator configures it, but for its address."""
    port = free_port()
    (configuration,) = (m["data"]["mosquitto.conf"] for m in bus.build(service(), SETTINGS) if m["kind"] == "ConfigMap")
    configuration = configuration.replace("listener 8883", f"listener {port} 127.0.0.1")
    assert str(port) in configuration
    folder = tmp_path_factory.mktemp("bus")
    (folder / "mosquitto.conf").write_text(configuration.replace("/mosquitto/data/", "/tmp/"))  # noqa: S108
    mounts = {"/mosquitto/config/mosquitto.conf": folder / "mosquitto.conf", "/mosquitto/certificates": issued}
    stack.runtime.run("mosquitto", mounts=mounts)
    await_true(lambda: listens(port), "mosquitto listens")
    return port


class _Client:
    """One try to connect."""

    def __init__(self, port: int, trusts: Path, certificate: Path | None) -> None:
        self.answers: list[Any] = []
        client = paho.Client(CallbackAPIVersion.VERSION2)
        context = ssl.create_default_context(cafile=str(trusts / buscertificates.CA))
        if certificate is not None:
            context.load_cert_chain(certificate / buscertificates.CLIENT, certificate / buscertificates.CLIENT_KEY)
        client.tls_set_context(context)
        client.on_connect = lambda _c, _d, _f, reason, _p: self.answers.append(reason)
        client.on_disconnect = lambda *_: self.answers.append("disconnected")
        client.connect(_HOST, port)
        client.loop_start()
        await_true(lambda: bool(self.answers), "an answer")
        client.disconnect()
        client.loop_stop()


def test_a_client_of_the_services_own_authority_is_let_in(bus_port: int, issued: Path) -> None:
    (reason, *_) = _Client(bus_port, issued, issued).answers
    assert reason == 0


def test_nobody_else_is(bus_port: int, issued: Path, tmp_path: Path) -> None:
    other = _written(tmp_path / "other", certificates.issue({}, [_HOST], datetime.now(UTC)))
    for certificate in (None, other):
        (reason, *_) = _Client(bus_port, issued, certificate).answers
        assert reason == "disconnected"


def test_a_bus_of_another_authority_is_not_trusted(bus_port: int, tmp_path: Path) -> None:
    other = _written(tmp_path / "other", certificates.issue({}, [_HOST], datetime.now(UTC)))
    context = ssl.create_default_context(cafile=str(other / buscertificates.CA))
    with socket.create_connection((_HOST, bus_port), 10) as plain, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(plain, server_hostname=_HOST)


@pytest.mark.parametrize("joined", [False, True], ids=["its own store", "with the public authorities"])
def test_an_observation_crosses_it(  # noqa: PLR0917 - what it takes
    stack: Stack,
    http: Http,
    bus_port: int,
    issued: Path,
    joined: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert http, "the schema is there"
    monkeypatch.setattr(buscertificates, "_joins", lambda *_: joined)
    crossing = Stack(stack.runtime, stack.folder, database_port=stack.database_port, bus_port=bus_port)
    crossing.mounts[buscertificates.CLIENT_PATH] = issued
    if joined:
        crossing.mounts["/run/sensorthings/bus"] = _join(stack, issued, tmp_path)
    options = " ".join([JAVA_OPTION, *buscertificates.java_options(service(), SETTINGS)])
    more: dict[str, Any] = {"JAVA_TOOL_OPTIONS": options, "bus_mqttBroker": f"ssl://{_HOST}:{bus_port}"}
    writes = crossing.start_http("sensorthings", **more)
    tells = crossing.start_mqtt("sensorthings", **more)
    await_true(writes.answers, "frost-http answers")
    await_true(lambda: listens(tells.port), "frost-mqtt listens")
    thing = call(f"{writes.root}/Things", "POST", THING).headers["Location"]
    (datastream,) = call(f"{thing}/Datastreams").json["value"]
    subscriber = Subscriber(tells.port, "tcp", f"v1.1/Datastreams({datastream['@iot.id']})/Observations")

    def told() -> bool:
        url = f"{writes.root}/Datastreams({datastream['@iot.id']})/Observations"
        assert call(url, "POST", {"result": "green"}).code == 201
        return bool(subscriber.received)

    try:
        await_true(told, "it is told of", 20)
    finally:
        subscriber.close()
    for server in (writes, tells):
        server.container.stop()


def _join(stack: Stack, issued: Path, folder: Path) -> Path:
    """What the init container leaves for the module."""
    trust = folder / "trust"
    trust.mkdir()
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    stack.runtime.give("frost-http", trust)
    (container,) = buscertificates.init_containers(service(), SETTINGS, "frost-http")
    mounts = {buscertificates.CLIENT_PATH: issued, "/run/sensorthings/bus": trust}
    joining = stack.runtime.run("frost-http", command=container["command"], mounts=mounts)
    await_true(lambda: joining.process.poll() is not None, "it ends")
    assert joining.process.returncode == 0, joining.log
    return trust
