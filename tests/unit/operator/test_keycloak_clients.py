"""A service's client is made, kept and deleted; whatever goes wrong has a reason, a remedy, and no secret in it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients import keycloak as module
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.keycloak_errors import KeycloakError, call_refused, login_refused
from sensorthings_operator.clients.keycloak_realm import Credentials
from sensorthings_operator.clients.keycloak_repairs import drift
from sensorthings_operator.clients.keycloak_roles import SCOPE
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.desired.connector.client import ConnectorClient
from sensorthings_operator.desired.keycloak import ROLES, UID_ATTRIBUTE, DeliveryClient, RealmClient
from sensorthings_operator.desired.settings import KeycloakRealm
from tests.unit.operator.fake_keycloak import CLIENT_SECRET, SECRET, FakeKeycloak

WANTED = RealmClient("hamburg", "air", "uid-1")
ID = "sensorthings-hamburg-air"


class Clock:
    """Seconds that pass when told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def keycloak(tmp_path: Path) -> AsyncIterator[FakeKeycloak]:
    fake = FakeKeycloak(tmp_path)
    async with fake.served():
        yield fake


@pytest.fixture
async def clients(clock: Clock) -> AsyncIterator[KeycloakClients]:
    async with KeycloakClients(clock=clock) as clients:
        yield clients


async def test_it_is_made_with_its_roles_and_left_alone_then(clients: KeycloakClients, keycloak: FakeKeycloak) -> None:
    reason, message = await clients.ensure(keycloak.realm, WANTED)
    assert reason is AuthReason.READY
    assert ID in message
    ((id_, made),) = keycloak.clients.items()
    assert made["clientId"] == ID
    assert made["attributes"] == {UID_ATTRIBUTE: "uid-1"}
    assert not any(made[flow] for flow in made if flow.endswith(("FlowEnabled", "GrantsEnabled", "AccountsEnabled")))
    assert made["publicClient"] is False
    assert keycloak.roles[id_] == ROLES
    keycloak.admin_calls()
    assert await clients.ensure(keycloak.realm, WANTED) == (reason, message)
    assert keycloak.admin_calls() == ["GET clients", f"GET clients/{id_}/roles"]


async def test_services_of_a_realm_share_what_is_read(clock: Clock, keycloak: FakeKeycloak) -> None:
    services = [RealmClient("hamburg", f"air-{number}", f"uid-{number}") for number in range(5)]
    async with KeycloakClients(clock=clock, shared_seconds=60) as clients:
        for wanted in services:
            await clients.ensure(keycloak.realm, wanted)
        clock.now += 61
        keycloak.admin_calls()
        await asyncio.gather(*(clients.ensure(keycloak.realm, wanted) for wanted in services))
        (scope,) = keycloak.scopes
        assert keycloak.admin_calls() == ["GET clients", f"GET client-scopes/{scope}/scope-mappings"]
        changed = next(live for live in keycloak.clients.values() if live["clientId"].endswith("air-3"))
        changed["standardFlowEnabled"] = True
        await clients.ensure(keycloak.realm, services[3])
        assert changed["standardFlowEnabled"], "what was read a moment ago may be outdated"
        clock.now += 61
        assert (await clients.ensure(keycloak.realm, services[3]))[0] is AuthReason.READY
        assert not changed["standardFlowEnabled"]
        keycloak.clients.clear()
        clock.now += 61
        await clients.ensure(keycloak.realm, services[0])
        assert [live["clientId"] for live in keycloak.clients.values()] == [services[0].client_id]


async def test_where_no_scope_is_to_be_had_each_services_roles_are_read_by_themselves(
    clock: Clock, keycloak: FakeKeycloak, caplog: pytest.LogCaptureFixture
) -> None:
    services = [RealmClient("hamburg", f"air-{number}", f"uid-{number}") for number in range(3)]
    keycloak.scopes_allowed = False
    async with KeycloakClients(clock=clock, shared_seconds=60) as clients:
        for _ in range(3):
            assert {(await clients.ensure(keycloak.realm, wanted))[0] for wanted in services} == {AuthReason.READY}
            clock.now += 61
        assert caplog.text.count("read one by one") == 1
        keycloak.admin_calls()
        for id_ in keycloak.clients:
            del keycloak.roles[id_]["delete"]
        for wanted in services:
            await clients.ensure(keycloak.realm, wanted)
        assert all(roles == ROLES for roles in keycloak.roles.values())


