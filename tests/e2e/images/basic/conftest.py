"""A service with users: both modules of FROST-Server with the settings that are rendered, the gate, a real database."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from sensorthings_operator.api.database import DatabaseEndpoint
from sensorthings_operator.clients.database import Credentials
from sensorthings_operator.clients.users import User, keep
from sensorthings_operator.conditions.auth import UsersReason
from sensorthings_operator.desired import basic, mqttgate
from sensorthings_operator.desired.addresses import DatabaseAddress
from tests.e2e.images.conftest import CREATE_DATABASE, Http, Mqtt, Stack, call, free_port, listens
from tests.e2e.images.containers import await_true
from tests.e2e.images.test_frost import THING
from tests.e2e.visitor import Visitor
from tests.unit.operator import samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensorthings_operator.desired.service import Service
    from tests.e2e.images.containers import Container

DATABASE: Final = "basic"
CREDENTIALS: Final = Credentials("sensorthings", "test")
LOOKED_AT_SECONDS: Final = 1.0
"""Until the gate has a password looked at again."""
USERS: Final = {
    "reader": User("reader", "reader: pässword", frozenset({"read"})),
    "creator": User("creator", "p=creator/+%", frozenset({"create"})),
    "deleter": User("deleter", "p" * 255, frozenset({"delete"})),
    "all": User("mira+x@hamburg.example", "p-all", frozenset({"read", "create", "update", "delete"})),
    "operator": User(basic.DELIVERY_USER, "p-operator", frozenset({"read", "create", "delete"})),
}
"""Those who are in the database, by what tests call them."""
WRONG: Final = User("creator", "p-wrong", frozenset())
ADMIN: Final = User("admin", "admin", frozenset())
"""Of FROST-Server itself, which makes it with its tables."""


def header(user: User | None) -> dict[str, str]:
    """What HTTP shows of somebody, or of nobody."""
    if user is None:
        return {}
    return {"Authorization": f"Basic {b64encode(f'{user.name}:{user.password}'.encode()).decode()}"}


def address(stack: Stack, database: str = DATABASE) -> DatabaseAddress:
    """Of a database of the stack, as the operator knows it."""
    endpoint = DatabaseEndpoint(host="127.0.0.1", port=stack.database_port)
    return DatabaseAddress((endpoint,), database, "air-db", "disable", None)


def set_users(stack: Stack, *users: User) -> None:
    """Have the operator's own code bring them into the database."""
    reason, message, _ = asyncio.run(keep(address(stack), CREDENTIALS, users))
    assert reason is UsersReason.READY, message


@dataclass
class Gate:
    """What stands in front of the MQTT module."""

    container: Container
    port: int


@dataclass
class Modules:
    """Both modules of FROST-Server, and the gate."""

    anonymous_read: bool
    http: Http
    mqtt: Mqtt
    gate: Gate

    def status(self, method: str, path: str, user: User | None, body: Any = None) -> int:
        """What the HTTP module answers to somebody, or to nobody."""
        return call(f"{self.http.root}{path}", method, body, header(user)).code

    def make_thing(self) -> str:
        """The path of a new Thing."""
        made = call(f"{self.http.root}/Things", "POST", THING, header(USERS["all"]))
        assert made.code == 201, made
        return made.headers["Location"].removeprefix(self.http.root)

    def make_datastream(self) -> str:
        """The path of a new Datastream."""
        (entity,) = self.read(f"{self.make_thing()}/Datastreams")
        return str(entity["@iot.selfLink"]).removeprefix(self.http.root)

    def read(self, path: str) -> list[Any]:
        """Entities of a page."""
        return list(call(f"{self.http.root}{path}", headers=header(USERS["all"])).json["value"])

    def visitor(self, user: User | None) -> Visitor:
        """Somebody at the gate, or nobody."""
        if user is None:
            return Visitor(self.gate.port)
        return Visitor(self.gate.port, username=user.name, token=user.password or "")


def _service(*, anonymous_read: bool) -> Service:
    auth = {**samples.BASIC["auth"], "anonymousRead": anonymous_read}
    return samples.service({"auth": auth, "mqtt": {"publishing": {"enabled": True, "perSecond": 1000, "burst": 1000}}})


