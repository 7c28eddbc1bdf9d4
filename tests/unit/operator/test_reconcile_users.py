"""Whole passes over a service with users: when they come into its database, and what waits for them."""

import asyncio
from base64 import b64decode, b64encode

import pytest

from sensorthings_operator.clients.users import User
from sensorthings_operator.conditions.auth import UsersReason
from tests.unit.operator.samples import BASIC
from tests.unit.operator.test_reconcile import KEY, SERVICE, City
from tests.unit.operator.virtual_time import on_virtual_time


def _password(city: City, text: str, name: str = "office", key: str = "password") -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "hamburg"}}
    city.api.objects.pop(("Secret", name), None)
    city.api.put({**secret, "data": {key: b64encode(text.encode()).decode()}})


def _with_users() -> City:
    city = City(BASIC)
    _password(city, "first", "air-users", "gateway")
    _password(city, "second")
    return city


def _kinds(city: City) -> set[str]:
    return {kind for kind, _ in city.api.objects}


@on_virtual_time
async def test_users_are_in_the_database_before_any_module_is_there() -> None:
    city = _with_users()
    city.users_answer = UsersReason.UNREACHABLE
    for _ in range(5):
        await city.look()
        city.succeed()
        await asyncio.sleep(6)
    assert "Job" in _kinds(city)
    assert "Deployment" not in _kinds(city), "FROST-Server's own users are in the database, such as admin"
    assert city.conditions()["AuthConfigured"] == "False"
    city.users_answer = UsersReason.READY
    await asyncio.sleep(20)
    await city.settle()
    assert set(city.users) == {"gateway", "office", "_delivery-check"}
    assert city.users["office"] == User("office", "second", frozenset({"read"}))
    drawn = b64decode(city.api.objects["Secret", "air-delivery"]["data"]["password"]).decode()
    assert city.users["_delivery-check"].password == drawn
    await city.close()


@on_virtual_time
async def test_a_changed_password_starts_no_pod_anew() -> None:
    city = _with_users()
    await city.settle()
    _password(city, "changed")
    before = len(city.api.writes())
    await asyncio.sleep(3)
    await city.look()
    await asyncio.sleep(2)
    assert city.users["office"].password == "changed"
    await city.look()
    assert city.api.writes()[before:] == []
    assert city.conditions()["Ready"] == "True"
    await city.close()


@on_virtual_time
async def test_a_user_whose_secret_is_gone_is_gone_too_and_named_and_pods_stay() -> None:
    city = _with_users()
    await city.settle()
    del city.api.objects["Secret", "office"]
    await asyncio.sleep(3)
    assert await city.look() == 5
    await asyncio.sleep(2)
    assert set(city.users) == {"gateway", "_delivery-check"}
    await city.look()
    (told,) = (c for c in city.api.objects[SERVICE]["status"]["conditions"] if c["type"] == "AuthConfigured")
    assert (told["reason"], "user office: Secret office does not exist" in told["message"]) == (
        "UserPasswordUnusable",
        True,
    )
    assert city.conditions()["HTTPAvailable"] == "True"
    for text in ("first", "second"):
        assert text not in str(city.api.objects[SERVICE]["status"])
    await city.close()


@on_virtual_time
async def test_a_change_waits_while_nobody_knows_who_is_in_the_database() -> None:
    city = _with_users()
    await city.settle()
    city.users_answer = UsersReason.UNREACHABLE
    await asyncio.sleep(60)
    live = city.api.objects[SERVICE]
    live["spec"]["http"] = {"replicas": 2}
    live["metadata"]["generation"] = 2
    city.api.touch(live)
    await city.look()
    assert city.api.objects["Deployment", "air-http"]["spec"]["replicas"] == 1
    city.users_answer = UsersReason.READY
    await asyncio.sleep(60)
    await city.look()
    assert city.api.objects["Deployment", "air-http"]["spec"]["replicas"] == 2
    await city.close()


@pytest.mark.parametrize("restarted", [False, True])
@on_virtual_time
async def test_the_operators_own_user_goes_with_the_others(restarted: bool) -> None:
    city = _with_users()
    await city.settle()
    assert ("Secret", "air-delivery") in city.api.objects
    live = city.api.objects[SERVICE]
    live["spec"]["auth"] = {"type": "None", "none": {"allowAnonymousWrite": True}}
    live["metadata"]["generation"] = 2
    city.api.touch(live)
    if restarted:
        city.start()
    await city.look()
    assert ("Secret", "air-delivery") not in city.api.objects
    assert ("Secret", "office") in city.api.objects, "that is the city's"
    assert not city.users_probes.asks(KEY)
    await city.close()