@pytest.mark.parametrize("theirs", [{}, {"attributes": {"theirs": "yes"}}], ids=["bare", "with attributes"])
async def test_somebody_elses_scope_of_that_name_is_left_alone(
    theirs: dict[str, Any], clock: Clock, keycloak: FakeKeycloak
) -> None:
    keycloak.scopes["theirs"], keycloak.mapped["theirs"] = {"id": "theirs", "name": SCOPE, **theirs}, set()
    async with KeycloakClients(clock=clock, shared_seconds=60) as clients:
        assert (await clients.ensure(keycloak.realm, WANTED))[0] is AuthReason.READY
    assert keycloak.mapped["theirs"] == set()


async def test_a_role_that_somebody_took_away_or_changed_shows_in_what_is_read_for_all(
    clock: Clock, keycloak: FakeKeycloak
) -> None:
    services = [RealmClient("hamburg", f"air-{number}", f"uid-{number}") for number in range(4)]
    drifted: list[RealmClient] = []
    async with KeycloakClients(clock=clock, shared_seconds=60, drifted=drifted.append) as clients:
        for wanted in services:
            await clients.ensure(keycloak.realm, wanted)
        ids = list(keycloak.clients)
        del keycloak.roles[ids[1]]["create"]
        keycloak.roles[ids[2]]["read"] = "theirs"
        clock.now += 61
        await clients.ensure(keycloak.realm, services[0])
        assert drifted == services[1:3]
        for wanted in drifted:
            await clients.ensure(keycloak.realm, wanted)
        assert all(roles == ROLES for roles in keycloak.roles.values())
        clock.now += 61
        drifted.clear()
        await clients.ensure(keycloak.realm, services[0])
        assert drifted == []


async def test_a_scope_that_is_gone_is_made_again(clock: Clock, keycloak: FakeKeycloak) -> None:
    async with KeycloakClients(clock=clock, shared_seconds=60) as clients:
        await clients.ensure(keycloak.realm, WANTED)
        keycloak.scopes.clear()
        keycloak.mapped.clear()
        for _ in range(3):
            clock.now += 61
            keycloak.admin_calls()
            assert (await clients.ensure(keycloak.realm, WANTED))[0] is AuthReason.READY
        assert len(keycloak.admin_calls()) == 2
        assert [len(mapped) for mapped in keycloak.mapped.values()] == [len(ROLES)]


async def test_a_read_for_others_shows_who_has_something_to_put_right(clock: Clock, keycloak: FakeKeycloak) -> None:
    services = [RealmClient("hamburg", f"air-{number}", f"uid-{number}") for number in range(4)]
    drifted: list[RealmClient] = []
    async with KeycloakClients(clock=clock, shared_seconds=60, drifted=drifted.append) as clients:
        await asyncio.gather(*(clients.ensure(keycloak.realm, wanted) for wanted in services))
        assert drifted == [], "what was not made yet is made anyway"
        named = {live["clientId"]: id_ for id_, live in keycloak.clients.items()}
        keycloak.clients[named[services[1].client_id]]["standardFlowEnabled"] = True
        del keycloak.clients[named[services[2].client_id]]
        clock.now += 61
        await clients.ensure(keycloak.realm, services[0])
        assert drifted == services[1:3]
        for wanted in drifted:
            await clients.ensure(keycloak.realm, wanted)
        drifted.clear()
        await clients.remove(keycloak.realm, services[3])
        clock.now += 61
        await clients.ensure(keycloak.realm, services[0])
        assert drifted == []


async def test_a_delivery_check_is_one_call_and_an_outdated_read_does_not_fail_it(
    clock: Clock, keycloak: FakeKeycloak
) -> None:
    wanted = DeliveryClient("hamburg", "air", "uid-1")
    async with KeycloakClients(clock=clock, shared_seconds=60) as clients:
        await clients.token(keycloak.realm, wanted)
        clock.now += 61
        await clients.token(keycloak.realm, wanted)
        keycloak.calls.clear()
        await clients.token(keycloak.realm, wanted)
        assert keycloak.calls == ["login"]
        ((_, made),) = keycloak.clients.items()
        keycloak._new_secret(made)
        assert (await clients.token(keycloak.realm, wanted)).value in keycloak.tokens


