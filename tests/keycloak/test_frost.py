"""FROST-Server with the settings that are rendered for a service, and tokens of a real Keycloak with a private CA."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from localcluster import images
from sensorthings_operator.clients.delivery import DeliveryChecks, DeliveryTarget
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.conditions.delivery import DeliveryReason
from sensorthings_operator.desired import keycloak as desired
from sensorthings_operator.desired.settings import KeycloakRealm, OperatorSettings
from tests.e2e.images.conftest import Http, Mqtt, Stack, call, listens
from tests.e2e.images.containers import Runtime, await_true, may_run
from tests.e2e.images.test_frost import THING
from tests.keycloak.conftest import OPERATOR
from tests.keycloak.mqtt import Client
from tests.keycloak.server import access_token
from tests.unit.operator import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sensorthings_operator.conditions.observed import Answer
    from sensorthings_operator.desired.service import Service
    from tests.e2e.images.containers import Container
    from tests.keycloak.server import Keycloak

REALM: Final = "hamburg"
ACCOUNTS: Final[dict[str, list[str]]] = {
    "writer": ["create", "read"],
    "reader": ["read"],
    "editor": ["update"],
    "all": list(desired.ROLES),
}
"""Service accounts and the roles of the service's client that they have."""
CHANGED: Final = {"description": "changed"}


@dataclass
class Modules:
    """Both modules of FROST-Server, as the operator would have them."""

    http: Http
    mqtt: Mqtt
    tokens: dict[str, str]

    def status(self, method: str, path: str, who: str = "", body: Any = None) -> int:
        """What the HTTP module answers to somebody, or to nobody."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return call(f"{self.http.root}{path}", method, body, headers).code

    def make_thing(self) -> str:
        """The path of a new Thing."""
        headers = {"Authorization": f"Bearer {self.tokens['all']}"}
        made = call(f"{self.http.root}/Things", "POST", THING, headers)
        assert made.code == 201, made
        return made.headers["Location"].removeprefix(self.http.root)


class _Mounting(Runtime):
    """Gives every container of an image what the pods of that image mount."""

    def __init__(self, folder: Path, archive: Callable[[str], Path]) -> None:
        super().__init__(folder, archive)
        self.mounts: dict[str, dict[str, Path]] = {}

    def run(self, image: str, *, mounts: Mapping[str, Path] | None = None, **options: Any) -> Container:
        """As the class above."""
        return super().run(image, mounts={**self.mounts.get(image, {}), **(mounts or {})}, **options)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A database and a bus, in containers of our images."""
    if not may_run() and not os.environ.get("CI"):
        pytest.skip("FROST-Server in containers needs root, runc, buildah and mmdebstrap")
    runtime = _Mounting(tmp_path_factory.mktemp("images"), images.build)
    try:
        stack = Stack(runtime, tmp_path_factory.mktemp("stack"))
        stack.start_database("sensorthings")
        stack.start_bus()
        yield stack
    finally:
        runtime.close()


@pytest.fixture(scope="module")
def service(keycloak: Keycloak, tmp_path_factory: pytest.TempPathFactory) -> tuple[Service, OperatorSettings]:
    """A service whose client the operator has made."""
    admin, folder = keycloak.admin(), tmp_path_factory.mktemp("realm")
    admin.make_realm(REALM)
    # Two certificates: a city that replaces its CA has both for a while.
    other = type(keycloak.authority).make().ca
    bundle = f"# the next one\n{other}# this year's\n{keycloak.authority.ca}"
    secret = admin.make_account(REALM, OPERATOR, {"realm-management": ["manage-clients"]})
    for name, text in (("client-id", OPERATOR), ("client-secret", secret), ("ca.crt", bundle)):
        (folder / name).write_text(text)
    realm = KeycloakRealm(url=keycloak.tls_url, realm=REALM, folder=folder)
    spec = {"auth": {"type": "Keycloak", "none": None, "keycloak": {"realm": "city"}}}
    service = replace(samples.service(spec), realm_ca=bundle)
    reason, message = asyncio.run(_ensure(realm, desired.client_of(service)))
    assert reason is AuthReason.READY, message
    return service, OperatorSettings(keycloak_realms={"city": realm})


