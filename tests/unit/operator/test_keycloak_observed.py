"""What is known of a service's client in Keycloak, what the condition says of it, and how the client is given up."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.auth import NEEDS_SOMEBODY, AuthReason
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired.keycloak import RealmClient
from sensorthings_operator.desired.settings import KeycloakRealm, OperatorSettings
from sensorthings_operator.observe.keycloak import RealmTarget, keycloak_probes, look, realm_ca, release
from tests.unit.operator import samples
from tests.unit.operator.fake_keycloak import SECRET, FakeKeycloak
from tests.unit.operator.samples import UID, body, observed
from tests.unit.operator.test_keycloak import ONE, SETTINGS, SPEC
from tests.unit.operator.test_keycloak import service_with_keycloak as _service
from tests.unit.operator.virtual_time import on_virtual_time

KEY: Final[ServiceKey] = ("hamburg", "air")


async def _never(_: KeycloakRealm, __: RealmClient) -> tuple[AuthReason, str]:
    await asyncio.Event().wait()
    raise AssertionError


def _told(reason: str, status: str = "True", generation: int = 1) -> dict[str, Any]:
    condition = {
        "type": "AuthConfigured",
        "status": status,
        "reason": reason,
        "message": "told before",
        "observedGeneration": generation,
    }
    return {**body(SPEC), "status": {"conditions": [condition]}}


@on_virtual_time
async def test_the_probe_keeps_the_client_and_wakes_when_that_changes() -> None:
    asked, woken = list[tuple[KeycloakRealm, RealmClient]](), list[ServiceKey]()
    answers = [(AuthReason.REALM_MISSING, "none"), (AuthReason.READY, "well")]

    async def ensure(realm: KeycloakRealm, client: RealmClient) -> tuple[AuthReason, str]:
        asked.append((realm, client))
        return answers[min(len(asked), len(answers)) - 1]

    probes = keycloak_probes(ensure, changed=woken.append, interval_seconds=60)
    assert look(probes, _service(), SETTINGS, body(SPEC)) is None
    await asyncio.sleep(0.1)
    assert look(probes, _service(), SETTINGS, body(SPEC)) == Answer(False, "RealmMissing", "none")
    await asyncio.sleep(5)
    assert look(probes, _service(), SETTINGS, body(SPEC)) == Answer(True, "ClientReady", "well")
    await asyncio.sleep(600)
    assert woken == [KEY, KEY]
    assert 8 <= len(asked) <= 16
    assert asked[0] == (SETTINGS.keycloak_realms["city"], RealmClient("hamburg", "air", UID))
    look(probes, samples.service(), SETTINGS, body())
    assert not probes.asks(KEY), "a service that needs no client any more is not asked for"
    await probes.close()


@on_virtual_time
async def test_the_status_stands_until_the_first_answer_if_it_is_about_this_spec() -> None:
    probes = keycloak_probes(_never, changed=lambda _: None, interval_seconds=60)
    for told, expected in (
        (_told("ClientReady"), Answer(True, "ClientReady", "told before")),
        (_told("ClientNotOurs", "False"), Answer(False, "ClientNotOurs", "told before")),
        (_told("ClientReady", generation=0), None),
        (_told("KeycloakNotAsked", "Unknown"), None),
        (body(SPEC), None),
    ):
        assert look(probes, _service(), SETTINGS, told) == expected
    await probes.close()


@on_virtual_time
async def test_an_unknown_realm_is_told_with_those_there_are() -> None:
    probes = keycloak_probes(_never, changed=lambda _: None, interval_seconds=60)
    realm = SETTINGS.keycloak_realms["city"]
    settings = OperatorSettings(keycloak_realms={"port": realm, "hamburg": realm})
    look(probes, _service(), SETTINGS, body(SPEC))
    answer = look(probes, _service(), settings, _told("ClientReady"))
    assert answer is not None
    assert (answer.holds, answer.reason) == (False, "UnknownRealm")
    assert "no realm city; known are: hamburg, port." in answer.message
    assert not probes.asks(KEY)
    await probes.close()


def test_the_ca_is_read_anew_each_time(tmp_path: Path) -> None:
    realm = KeycloakRealm(url="https://id.example", realm="city", folder=tmp_path)
    settings = OperatorSettings(keycloak_realms={"city": realm})
    assert realm_ca(samples.service(), settings) == ""
    assert realm_ca(_service(), OperatorSettings()) is None
    assert realm_ca(_service(), settings) is None, "the Secret is not mounted: nothing may change"
    for name in ("client-id", "client-secret"):
        (tmp_path / name).write_text("x")
    assert realm_ca(_service(), settings) == ""
    (tmp_path / "ca.crt").write_text(ONE)
    assert realm_ca(_service(), settings) == ONE


# --- releasing

CLIENT: Final = RealmClient("hamburg", "air", UID)


@pytest.fixture
async def realms(tmp_path: Path) -> AsyncIterator[dict[str, FakeKeycloak]]:
    fakes = {}
    for name in ("city", "port"):
        folder = tmp_path / name
        folder.mkdir()
        fakes[name] = FakeKeycloak(folder)
    async with fakes["city"].served(), fakes["port"].served():
        yield fakes


def _settings(realms: dict[str, FakeKeycloak]) -> OperatorSettings:
    return OperatorSettings(keycloak_realms={name: fake.realm for name, fake in realms.items()})


@pytest.mark.parametrize("named", ["city", "port", "gone", ""])
async def test_a_client_is_deleted_in_whatever_realm_it_is(named: str, realms: dict[str, FakeKeycloak]) -> None:
    async with KeycloakClients() as clients:
        for fake in realms.values():
            await clients.ensure(fake.realm, CLIENT)
        assert await release(clients, _settings(realms), CLIENT, named) == ()
    assert [fake.clients for fake in realms.values()] == [{}, {}]


@pytest.mark.parametrize(("named", "told"), [("city", True), ("port", False), ("gone", True), ("", True)])
async def test_a_realm_that_refuses_counts_unless_it_is_another_one(
    named: str, told: bool, realms: dict[str, FakeKeycloak], caplog: pytest.LogCaptureFixture
) -> None:
    realms["city"].credentials(secret="wrong")
    async with KeycloakClients() as clients:
        await clients.ensure(realms["port"].realm, CLIENT)
        problems = await release(clients, _settings(realms), CLIENT, named)
    assert len(problems) == told
    assert realms["port"].clients == {}
    assert ("may be left behind" in caplog.text) != told
    assert SECRET not in f"{problems}{caplog.text}"


async def test_without_realms_nothing_can_be_left() -> None:
    async with KeycloakClients() as clients:
        assert await release(clients, OperatorSettings(), CLIENT, "city") == ()


# --- the condition


def test_auth_is_a_condition_of_services_with_keycloak_only() -> None:
    assert "AuthConfigured" not in evaluate(observed())
    verdicts = evaluate(observed(service=_service()))
    assert (verdicts["AuthConfigured"].status, verdicts["AuthConfigured"].reason) == ("Unknown", "KeycloakNotAsked")
    assert not verdicts["Ready"].holds
    assert verdicts["Reconciling"].holds
    well = evaluate(observed(service=_service(), keycloak=Answer(True, "ClientReady", "well")))
    assert well["AuthConfigured"].holds
    assert well["Ready"].holds


@pytest.mark.parametrize("reason", sorted(set(AuthReason) - {AuthReason.READY, AuthReason.NOT_ASKED}))
def test_what_does_not_mend_itself_stalls(reason: AuthReason) -> None:
    verdicts = evaluate(observed(service=_service(), keycloak=Answer(False, reason.value, "told")))
    assert (verdicts["AuthConfigured"].status, verdicts["AuthConfigured"].message) == ("False", "told")
    assert not verdicts["Ready"].holds
    assert verdicts["Stalled"].holds == (reason in NEEDS_SOMEBODY)
    assert (reason in NEEDS_SOMEBODY) == (reason not in (AuthReason.UNREACHABLE, AuthReason.ROLES_MISSING))


def test_a_target_is_another_one_when_the_realm_is() -> None:
    realm = SETTINGS.keycloak_realms["city"]
    same = KeycloakRealm.model_validate(realm.model_dump())
    assert RealmTarget(realm, CLIENT) == RealmTarget(same, CLIENT)
    moved = realm.model_copy(update={"url": "https://new.example"})
    assert RealmTarget(moved, CLIENT) != RealmTarget(realm, CLIENT)
    assert RealmTarget(realm, RealmClient("hamburg", "air", "another")) != RealmTarget(realm, CLIENT)