async def test_the_client_of_the_delivery_check_gets_tokens_for_one_service(
    clients: KeycloakClients, keycloak: FakeKeycloak
) -> None:
    wanted = DeliveryClient("hamburg", "air", "uid-1")
    token = await clients.token(keycloak.realm, wanted)
    assert token.value in keycloak.tokens
    ((id_, made),) = keycloak.clients.items()
    assert made["clientId"] == f"{ID}.delivery"
    assert keycloak.roles[id_] == {}
    given = {mapper["config"].get("role") or mapper["config"]["included.client.audience"] for mapper in _mappers(made)}
    assert given == {ID, f"{ID}.read", f"{ID}.create", f"{ID}.delete"}
    keycloak.admin_calls()
    await clients.token(keycloak.realm, wanted)
    assert keycloak.admin_calls() == ["GET clients"]

    changed, gone, *_ = _mappers(made)
    changed["config"]["role"] = f"{ID}.admin"
    made["protocolMappers"] = [each for each in _mappers(made) if each is not gone]
    made["protocolMappers"].append({"name": "theirs", "protocolMapper": "x", "config": {}, "id": "theirs"})
    await clients.token(keycloak.realm, wanted)
    named = {mapper["name"]: mapper for mapper in _mappers(made)}
    assert set(named) == {*wanted.mappers, "theirs"}
    assert named[changed["name"]]["config"]["role"] != f"{ID}.admin"
    assert await clients.remove(keycloak.realm, wanted)
    assert keycloak.clients == {}


def _connector_client(**fields: Any) -> ConnectorClient:
    identity = {"namespace": "hamburg", "name": "loader", "uid": "uid-2", "service_client": ID}
    return ConnectorClient(**{**identity, "asked_roles": ("create", "read"), **fields})


async def test_a_role_that_a_connector_asks_for_no_more_or_that_somebody_added_is_taken_away(
    clients: KeycloakClients, keycloak: FakeKeycloak
) -> None:
    await clients.token(keycloak.realm, _connector_client())
    ((_, made),) = keycloak.clients.items()
    theirs = {
        "name": "more",
        "protocolMapper": "oidc-hardcoded-role-mapper",
        "config": {"role": f"{ID}.admin"},
        "id": "x",
    }
    made["protocolMappers"] += [theirs, {"name": "theirs", "protocolMapper": "x", "config": {}, "id": "y"}]
    await clients.token(keycloak.realm, _connector_client(asked_roles=("read",)))
    given = [mapper["config"]["role"] for mapper in _mappers(made) if "role" in mapper["config"]]
    assert given == [f"{ID}.read"]
    assert "theirs" in {mapper["name"] for mapper in _mappers(made)}, "what gives no right is the city's"


async def test_a_secret_is_made_anew_once_for_each_text_and_when_it_is_old(
    clients: KeycloakClients, keycloak: FakeKeycloak
) -> None:
    await clients.token(keycloak.realm, _connector_client())
    ((_, made),) = keycloak.clients.items()
    assert made["attributes"]["access.token.lifespan"] == "300"
    for _ in range(2):
        await clients.token(keycloak.realm, _connector_client(asked_rotation="today"))
    assert sum(call.endswith("client-secret") for call in keycloak.admin_calls()) == 1
    made["attributes"]["client.secret.creation.time"] = "1000"
    await clients.token(keycloak.realm, _connector_client(asked_rotation="today"))
    assert sum(call.endswith("client-secret") for call in keycloak.admin_calls()) == 1


async def test_clients_of_devices_that_are_gone_are_deleted_and_nobody_elses(
    clients: KeycloakClients, keycloak: FakeKeycloak
) -> None:
    for device in ("", "a", "b"):
        await clients.token(keycloak.realm, _connector_client(device=device))
    await clients.token(keycloak.realm, _connector_client(name="loader2", uid="uid-3"))
    keep = {"connector-hamburg-loader", "connector-hamburg-loader.a"}
    await clients.remove_others(keycloak.realm, "uid-2", "connector-hamburg-loader", keep)
    assert {made["clientId"] for made in keycloak.clients.values()} == {*keep, "connector-hamburg-loader2"}


