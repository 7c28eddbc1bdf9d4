"""The client of a service in a realm: made, kept, refused, deleted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from sensorthings_operator import metrics
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.keycloak_errors import KeycloakError
from sensorthings_operator.clients.keycloak_roles import SCOPE
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.desired.keycloak import ROLES, UID_ATTRIBUTE, RealmClient
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe.keycloak import RealmTarget, keycloak_probes, release
from tests.keycloak.conftest import OPERATOR, WANTED, City, line_to

if TYPE_CHECKING:
    from sensorthings_operator.conditions.observed import Answer
    from tests.keycloak.server import Keycloak

ID: Final = WANTED.client_id


async def _ready(clients: KeycloakClients, city: City) -> None:
    reason, message = await clients.ensure(city.realm, WANTED)
    assert reason is AuthReason.READY, message


def _representation(city: City) -> dict[str, Any]:
    live: dict[str, Any] = city.admin.client(city.name, ID)
    assert live is not None
    return live


def _repairs() -> float:
    count: float = metrics.DRIFT_REPAIRS.labels("KeycloakClient")._value.get()
    return count


async def test_it_is_made_as_it_should_be(clients: KeycloakClients, city: City) -> None:
    await _ready(clients, city)
    live = _representation(city)
    assert WANTED.representation.items() <= live.items()
    assert live["attributes"][UID_ATTRIBUTE] == WANTED.uid
    assert live["clientAuthenticatorType"] == "client-secret"
    roles = city.admin.roles(city.name, ID)
    assert {name: role["description"] for name, role in roles.items()} == ROLES
    assert not any(role["composite"] for role in roles.values()), "none implies another"


async def test_a_second_look_changes_nothing(clients: KeycloakClients, city: City) -> None:
    await _ready(clients, city)
    city.admin.call("PUT", f"/{city.name}/events/config", {"adminEventsEnabled": True})
    before, repairs = _representation(city), _repairs()
    await _ready(clients, city)
    writes = f"/{city.name}/admin-events?resourceTypes=CLIENT&resourceTypes=CLIENT_ROLE"
    assert city.admin.call("GET", writes) == []
    assert _representation(city) == before
    assert _repairs() == repairs
    city.admin.call("PUT", f"/{city.name}/clients/{before['id']}", {"enabled": False})
    assert city.admin.call("GET", writes), "a write would be seen"


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"publicClient": True},
        {"directAccessGrantsEnabled": True, "standardFlowEnabled": True, "redirectUris": ["https://theirs/*"]},
        {"serviceAccountsEnabled": True},
        {"fullScopeAllowed": True, "description": "ours now"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_changed_setting_is_brought_back(change: dict[str, Any], clients: KeycloakClients, city: City) -> None:
    await _ready(clients, city)
    live, repairs = _representation(city), _repairs()
    city.admin.call("PUT", f"/{city.name}/clients/{live['id']}", {**live, **change})
    await _ready(clients, city)
    after = _representation(city)
    assert WANTED.representation.items() <= after.items()
    assert (after["id"], after["attributes"][UID_ATTRIBUTE]) == (live["id"], WANTED.uid)
    assert _repairs() == repairs + 1


async def test_people_are_told_of_it_and_of_one_that_was_deleted(city: City) -> None:
    told: list[str] = []
    async with KeycloakClients(repaired=lambda _, note: told.append(note)) as clients:
        await _ready(clients, city)
        live = _representation(city)
        city.admin.call("PUT", f"/{city.name}/clients/{live['id']}", {**live, "redirectUris": ["https://theirs/*"]})
        await _ready(clients, city)
        assert _representation(city)["redirectUris"] == []
        city.admin.call("DELETE", f"/{city.name}/clients/{live['id']}")
        await _ready(clients, city)
    assert len(told) == 2, told
    assert told[0].startswith(f"brought back redirectUris of client {ID} in ")
    assert told[1].startswith(f"made anew client {ID} in ")


async def test_changed_and_missing_roles_are_brought_back(clients: KeycloakClients, city: City) -> None:
    await _ready(clients, city)
    roles = city.admin.roles(city.name, ID)
    path = f"/{city.name}/clients/{_representation(city)['id']}/roles"
    city.admin.call("DELETE", f"{path}/delete")
    city.admin.call("PUT", f"{path}/read", {**roles["read"], "description": "something else"})
    city.admin.call("POST", path, {"name": "theirs", "description": "their own"})
    city.admin.call("POST", f"{path}/admin/composites", [roles["read"]])
    await _ready(clients, city)
    after = city.admin.roles(city.name, ID)
    assert {name: role["description"] for name, role in after.items()} == {**ROLES, "theirs": "their own"}
    assert after["read"]["id"] == roles["read"]["id"], "whoever has it keeps it"
    assert after["admin"]["composite"], "what a city makes of a role is the city's"


async def test_what_services_share_shows_a_role_that_was_taken_away_or_changed(city: City) -> None:
    services = [RealmClient("hamburg", f"air-{number}", f"uid-{number}") for number in range(3)]
    ahead, drifted, asked = 0.0, list[RealmClient](), list[bytes]()
    port = int(city.realm.url.rpartition(":")[2])
    async with line_to(port, asked.append) as line:
        realm = city.realm.model_copy(update={"url": f"http://127.0.0.1:{line.port}"})
        async with KeycloakClients(
            clock=lambda: time.monotonic() + ahead, shared_seconds=60, drifted=drifted.append
        ) as clients:

            async def looked(*at: RealmClient) -> None:
                nonlocal ahead
                ahead += 61
                asked.clear()
                for wanted in at:
                    reason, message = await clients.ensure(realm, wanted)
                    assert reason is AuthReason.READY, message

            await looked(*services)
            await looked(*services)
            assert sum(piece.count(b"GET /admin") for piece in asked) == 2, "for all of them"
            live = [city.admin.client(city.name, wanted.client_id) for wanted in services]
            paths = [f"/{city.name}/clients/{each['id']}/roles" for each in live]
            city.admin.call("DELETE", f"{paths[1]}/create")
            read = city.admin.roles(city.name, services[2].client_id)["read"]
            city.admin.call("PUT", f"{paths[2]}/read", {**read, "description": "theirs"})
            await looked(services[0])
            assert drifted == services[1:]
            await looked(*drifted)
            for wanted in services:
                roles = city.admin.roles(city.name, wanted.client_id)
                assert {name: role["description"] for name, role in roles.items()} == ROLES
            await looked(*services)
            assert sum(piece.count(b"GET /admin") for piece in asked) == 2
    (scope,) = (each for each in city.admin.call("GET", f"/{city.name}/client-scopes") if each["name"] == SCOPE)
    given = [city.admin.call("GET", f"/{city.name}/default-{kind}-client-scopes") for kind in ("default", "optional")]
    assert scope["id"] not in {each["id"] for scopes in given for each in scopes}, "no client gets it"


async def test_a_role_of_that_name_elsewhere_is_another_role(clients: KeycloakClients, city: City) -> None:
    city.admin.call("POST", f"/{city.name}/roles", {"name": "create", "description": "of the realm"})
    city.admin.make_account(city.name, "other", {})
    other = city.admin.client(city.name, "other")["id"]
    city.admin.call("POST", f"/{city.name}/clients/{other}/roles", {"name": "create", "description": "of another"})
    await _ready(clients, city)
    assert city.admin.roles(city.name, ID)["create"]["description"] == ROLES["create"]
    assert city.admin.roles(city.name, "other")["create"]["description"] == "of another"
    assert city.admin.call("GET", f"/{city.name}/roles/create")["description"] == "of the realm"


@pytest.mark.parametrize("attributes", [{}, {UID_ATTRIBUTE: "another"}], ids=["unmarked", "of another service"])
async def test_a_foreign_client_is_refused_until_it_is_handed_over(
    attributes: dict[str, str], clients: KeycloakClients, city: City
) -> None:
    theirs = {"clientId": ID, "publicClient": True, "attributes": attributes}
    city.admin.call("POST", f"/{city.name}/clients", theirs)
    before = _representation(city)
    reason, message = await clients.ensure(city.realm, WANTED)
    assert reason is AuthReason.CLIENT_NOT_OURS
    assert await clients.remove(city.realm, WANTED) is False
    assert _representation(city) == before
    # As the message says.
    assert f"{UID_ATTRIBUTE} to {WANTED.uid}" in message
    handed_over = {**before, "attributes": {**before["attributes"], UID_ATTRIBUTE: WANTED.uid}}
    city.admin.call("PUT", f"/{city.name}/clients/{before['id']}", handed_over)
    await _ready(clients, city)
    assert WANTED.representation.items() <= _representation(city).items()


async def test_each_thing_that_is_wrong_has_its_own_reason_and_heals(clients: KeycloakClients, city: City) -> None:
    async def expect(reason: AuthReason) -> None:
        told = await clients.ensure(city.realm, WANTED)
        assert told[0] is reason, told
        assert secret not in told[1]

    secret = (city.realm.folder / "client-secret").read_text().strip()
    operator = city.admin.client(city.name, OPERATOR)
    rights = city.admin.client(city.name, "realm-management")["id"]
    mapping = f"/{city.name}/users/{city.admin.account_user(city.name, OPERATOR)}/role-mappings/clients/{rights}"
    manage = [city.admin.roles(city.name, "realm-management")["manage-clients"]]

    city.write(client_secret="wrong")
    await expect(AuthReason.CREDENTIALS_REFUSED)
    city.write(client_secret=None)
    await expect(AuthReason.CREDENTIALS_MISSING)
    city.write(client_secret=secret)
    city.admin.call("DELETE", mapping, manage)
    await expect(AuthReason.RIGHTS_MISSING)
    city.admin.call("POST", mapping, manage)
    await expect(AuthReason.READY)

    city.write(client_secret="wrong")
    await expect(AuthReason.CREDENTIALS_REFUSED)
    city.write(client_secret=secret)
    city.admin.call("PUT", f"/{city.name}/clients/{operator['id']}", {"serviceAccountsEnabled": False})
    async with KeycloakClients() as without_token:
        reason, _ = await without_token.ensure(city.realm, WANTED)
        assert reason is AuthReason.CREDENTIALS_REFUSED
    city.admin.call("PUT", f"/{city.name}", {"enabled": False})
    async with KeycloakClients() as without_token:
        reason, message = await without_token.ensure(city.realm, WANTED)
        assert reason is AuthReason.REALM_MISSING
        assert "enable it" in message


async def test_a_realm_that_is_not_there(clients: KeycloakClients, city: City) -> None:
    elsewhere = city.realm.model_copy(update={"realm": "atlantis"})
    reason, message = await clients.ensure(elsewhere, WANTED)
    assert reason is AuthReason.REALM_MISSING
    assert "atlantis" in message
    await _ready(clients, city)
    city.admin.call("DELETE", f"/{city.name}")
    reason, _ = await clients.ensure(city.realm, WANTED)
    assert reason is AuthReason.REALM_MISSING, "also with a token that is still good"


async def test_a_private_ca_is_needed_and_enough(clients: KeycloakClients, city: City, keycloak: Keycloak) -> None:
    realm = city.realm.model_copy(update={"url": keycloak.tls_url})
    reason, message = await clients.ensure(realm, WANTED)
    assert reason is AuthReason.UNTRUSTED
    assert "ca.crt" in message
    city.write(ca_crt=keycloak.authority.ca)
    reason, message = await clients.ensure(realm, WANTED)
    assert reason is AuthReason.READY, message
    city.write(ca_crt="no certificate")
    assert (await clients.ensure(realm, WANTED))[0] is AuthReason.CA_INVALID


async def test_a_probe_sees_it_go_and_come_back(clients: KeycloakClients, city: City, keycloak: Keycloak) -> None:
    changed = asyncio.Event()
    key = ("hamburg", "air")
    probes = keycloak_probes(clients.ensure, changed=lambda _: changed.set(), interval_seconds=0.2)

    async def answer(target: RealmTarget) -> Answer:
        await asyncio.wait_for(changed.wait(), 60)
        changed.clear()
        told = probes.watch(key, target)
        assert told is not None
        return told

    async with line_to(keycloak.port) as line:
        realm = city.realm.model_copy(update={"url": f"http://127.0.0.1:{line.port}"})
        target = RealmTarget(realm, WANTED)
        assert probes.watch(key, target) is None
        assert (await answer(target)).holds
        await line.cut()
        gone = await answer(target)
        assert (gone.holds, gone.reason) == (False, "KeycloakUnreachable")
        await line.connect()
        while not (told := await answer(target)).holds:
            # Cut in the middle of an answer, and refused after that: two ways not to answer.
            assert told.reason == "KeycloakUnreachable"
    await probes.close()


async def test_only_the_client_of_this_service_is_released(clients: KeycloakClients, city: City) -> None:
    neighbour = RealmClient("hamburg", "noise", "22222222-2222-2222-2222-222222222222")
    settings = OperatorSettings(keycloak_realms={"city": city.realm})
    await _ready(clients, city)
    await clients.ensure(city.realm, neighbour)
    again = RealmClient(WANTED.namespace, WANTED.name, "made-anew")
    assert await release(clients, settings, again, "city") == ()
    assert city.admin.client(city.name, ID) is not None, "the mark counts, not the name"
    assert await release(clients, settings, WANTED, "city") == ()
    assert city.admin.client(city.name, ID) is None
    assert city.admin.client(city.name, neighbour.client_id) is not None
    assert await release(clients, settings, WANTED, "city") == ()


async def test_a_release_that_fails_says_why(clients: KeycloakClients, city: City) -> None:
    await _ready(clients, city)
    city.write(client_secret="wrong")
    (problem,) = await release(clients, OperatorSettings(keycloak_realms={"city": city.realm}), WANTED, "city")
    assert "client-secret" in problem
    with pytest.raises(KeycloakError):
        await clients.remove(city.realm, WANTED)
    assert city.admin.client(city.name, ID) is not None
