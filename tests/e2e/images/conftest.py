"""A database, a broker and both FROST modules from our images, on loopback, once for all tests in this folder."""

from __future__ import annotations

import json
import os
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from localcluster import images, parts
from localcluster.controlplane import ControlPlane, ControlPlaneConfig
from tests.e2e.images.containers import Container, Runtime, await_true, may_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PERSISTENCE = "de.fraunhofer.iosb.ilt.frostserver.persistence.pgjooq.PostgresPersistenceManager"
_BUS = "de.fraunhofer.iosb.ilt.frostserver.messagebus.MqttMessageBus"
_BROKER = "de.fraunhofer.iosb.ilt.frostserver.mqtt.moquette.MoquetteMqttServer"
START_DATABASE = """
set -eu
initdb --pgdata "$PGDATA" --username postgres --auth trust --encoding UTF8 --locale C.UTF-8 > /dev/null
exec postgres -c listen_addresses=127.0.0.1 -c port=$PORT -c unix_socket_directories=/tmp -c fsync=off
"""
CREATE_DATABASE = """
create role sensorthings login password 'test';
create database {name} owner sensorthings;
\\connect {name}
create extension postgis;
"""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody accepts connections on a port of 127.0.0.1."""
    return listens_at("127.0.0.1", port)


def listens_at(address: str, port: int) -> bool:
    """Whether somebody accepts connections at an address of the loopback interface."""
    with socket.socket() as caller:
        caller.settimeout(1)
        return caller.connect_ex((address, port)) == 0


@dataclass
class Answer:
    """An HTTP answer."""

    code: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(url: str, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    """One HTTP request; a string body is sent as it is, anything else as JSON."""
    data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    given = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(url, data, {**given, **(headers or {})}, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return Answer(answer.status, dict(answer.headers), answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read().decode())
    except (urllib.error.URLError, ConnectionError) as error:
        return Answer(0, {}, str(error))


@dataclass
class Http:
    """A running frost-http."""

    container: Container
    port: int

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}/FROST-Server/v1.1"

    def answers(self) -> bool:
        """Whether it answers from the database."""
        return call(f"{self.root}/Things?$top=1&$select=id").code == 200


@dataclass
class Mqtt:
    """A running frost-mqtt."""

    container: Container
    port: int
    web_socket_port: int


@dataclass
class Stack:
    """Starts servers of one test session."""

    runtime: Runtime
    folder: Path
    database_port: int = field(default_factory=free_port)
    bus_port: int = field(default_factory=free_port)
    database: Container | None = None
    mounts: dict[str, Path] = field(default_factory=dict)
    """Of both FROST modules."""

    def start_database(self, *names: str) -> Container:
        """PostgreSQL with a database of each name."""
        environment = {"PORT": str(self.database_port), "PGDATA": "/tmp/data"}  # noqa: S108
        container = self.runtime.run("postgresql", environment=environment, command=["bash", "-c", START_DATABASE])
        await_true(lambda: "ready to accept connections" in container.log, container.log)
        self.database = container
        for name in names:
            script = CREATE_DATABASE.format(name=name)
            if name != names[0]:
                script = script.split(";", 1)[1]
            self.sql("postgres", script)
        return container

    def sql(self, database: str, script: str) -> str:
        """Run SQL as the superuser."""
        assert self.database
        psql = ["psql", "--host=127.0.0.1", f"--port={self.database_port}", "--username=postgres", "-XAtq"]
        shell = f'printf %s "$1" | {" ".join(psql)} -v ON_ERROR_STOP=1 --dbname={database}'
        return self.database.execute("bash", "-c", shell, "bash", script).strip()

    def start_bus(self, port: int | None = None) -> Container:
        """Mosquitto, for anyone on loopback."""
        port = port or self.bus_port
        configuration = self.folder / f"mosquitto-{port}.conf"
        configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        container = self.runtime.run("mosquitto", mounts={"/mosquitto/config/mosquitto.conf": configuration})
        await_true(lambda: listens(port), "mosquitto listens")
        return container

    def settings(self, database: str, *, update: bool) -> dict[str, str]:
        """FROST's settings that both modules need."""
        return {
            "serviceRootUrl": "http://127.0.0.1/FROST-Server",
            "plugins_coreModel_enable": "true",
            "plugins_openApi_enable": "true",
            "persistence_persistenceManagerImplementationClass": _PERSISTENCE,
            "persistence_autoUpdateDatabase": str(update).lower(),
            "persistence_db_driver": "org.postgresql.Driver",
            "persistence_db_url": f"jdbc:postgresql://127.0.0.1:{self.database_port}/{database}",
            "persistence_db_username": "sensorthings",
            "persistence_db_password": "test",
            "bus_busImplementationClass": _BUS,
            "bus_mqttBroker": f"tcp://127.0.0.1:{self.bus_port}",
        }

    def start_http(self, database: str, *, update: bool = False, user: int | None = None, **more: str) -> Http:
        """The HTTP server; it may not answer yet."""
        port = free_port()
        root = {"serviceRootUrl": f"http://127.0.0.1:{port}/FROST-Server", "FROST_HTTP_PORT": str(port)}
        environment = {**self.settings(database, update=update), **root, **more}
        return Http(self.runtime.run("frost-http", environment=environment, mounts=self.mounts, user=user), port)

    def start_mqtt(self, database: str, **more: str) -> Mqtt:
        """The MQTT module; it may not listen yet."""
        tcp, web_socket = free_port(), free_port()
        own = {
            "mqtt_Enabled": "true",
            "mqtt_mqttServerImplementationClass": _BROKER,
            "mqtt_Host": "127.0.0.1",
            "mqtt_internalHost": "127.0.0.1",
            "mqtt_Port": str(tcp),
            "mqtt_WebsocketPort": str(web_socket),
            "mqtt_persistentStoreType": "memory",
        }
        environment = {**self.settings(database, update=False), **own, **more}
        return Mqtt(self.runtime.run("frost-mqtt", environment=environment, mounts=self.mounts), tcp, web_socket)


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """Containers of the images as they stand in this checkout; an image that is missing is built when it is needed."""
    if not may_run() and not os.environ.get("CI"):
        pytest.skip("needs root, runc, buildah and mmdebstrap")
    runtime = Runtime(tmp_path_factory.mktemp("images"), images.build)
    yield runtime
    runtime.close()


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server for the controllers among the images; nothing runs pods."""
    settings = ControlPlaneConfig.on_loopback(
        tmp_path_factory.mktemp("control-plane"),
        kubernetes=parts.ensure(parts.KUBERNETES),
        etcd=parts.ensure(parts.ETCD),
    )
    with ControlPlane(settings) as running:
        yield running


@pytest.fixture(scope="session")
def stack(runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A database and a bus."""
    stack = Stack(runtime, tmp_path_factory.mktemp("stack"))
    stack.start_database("sensorthings", "empty")
    stack.start_bus()
    return stack


@pytest.fixture(scope="session")
def http(stack: Stack) -> Http:
    """An HTTP server that has made the schema of an empty database."""
    server = stack.start_http("sensorthings", update=True)
    await_true(server.answers, "frost-http answers from the database")
    return server


@pytest.fixture(scope="session")
def mqtt(stack: Stack, http: Http) -> Mqtt:
    """An MQTT module beside the HTTP server."""
    assert http
    server = stack.start_mqtt("sensorthings")
    await_true(lambda: listens(server.port) and listens(server.web_socket_port), "frost-mqtt listens")
    return server