async def test_connectors_share_one_read_for_their_tokens_and_for_what_a_start_finds(
    clock: Clock, keycloak: FakeKeycloak
) -> None:
    prefix, names = "connector-", [f"loader{number}" for number in range(5)]
    async with KeycloakClients(clock=clock) as before:
        for name in (*names, "loader0.gone"):
            await before.token(keycloak.realm, _connector_client(name=name, uid=name.partition(".")[0]))
    keycloak.calls.clear()
    async with KeycloakClients(clock=clock, shared_seconds=60, shared_prefix=prefix) as clients:
        for name in names:
            own = f"connector-hamburg-{name}"
            await clients.remove_others(keycloak.realm, name, own, {own}, shared=True)
            await clients.token(keycloak.realm, _connector_client(name=name, uid=name))
        calls = keycloak.admin_calls()
        assert [call.partition(" ")[0] for call in calls] == ["GET", "DELETE"], "one read, and the one that was left"
        assert {live["clientId"] for live in keycloak.clients.values()} == {
            f"connector-hamburg-{name}" for name in names
        }
        await clients.token(keycloak.realm, _connector_client(name=names[0], uid=names[0], device="new"))
        own = f"connector-hamburg-{names[0]}"
        await clients.remove_others(keycloak.realm, names[0], own, {own})
        assert len(keycloak.clients) == len(names), "one that was made after the read"


def _mappers(live: dict[str, Any]) -> list[dict[str, Any]]:
    return list(live["protocolMappers"])


async def test_what_others_changed_is_brought_back_and_nothing_else(
    clients: KeycloakClients, keycloak: FakeKeycloak
) -> None:
    await clients.ensure(keycloak.realm, WANTED)
    ((id_, made),) = keycloak.clients.items()
    made |= {"directAccessGrantsEnabled": True, "redirectUris": ["https://theirs"]}
    keycloak.roles[id_] |= {"create": "changed", "theirs": "their own"}
    del keycloak.roles[id_]["delete"]
    keycloak.admin_calls()
    await clients.ensure(keycloak.realm, WANTED)
    writes = [call for call in keycloak.admin_calls() if not call.startswith("GET")]
    roles = f"clients/{id_}/roles"
    assert writes == [f"PUT clients/{id_}", f"PUT {roles}/create", f"POST {roles}"]
    assert made["directAccessGrantsEnabled"] is False
    assert made["redirectUris"] == []
    assert keycloak.roles[id_] == {**ROLES, "theirs": "their own"}


async def test_people_are_told_of_what_was_put_right(keycloak: FakeKeycloak) -> None:
    told: list[tuple[RealmClient, str]] = []
    async with KeycloakClients(repaired=lambda client, note: told.append((client, note))) as clients:
        await clients.ensure(keycloak.realm, WANTED)
        assert told == [], "making it is nothing to warn of"
        ((id_, made),) = keycloak.clients.items()
        made["redirectUris"] = ["https://theirs"]
        del keycloak.roles[id_]["delete"]
        await clients.ensure(keycloak.realm, WANTED)
        keycloak.clients.clear()
        await clients.ensure(keycloak.realm, WANTED)
        await clients.remove(keycloak.realm, WANTED)
        await clients.ensure(keycloak.realm, WANTED)
    assert [client for client, _ in told] == [WANTED, WANTED]
    changed, deleted = (note for _, note in told)
    assert f"brought back redirectUris, the role delete of client {ID} in " in changed
    assert f"made anew client {ID}" in deleted
    assert "lost them" in deleted