async def _ensure(realm: KeycloakRealm, client: desired.RealmClient) -> tuple[AuthReason, str]:
    async with KeycloakClients() as clients:
        return await clients.ensure(realm, client)


@pytest.fixture(scope="module")
def tokens(keycloak: Keycloak, service: tuple[Service, OperatorSettings]) -> dict[str, str]:
    """An access token for each account, and for three that have nothing to do with the service."""
    admin, client_id = keycloak.admin(), desired.client_of(service[0]).client_id
    admin.call("POST", f"/{REALM}/roles", {"name": "create"})
    admin.make_account(REALM, "neighbour", {})
    neighbour = admin.client(REALM, "neighbour")["id"]
    admin.call("POST", f"/{REALM}/clients/{neighbour}/roles", {"name": "create"})
    rights = {name: {client_id: roles} for name, roles in ACCOUNTS.items()}
    strangers: dict[str, dict[str, list[str]]] = {
        "nobody": {},
        "realm-role": {},
        "of-neighbour": {"neighbour": ["create"]},
    }
    secrets = {name: admin.make_account(REALM, name, owned) for name, owned in {**rights, **strangers}.items()}
    role = admin.call("GET", f"/{REALM}/roles/create")
    user = admin.account_user(REALM, "realm-role")
    admin.call("POST", f"/{REALM}/users/{user}/role-mappings/realm", [role])
    grants = {
        name: {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}
        for name, secret in secrets.items()
    }
    ca = keycloak.authority.ca
    return {"garbage": "a.b.c", **{n: access_token(keycloak.tls_url, REALM, g, ca=ca) for n, g in grants.items()}}


def _mount(stack: Stack, image: str, folder: Path, service: tuple[Service, OperatorSettings]) -> None:
    """What the pod of an image mounts: the ConfigMap, and the truststore that the init container makes of it."""
    assert isinstance(stack.runtime, _Mounting)
    configuration, trust = folder / f"{image}-configuration", folder / f"{image}-trust"
    configuration.mkdir()
    (manifest,) = desired.build(*service)
    for name, text in manifest["data"].items():
        (configuration / name).write_text(text)
    stack.runtime.writable(image, trust)
    (container,) = desired.init_containers(*service, image)
    volumes = {"keycloak": configuration, "keycloak-trust": trust}
    stack.runtime.mounts[image] = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    made = stack.runtime.run(image, command=container["command"])
    assert made.process.wait(60) == 0, made.log


def _environment(settings: dict[str, str]) -> dict[str, Any]:
    return {name.replace(".", "_"): value for name, value in settings.items()}


@pytest.fixture(scope="module")
def modules(
    stack: Stack,
    service: tuple[Service, OperatorSettings],
    tokens: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Modules:
    """Both, ready."""
    folder = tmp_path_factory.mktemp("modules")
    for image in ("frost-http", "frost-mqtt"):
        _mount(stack, image, folder, service)
    http = stack.start_http("sensorthings", update=True, **_environment(desired.http_settings(service[0])))
    await_true(http.answers, "frost-http answers from the database")
    mqtt = stack.start_mqtt("sensorthings", **_environment(desired.mqtt_settings(service[0])))
    await_true(lambda: listens(mqtt.port) and listens(mqtt.web_socket_port), "frost-mqtt listens")
    return Modules(http, mqtt, tokens)


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("", 401),
        ("garbage", 401),
        ("writer", 201),
        ("all", 201),
        ("reader", 403),
        ("editor", 403),
        ("nobody", 401),
        ("realm-role", 401),
        ("of-neighbour", 401),
    ],
)
def test_who_may_create(who: str, status: int, modules: Modules) -> None:
    assert modules.status("POST", "/Things", who, THING) == status


def test_everybody_may_read(modules: Modules) -> None:
    assert [modules.status("GET", "/Things", who) for who in ("", "reader", "nobody", "garbage")] == [200] * 4


def test_each_right_is_a_role_of_its_own(modules: Modules) -> None:
    thing = modules.make_thing()
    assert modules.status("PATCH", thing, "writer", CHANGED) == 403
    assert modules.status("PATCH", thing, "editor", CHANGED) == 200
    assert modules.status("DELETE", thing, "editor") == 403
    assert modules.status("DELETE", thing, "all") == 200


