"""FROST-Server with the settings that are rendered for a service, and tokens of a real Keycloak with a private CA."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest

from sensorthings_operator.clients.access import SignIn
from sensorthings_operator.clients.delivery import DeliveryChecks, DeliveryTarget
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.conditions.delivery import DeliveryReason
from sensorthings_operator.desired import keycloak as desired
from tests.e2e.images.conftest import call
from tests.e2e.images.containers import await_true
from tests.e2e.images.test_frost import THING
from tests.keycloak.frost.conftest import REALM, Modules
from tests.keycloak.mqtt import Client

if TYPE_CHECKING:
    from sensorthings_operator.conditions.observed import Answer
    from sensorthings_operator.desired.service import Service
    from sensorthings_operator.desired.settings import OperatorSettings
    from tests.keycloak.server import Keycloak

CHANGED: Final = {"description": "changed"}


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
        "/FROST-Server", pods[:1], pods[1:], (), modules.mqtt.port, False, modules.http.port, SignIn(realm, client)
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