async def test_they_are_told_also_where_the_rest_is_refused(
    keycloak: FakeKeycloak, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    async def refused(*_: object) -> list[str]:
        raise KeycloakError(AuthReason.UNREACHABLE, "gone")

    async with KeycloakClients(repaired=lambda _, note: told.append(note)) as clients:
        await clients.ensure(keycloak.realm, WANTED)
        ((_, made),) = keycloak.clients.items()
        made["redirectUris"] = ["https://theirs"]
        monkeypatch.setattr(module, "repair_roles", refused)
        assert (await clients.ensure(keycloak.realm, WANTED))[0] is AuthReason.UNREACHABLE
    assert len(told) == 1
    assert "brought back redirectUris" in told[0]


@pytest.mark.parametrize("attributes", [{}, {UID_ATTRIBUTE: "uid-2"}, None])
async def test_a_foreign_client_is_never_touched(
    attributes: dict[str, str] | None, clients: KeycloakClients, keycloak: FakeKeycloak
) -> None:
    keycloak.clients["id"] = {"id": "id", "clientId": ID, "attributes": attributes}
    reason, message = await clients.ensure(keycloak.realm, WANTED)
    assert reason is AuthReason.CLIENT_NOT_OURS
    assert f"{UID_ATTRIBUTE} to uid-1" in message, "how to hand it over"
    assert await clients.remove(keycloak.realm, WANTED) is False
    assert keycloak.admin_calls() == ["GET clients", "GET clients"]


async def test_only_what_is_ours_is_deleted(clients: KeycloakClients, keycloak: FakeKeycloak) -> None:
    await clients.ensure(keycloak.realm, WANTED)
    await clients.ensure(keycloak.realm, RealmClient("hamburg", "noise", "uid-3"))
    assert await clients.remove(keycloak.realm, WANTED) is True
    assert await clients.remove(keycloak.realm, WANTED) is False
    assert [client["clientId"] for client in keycloak.clients.values()] == ["sensorthings-hamburg-noise"]


async def test_one_token_serves_until_it_ends(clients: KeycloakClients, keycloak: FakeKeycloak, clock: Clock) -> None:
    for seconds in (0, 200, 89):
        clock.now += seconds
        await clients.ensure(keycloak.realm, WANTED)
    assert keycloak.calls.count("login") == 1
    clock.now += 2
    await clients.ensure(keycloak.realm, WANTED)
    assert keycloak.calls.count("login") == 2


async def test_a_token_that_is_refused_before_its_time_is_replaced(
    clients: KeycloakClients, keycloak: FakeKeycloak
) -> None:
    await clients.ensure(keycloak.realm, WANTED)
    keycloak.tokens.clear()
    assert (await clients.ensure(keycloak.realm, WANTED))[0] is AuthReason.READY
    assert keycloak.calls.count("login") == 2


async def test_new_credentials_are_used_at_once(clients: KeycloakClients, keycloak: FakeKeycloak) -> None:
    await clients.ensure(keycloak.realm, WANTED)
    keycloak.credentials(secret="another")
    assert (await clients.ensure(keycloak.realm, WANTED))[0] is AuthReason.CREDENTIALS_REFUSED
    keycloak.credentials()
    assert (await clients.ensure(keycloak.realm, WANTED))[0] is AuthReason.READY


@pytest.mark.parametrize(("client_id", "secret"), [(None, SECRET), ("operator", None), (None, None), ("operator", " ")])
async def test_missing_credentials_are_told(
    client_id: str | None, secret: str | None, clients: KeycloakClients, keycloak: FakeKeycloak
) -> None:
    keycloak.credentials(client_id, secret)
    reason, message = await clients.ensure(keycloak.realm, WANTED)
    assert reason is AuthReason.CREDENTIALS_MISSING
    assert str(keycloak.realm.folder) in message
    assert ("client-id" in message) == (client_id is None)
    assert keycloak.calls == []


async def test_a_ca_that_is_none_is_told(clients: KeycloakClients, keycloak: FakeKeycloak) -> None:
    for wrong in ("nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"):
        keycloak.credentials(ca=wrong)
        assert (await clients.ensure(keycloak.realm, WANTED))[0] is AuthReason.CA_INVALID
    assert keycloak.calls == []


_ANSWERS = [
    (web.json_response({"error": "Realm does not exist"}, status=404), AuthReason.REALM_MISSING),
    (web.json_response({"error": "access_denied"}, status=403), AuthReason.REALM_MISSING),
    (web.Response(status=404, text="nginx"), AuthReason.UNREACHABLE),
    (web.Response(status=502), AuthReason.UNREACHABLE),
    (web.Response(status=302, headers={"Location": "/elsewhere"}), AuthReason.UNREACHABLE),
    (web.Response(text="<html>"), AuthReason.UNREACHABLE),
    (web.json_response([]), AuthReason.UNREACHABLE),
    (web.json_response({"access_token": 7}), AuthReason.UNREACHABLE),
]


@pytest.mark.parametrize("position", range(len(_ANSWERS)))
async def test_each_refusal_of_a_login_has_its_reason(
    position: int, clients: KeycloakClients, keycloak: FakeKeycloak
) -> None:
    answer, expected = _ANSWERS[position]
    keycloak.next_answer = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    reason, message = await clients.ensure(keycloak.realm, WANTED)
    assert reason is expected
    assert keycloak.url in message
    assert keycloak.calls == ["login"], "no redirect is followed"
    assert (await clients.ensure(keycloak.realm, WANTED))[0] is AuthReason.READY


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (403, {"error": "HTTP 403 Forbidden"}, AuthReason.RIGHTS_MISSING),
        (404, {"error": "Realm not found."}, AuthReason.REALM_MISSING),
        (400, {"errorMessage": "Client policy says no"}, AuthReason.CLIENT_REFUSED),
        (409, {"errorMessage": "already exists"}, AuthReason.CLIENT_REFUSED),
        (500, {"error": "unknown_error"}, AuthReason.UNREACHABLE),
        (200, {"not": "a list"}, AuthReason.UNREACHABLE),
    ],
)
async def test_each_refusal_of_a_call_has_its_reason(
    status: int, body: dict[str, str], expected: AuthReason, clients: KeycloakClients, keycloak: FakeKeycloak
) -> None:
    await clients.ensure(keycloak.realm, WANTED)
    keycloak.next_answer = web.json_response(body, status=status)
    assert (await clients.ensure(keycloak.realm, WANTED))[0] is expected
    assert (await clients.ensure(keycloak.realm, WANTED))[0] is AuthReason.READY