@pytest.mark.parametrize("who", ["", "reader", "writer", "all"])
def test_a_batch_gets_round_no_role(who: str, modules: Modules) -> None:
    thing = modules.make_thing()
    batch = {"requests": [{"id": "1", "method": "delete", "url": thing.removeprefix("/")}]}
    assert modules.status("POST", "/$batch", who, batch) >= 400
    assert modules.status("GET", thing) == 200


@pytest.fixture
def datastream(modules: Modules) -> str:
    """The path of a new Datastream."""
    thing = modules.make_thing()
    (entity,) = call(f"{modules.http.root}{thing}/Datastreams").json["value"]
    return str(entity["@iot.selfLink"]).removeprefix(modules.http.root)


@pytest.mark.parametrize("transport", ["tcp", "websockets"])
def test_everybody_may_subscribe(transport: str, modules: Modules, datastream: str) -> None:
    port = modules.mqtt.port if transport == "tcp" else modules.mqtt.web_socket_port
    client = Client(port, transport=transport)
    try:
        assert client.subscribe(f"v1.1{datastream}/Observations") == [1]
        assert modules.status("POST", f"{datastream}/Observations", "writer", {"result": 7}) == 201
        await_true(lambda: [told["result"] for told in client.received] == [7], "the Observation arrives", 20)
    finally:
        client.close()


@pytest.mark.parametrize("who", ["", "reader", "writer", "all"])
def test_nobody_may_publish(who: str, modules: Modules, datastream: str) -> None:
    topic = f"v1.1{datastream}/Observations"
    witness, client = Client(modules.mqtt.port), Client(modules.mqtt.port, token=modules.tokens.get(who, ""))
    try:
        assert witness.subscribe(topic) == [1]
        assert not client.refused
        client.publish(topic, {"result": 8})
        assert modules.status("POST", f"{datastream}/Observations", "writer", {"result": 9}) == 201
        await_true(lambda: bool(witness.received), "the Observation after it arrives", 20)
        assert [told["result"] for told in witness.received] == [9]
        assert [e["result"] for e in call(f"{modules.http.root}{datastream}/Observations").json["value"]] == [9]
    finally:
        client.close()
        witness.close()


@pytest.mark.parametrize("who", ["garbage", "nobody", "of-neighbour"])
def test_a_token_for_others_does_not_connect(who: str, modules: Modules) -> None:
    client = Client(
        modules.mqtt.port, token=modules.tokens[who].ljust(60, "x") if who == "garbage" else modules.tokens[who]
    )
    try:
        assert client.refused
    finally:
        client.close()


def test_the_operator_verifies_delivery_with_a_token_of_its_own(
    modules: Modules, service: tuple[Service, OperatorSettings], keycloak: Keycloak
) -> None:
    """By a client that manage-clients alone was enough to make, and that goes when nobody verifies any more."""
    of, settings = service
    realm, client = desired.realm_of(of, settings), desired.delivery_client_of(of)
    pods = (Pod("http", "uid-http", "127.0.0.1"), Pod("mqtt", "uid-mqtt", "127.0.0.1"))
    target = DeliveryTarget(
        "/FROST-Server", pods[:1], pods[1:], (), modules.mqtt.port, False, modules.http.port, realm, client
    )
    answers = asyncio.run(_verified(target, target))
    assert [answer.reason for answer in answers] == [DeliveryReason.DELIVERED] * 2, answers
    admin = keycloak.admin()
    assert admin.client(REALM, client.client_id)["serviceAccountsEnabled"]
    assert asyncio.run(_removed(target)) == ""
    assert admin.call("GET", f"/{REALM}/clients?clientId={client.client_id}") == []


async def _verified(*targets: DeliveryTarget) -> list[Answer]:
    async with KeycloakClients() as clients, DeliveryChecks(clients) as checks:
        return [await checks.verify(target) for target in targets]


async def _removed(target: DeliveryTarget) -> str:
    async with KeycloakClients() as clients, DeliveryChecks(clients) as checks:
        return await checks.remove(target)