def _environment(stack: Stack, service: Service, settings: dict[str, str]) -> dict[str, Any]:
    url = stack.settings(DATABASE, update=False)["persistence_db_url"]
    given = {**basic.connection_settings(service, url), **settings}
    credentials = {"auth_db_username": CREDENTIALS.username, "auth_db_password": CREDENTIALS.password}
    return {**{name.replace(".", "_"): value for name, value in given.items()}, **credentials}


@pytest.fixture(scope="session")
def migrated(stack: Stack) -> list[str]:
    """A database that a schema Job has been at; the users whom FROST-Server made there."""
    stack.sql("postgres", CREATE_DATABASE.format(name=DATABASE).split(";", 1)[1])
    service = _service(anonymous_read=True)
    (sent,) = basic.schema_headers(service)
    settings = _environment(stack, service, basic.schema_settings(service))
    job = stack.start_http(DATABASE, update=True, **settings)
    shown = {sent["name"]: sent["value"]}
    await_true(lambda: call(f"{job.root}/Things?$top=1&$select=id", headers=shown).code == 200, "the migration is done")
    for method, path in (("POST", "/Things"), ("DELETE", "/Things(1)")):
        assert call(f"{job.root}{path}", method, THING, header(ADMIN)).code == 401, "here its users may do nothing"
    job.container.stop()
    return stack.sql(DATABASE, 'select "USER_NAME" from "USERS" order by 1').split()


@pytest.fixture(scope="session", params=[True, False], ids=["everybody reads", "users read"])
def modules(
    request: pytest.FixtureRequest, stack: Stack, migrated: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Modules]:
    """Both, ready, with the gate in front."""
    assert "admin" in migrated
    service = _service(anonymous_read=request.param)
    set_users(stack, *USERS.values())
    http = stack.start_http(DATABASE, **_environment(stack, service, basic.http_settings(service)))
    things = f"{http.root}/Things?$top=1&$select=id"
    await_true(lambda: call(things, headers=header(USERS["reader"])).code == 200, "frost-http answers a user")
    mqtt = stack.start_mqtt(DATABASE, **_environment(stack, service, basic.mqtt_settings(service)))
    await_true(lambda: listens(mqtt.port) and listens(mqtt.web_socket_port), "frost-mqtt listens")
    gate = _gate(stack, service, http, mqtt, tmp_path_factory)
    yield Modules(request.param, http, mqtt, gate)
    for container in (gate.container, mqtt.container, http.container):
        container.stop()


def _gate(stack: Stack, service: Service, http: Http, mqtt: Mqtt, folders: pytest.TempPathFactory) -> Gate:
    """As the operator configures it, but for its addresses and its patience."""
    folder = folders.mktemp("gate")
    folder.chmod(0o755)
    (manifest,) = mqttgate.build(service, samples.SETTINGS)
    configuration = json.loads(manifest["data"]["gate.json"])
    ports = {name: free_port() for name in configuration["listen"]}
    configuration["listen"] = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    configuration["broker"] = f"127.0.0.1:{mqtt.port}"
    configuration["publishing"]["url"] = http.root
    configuration["limits"]["verifySeconds"] = LOOKED_AT_SECONDS
    (folder / "gate.json").write_text(json.dumps(configuration))
    made = mqttgate.container(service, samples.SETTINGS)
    (mount,) = made["volumeMounts"]
    entry = stack.runtime.configuration("mqtt-gate")["Entrypoint"]
    container = stack.runtime.run("mqtt-gate", command=[*entry, *made["args"]], mounts={mount["mountPath"]: folder})
    await_true(lambda: all(map(listens, ports.values())), "the gate listens")
    return Gate(container, ports["mqtt"])


@pytest.fixture
def users(stack: Stack, modules: Modules) -> Iterator[dict[str, User]]:
    """Everybody, and everybody again after a test that has changed them."""
    assert modules, "the database is there"
    yield USERS
    set_users(stack, *USERS.values())