async def test_nobody_waits_for_a_keycloak_that_just_did_not_answer(
    clients: KeycloakClients, tmp_path: Path, clock: Clock
) -> None:
    fake = FakeKeycloak(tmp_path)
    async with fake.served():
        url = fake.url
    realm = KeycloakRealm(url=url, realm="city", folder=tmp_path)
    reason, message = await clients.ensure(realm, WANTED)
    assert reason is AuthReason.UNREACHABLE
    assert message == f"realm city at {url} does not answer: Connection refused"
    fake_again = FakeKeycloak(tmp_path)
    async with fake_again.served():
        answers = KeycloakRealm(url=fake_again.url, realm="city", folder=tmp_path)
        assert (await clients.ensure(realm, WANTED))[1] == message
        assert (await clients.ensure(answers, WANTED))[0] is AuthReason.READY, "another realm is asked"
    clock.now += 4
    with pytest.raises(KeycloakError, match="Connection refused"):
        await clients.remove(realm, WANTED)


async def test_no_secret_is_told_or_logged(
    clients: KeycloakClients, keycloak: FakeKeycloak, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "sensorthings_operator")
    told = []
    for secret in (SECRET, "another-secret"):
        keycloak.credentials(secret=secret)
        told.append(await clients.ensure(keycloak.realm, WANTED))
        for client in keycloak.clients.values():
            client["enabled"] = False
    keycloak.credentials()
    told.append(await clients.ensure(keycloak.realm, WANTED))
    await clients.remove(keycloak.realm, WANTED)
    said = repr(told) + caplog.text + repr(Credentials("operator", SECRET, "ca"))
    assert "made client" in caplog.text
    assert "brought back enabled" in caplog.text
    assert "deleted client" in caplog.text
    for secret in (SECRET, "another-secret", CLIENT_SECRET, *keycloak.tokens):
        assert secret not in said


_REALM = KeycloakRealm(url="https://id.example", realm="city", folder=Path("/none"))


@given(st.integers(300, 599), st.binary() | st.text().map(str.encode) | st.from_regex(rb"\{.*hunter2.*\}"))
def test_an_error_repeats_no_answer_that_keycloak_would_not_give(status: int, answer: bytes) -> None:
    for error in (
        login_refused(_REALM, "operator", status, answer),
        call_refused(_REALM, "operator", "GET clients", status, answer),
    ):
        assert "hunter2" not in error.message
        assert "https://id.example" in error.message
        assert error.reason is not AuthReason.READY


_REPRESENTATIONS = st.dictionaries(st.sampled_from("abcd"), st.booleans() | st.text(max_size=2) | st.none())


@given(_REPRESENTATIONS, _REPRESENTATIONS)
def test_after_a_repair_nothing_has_drifted(wanted: dict[str, object], live: dict[str, object]) -> None:
    changed = drift(wanted, live)
    assert changed.items() <= wanted.items()
    after = {**live, **changed}
    assert drift(wanted, after) == {}
    assert all(after[name] == live[name] for name in live.keys() - wanted.keys())
