"""The check of delivery against real FROST-Server modules: what it leaves in the data, and a module that went deaf."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from sensorthings_operator.clients.delivery import DeliveryChecks, DeliveryTarget
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.conditions.delivery import DeliveryReason
from tests.e2e.images.conftest import Http, Mqtt, Stack, call, free_port, listens
from tests.e2e.images.containers import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensorthings_operator.clients.keycloak import KeycloakClients
    from sensorthings_operator.conditions.observed import Answer

_COLLECTIONS = ("Things", "Datastreams", "Sensors", "ObservedProperties", "FeaturesOfInterest", "Observations")


def _target(http: Http, mqtt: Mqtt) -> DeliveryTarget:
    pods = [Pod(name, f"uid-{name}", "127.0.0.1") for name in ("http", "mqtt")]
    return DeliveryTarget("/FROST-Server", (pods[0],), (pods[1],), (), mqtt.port, tls=False, http_port=http.port)


async def _verify(*targets: DeliveryTarget) -> list[Answer]:
    async with DeliveryChecks(cast("KeycloakClients", None)) as checks:
        return [await checks.verify(target) for target in targets]


async def _remove(target: DeliveryTarget) -> str:
    async with DeliveryChecks(cast("KeycloakClients", None)) as checks:
        return await checks.remove(target)


def _ids(http: Http) -> dict[str, set[int]]:
    return {collection: set(_listed(f"{http.root}/{collection}?$select=id")) for collection in _COLLECTIONS}


def _listed(address: str) -> Iterator[int]:
    following: str | None = address
    while following:
        page = call(following).json
        yield from (each["@iot.id"] for each in page["value"])
        following = page.get("@iot.nextLink")


def test_it_verifies_by_entities_that_are_marked_and_go_again(http: Http, mqtt: Mqtt) -> None:
    target, before = _target(http, mqtt), _ids(http)
    answers = asyncio.run(_verify(target, target))
    assert [answer.reason for answer in answers] == [DeliveryReason.DELIVERED] * 2, answers
    made = {collection: ids - before[collection] for collection, ids in _ids(http).items()}
    assert {collection: len(ids) for collection, ids in made.items()} == {
        **dict.fromkeys(_COLLECTIONS, 1),
        "Observations": 0,
    }
    (thing,) = made["Things"]
    found = call(f"{http.root}/Things({thing})?$expand=Locations").json
    assert found["properties"] == {"sensorthingsOperator": "delivery check"}
    assert found["Locations"] == [], "it is on no map"
    assert asyncio.run(_remove(target)) == ""
    assert _ids(http) == before


def _marked(http: Http, collection: str) -> str:
    """The path of the one entity of the check."""
    found = call(f"{http.root}/{collection}?$filter=properties/sensorthingsOperator%20eq%20%27delivery%20check%27")
    (entity,) = found.json["value"]
    return f"{http.root}/{collection}({entity['@iot.id']})"


def test_what_somebody_took_away_of_it_is_made_anew(http: Http, mqtt: Mqtt) -> None:
    target, before = _target(http, mqtt), _ids(http)
    asyncio.run(_verify(target))
    changes = (
        ("PATCH", "Datastreams", {"properties": {"sensorthingsOperator": "delivery check"}}),
        ("DELETE", "FeaturesOfInterest", None),
        ("DELETE", "Things", None),
        ("DELETE", "Sensors", None),
    )
    for method, collection, body in changes:
        assert call(_marked(http, collection), method, body).code == 200
        (answer,) = asyncio.run(_verify(target))
        assert answer.reason == DeliveryReason.DELIVERED, (method, collection, answer)
        made = {name: len(ids - before[name]) for name, ids in _ids(http).items()}
        assert made == {**dict.fromkeys(_COLLECTIONS, 1), "Observations": 0}, (method, collection)
    assert asyncio.run(_remove(target)) == ""
    assert _ids(http) == before


def test_a_module_that_went_deaf_is_found_and_one_that_begins_anew_delivers(stack: Stack, http: Http) -> None:
    assert http, "the schema is there"
    port = free_port()
    own = Stack(stack.runtime, stack.folder, database_port=stack.database_port, bus_port=port)
    bus = own.start_bus(port)
    writes, tells = own.start_http("sensorthings"), own.start_mqtt("sensorthings")
    await_true(writes.answers, "frost-http answers")
    await_true(lambda: listens(tells.port), "frost-mqtt listens")
    assert [answer.reason for answer in asyncio.run(_verify(_target(writes, tells)))] == [DeliveryReason.DELIVERED]

    # This bus keeps nothing: it forgets who was subscribed, and FROST-Server's module does not subscribe again.
    bus.stop()
    bus = own.start_bus(port)
    (answer,) = asyncio.run(_verify(_target(writes, tells)))
    # With one pod of each module nothing tells which of them it is.
    assert (answer.reason, answer.pods) == (DeliveryReason.MQTT_DEAF, ("mqtt", "http")), answer

    tells.container.stop()
    anew = own.start_mqtt("sensorthings")
    await_true(lambda: listens(anew.port), "frost-mqtt listens")
    (answer,) = asyncio.run(_verify(_target(writes, anew)))
    assert answer.reason == DeliveryReason.DELIVERED, answer
    asyncio.run(_remove(_target(writes, anew)))
    for container in (writes.container, anew.container, bus):
        container.stop()
