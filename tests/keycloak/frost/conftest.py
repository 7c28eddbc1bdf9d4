"""Both modules of FROST-Server with the settings that are rendered for a service, the gate in front of one of them, and
tokens of a real Keycloak with a private CA.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from localcluster import images
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.desired import keycloak as desired
from sensorthings_operator.desired import mqttgate
from sensorthings_operator.desired.settings import KeycloakRealm, OperatorSettings
from tests.e2e.images.conftest import Http, Mqtt, Stack, call, free_port, listens
from tests.e2e.images.containers import Runtime, await_true, may_run
from tests.e2e.images.test_frost import THING
from tests.keycloak.conftest import OPERATOR
from tests.keycloak.server import access_token
from tests.unit.operator import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sensorthings_operator.desired.service import Service
    from tests.e2e.images.containers import Container
    from tests.keycloak.server import Keycloak

REALM: Final = "hamburg"
ELSEWHERE: Final = "bremen"
"""A realm of the same Keycloak, with clients of the same names."""
ACCOUNTS: Final[dict[str, list[str]]] = {
    "writer": ["create", "read"],
    "reader": ["read"],
    "creator": ["create"],
    "editor": ["update"],
    "deleter": ["delete"],
    "admin": ["admin"],
    "all": list(desired.ROLES),
    "expired": list(desired.ROLES),
    "short": list(desired.ROLES),
}
"""Service accounts and the roles of the service's client that they have."""
LIFESPANS: Final = {"expired": 1, "short": 8}
"""Seconds that the tokens of an account live."""


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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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
    spec = {
        "auth": {"type": "Keycloak", "none": None, "keycloak": {"realm": "city"}},
        "mqtt": {"publishing": {"enabled": True, "perSecond": 1000, "burst": 1000}},
    }
    service = replace(samples.service(spec), realm_ca=bundle)
    reason, message = asyncio.run(_ensure(realm, desired.client_of(service)))
    assert reason is AuthReason.READY, message
    return service, OperatorSettings(keycloak_realms={"city": realm})


async def _ensure(realm: KeycloakRealm, client: desired.RealmClient) -> tuple[AuthReason, str]:
    async with KeycloakClients() as clients:
        return await clients.ensure(realm, client)


@pytest.fixture(scope="session")
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
    for name, seconds in LIFESPANS.items():
        client = admin.client(REALM, name)
        attributes = {**client["attributes"], "access.token.lifespan": str(seconds)}
        admin.call("PUT", f"/{REALM}/clients/{client['id']}", {"clientId": name, "attributes": attributes})
    granted = {name: _token(keycloak, REALM, name, secret) for name, secret in secrets.items()}
    time.sleep(LIFESPANS["expired"] + 1)
    return {
        "garbage": "a.b.c",
        **granted,
        "tampered": _tampered(granted["reader"], client_id),
        "other-realm": _token_of_another_realm(keycloak, client_id),
        "person": _token_of_a_person(keycloak, client_id),
    }


def _token(keycloak: Keycloak, realm: str, client_id: str, secret: str) -> str:
    grant = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    return access_token(keycloak.tls_url, realm, grant, ca=keycloak.authority.ca)


def _tampered(token: str, client_id: str) -> str:
    """The same with a role more, and the signature of the one without."""
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(f"{payload}=="))
    claims["resource_access"][client_id]["roles"].append("create")
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{header}.{changed}.{signature}"


def _token_of_another_realm(keycloak: Keycloak, client_id: str) -> str:
    """Of an account that has all roles of a client of the same name."""
    admin = keycloak.admin()
    admin.make_realm(ELSEWHERE)
    admin.make_account(ELSEWHERE, client_id, {})
    id_ = admin.client(ELSEWHERE, client_id)["id"]
    for role in desired.ROLES:
        admin.call("POST", f"/{ELSEWHERE}/clients/{id_}/roles", {"name": role})
    secret = admin.make_account(ELSEWHERE, "writer", {client_id: list(desired.ROLES)})
    return _token(keycloak, ELSEWHERE, "writer", secret)


def _token_of_a_person(keycloak: Keycloak, client_id: str) -> str:
    """Of somebody who may create, by another application of the realm, to which Keycloak gives all that they have."""
    admin, password = keycloak.admin(), "alice-of-the-tests"
    secret = admin.make_account(REALM, "application", {})
    application = admin.client(REALM, "application")
    admin.call(
        "PUT",
        f"/{REALM}/clients/{application['id']}",
        {"clientId": "application", "directAccessGrantsEnabled": True, "fullScopeAllowed": True},
    )
    credentials = [{"type": "password", "value": password, "temporary": False}]
    person = {"username": "alice", "enabled": True, "email": "alice@example.org", "firstName": "A", "lastName": "B"}
    admin.call("POST", f"/{REALM}/users", {**person, "emailVerified": True, "credentials": credentials})
    (user,) = admin.call("GET", f"/{REALM}/users?username=alice")
    roles = admin.roles(REALM, client_id)
    path = f"/{REALM}/users/{user['id']}/role-mappings/clients/{admin.client(REALM, client_id)['id']}"
    admin.call("POST", path, [roles["create"], roles["read"]])
    login = {"grant_type": "password", "username": "alice", "password": password}
    form = {**login, "client_id": "application", "client_secret": secret}
    return access_token(keycloak.tls_url, REALM, form, ca=keycloak.authority.ca)


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


@pytest.fixture(scope="session")
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


@pytest.fixture
def datastream(modules: Modules) -> str:
    """The path of a new Datastream."""
    thing = modules.make_thing()
    (entity,) = call(f"{modules.http.root}{thing}/Datastreams").json["value"]
    return str(entity["@iot.selfLink"]).removeprefix(modules.http.root)


@dataclass
class Gate:
    """What stands in front of the MQTT module."""

    container: Container
    port: int
    web_socket_port: int
    status_port: int

    def metrics(self) -> str:
        """As Prometheus reads them."""
        return call(f"http://127.0.0.1:{self.status_port}/metrics").body


@pytest.fixture(scope="session")
def gate(
    stack: Stack,
    modules: Modules,
    service: tuple[Service, OperatorSettings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Gate:
    """The gate as the operator configures it, but for its addresses."""
    folder = tmp_path_factory.mktemp("gate")
    folder.chmod(0o755)
    (manifest,) = mqttgate.build(*service)
    configuration = json.loads(manifest["data"]["gate.json"])
    ports = {name: free_port() for name in configuration["listen"]}
    configuration["listen"] = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    configuration["broker"] = f"127.0.0.1:{modules.mqtt.port}"
    configuration["publishing"]["url"] = modules.http.root
    for name, text in {**manifest["data"], "gate.json": json.dumps(configuration)}.items():
        (folder / name).write_text(text)
    made = mqttgate.container(*service)
    (mount,) = made["volumeMounts"]
    entry = stack.runtime.configuration("mqtt-gate")["Entrypoint"]
    container = stack.runtime.run("mqtt-gate", command=[*entry, *made["args"]], mounts={mount["mountPath"]: folder})
    await_true(lambda: all(map(listens, ports.values())), "the gate listens")
    return Gate(container, ports["mqtt"], ports["webSocket"], ports["status"])
