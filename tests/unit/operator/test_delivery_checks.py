"""One check of delivery: what it posts, whom it believes, and what it leaves in the data."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from sensorthings_operator.clients import delivery
from sensorthings_operator.clients.access import Access, PasswordOwner, SignIn
from sensorthings_operator.clients.delivery import DeliveryChecks, DeliveryTarget
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.keycloak_errors import KeycloakError
from sensorthings_operator.clients.keycloak_realm import AccessToken
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.conditions.delivery import DeliveryReason
from sensorthings_operator.desired.keycloak import DeliveryClient
from tests.unit.cli.fakes import Broker
from tests.unit.operator.fake_frost import FakeFrost
from tests.unit.operator.test_keycloak import SETTINGS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sensorthings_operator.clients.keycloak import KeycloakClients
    from sensorthings_operator.clients.kubernetes import KubernetesClient
    from sensorthings_operator.clients.resources import Resource
    from sensorthings_operator.desired.keycloak import RealmClient
    from sensorthings_operator.desired.settings import KeycloakRealm

_FIRST, _SECOND = (Pod(f"air-mqtt-{n}", f"uid-{n}", f"127.0.0.{n}") for n in (1, 2))
_HTTP = Pod("air-http-1", "uid-http", "127.0.0.1")


class FakeKeycloak:
    """Gives out a token, or none."""

    def __init__(self) -> None:
        self.error: KeycloakError | None = None
        self.removed: list[str] = []

    async def token(self, _: KeycloakRealm, wanted: RealmClient) -> AccessToken:
        if self.error is not None:
            raise self.error
        return AccessToken(f"token-of-{wanted.client_id}", 300)

    async def remove(self, _: KeycloakRealm, wanted: RealmClient) -> bool:
        self.removed.append(wanted.client_id)
        return True


class FakeSecrets:
    """Has the Secret of the operator's own user, or another answer."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {"password": b64encode(b"dr:awn").decode()}
        self.error: ApiError | None = None

    async def get(self, _: Resource, namespace: str, name: str) -> dict[str, Any]:
        assert (namespace, name) == ("hamburg", "air-delivery")
        if self.error is not None:
            raise self.error
        return {"data": self.data}


class City:
    """Checks, and what they are run against."""

    def __init__(
        self, frost: FakeFrost, port: int, keycloak: FakeKeycloak, secrets: FakeSecrets, checks: DeliveryChecks
    ) -> None:
        self.frost, self.keycloak, self.secrets, self.checks = frost, keycloak, secrets, checks
        self.first, self.second = frost.brokers
        mqtt_port = self.first.port
        self.target = DeliveryTarget(
            "/FROST-Server", (_HTTP,), (_FIRST, _SECOND), (), mqtt_port, False, port, patience_seconds=0.4
        )


@asynccontextmanager
async def _city(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[City]:
    keycloak, secrets = FakeKeycloak(), FakeSecrets()
    # As short as a test wants them: what is between them is told by the e2e tests.
    monkeypatch.setattr(delivery, "_POSTS_AFTER_SECONDS", (0.0, 0.1, 0.2))
    async with (
        Broker(host=_FIRST.address) as first,
        Broker(host=_SECOND.address, port=first.port) as second,
        DeliveryChecks(cast("KeycloakClients", keycloak), cast("KubernetesClient", secrets)) as checks,
    ):
        frost = FakeFrost(first, second)
        async with frost.running() as port:
            yield City(frost, port, keycloak, secrets, checks)


async def test_what_arrives_everywhere_is_verified_by_one_observation_that_does_not_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with _city(monkeypatch) as city:
        for _ in range(2):
            answer = await city.checks.verify(city.target)
            assert (answer.holds, answer.reason, answer.pods) == (True, DeliveryReason.DELIVERED, ())
        assert city.frost.posted == 2
        assert city.frost.of("Observations") == []
        marked = [path.partition("(")[0] for path, e in city.frost.entities.items() if "properties" in e]
        assert sorted(marked) == ["Datastreams", "FeaturesOfInterest", "ObservedProperties", "Sensors", "Things"]


@pytest.mark.parametrize("gone", ["Datastreams", "FeaturesOfInterest", "its name on the Datastream"])
async def test_what_somebody_took_away_of_it_is_made_anew(monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    async with _city(monkeypatch) as city:
        await city.checks.verify(city.target)
        entities = city.frost.entities
        for path in [path for path in entities if path.startswith(f"{gone}(")]:
            del entities[path]
        for datastream in city.frost.of("Datastreams") if " " in gone else ():
            del datastream["properties"]["featureOfInterest"]
        answer = await city.checks.verify(city.target)
        assert answer.holds, answer
        whole = [e for e in city.frost.of("Datastreams") if "featureOfInterest" in e["properties"]]
        (feature,) = city.frost.of("FeaturesOfInterest")
        assert whole[-1]["properties"]["featureOfInterest"] == feature["@iot.id"]


async def test_a_pod_that_tells_of_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _city(monkeypatch) as city:
        city.frost.deaf.append(city.second)
        answer = await city.checks.verify(city.target)
        assert (answer.holds, answer.reason, answer.pods) == (False, DeliveryReason.MQTT_DEAF, (_SECOND.name,))
        assert _SECOND.name in answer.message
        assert city.frost.posted == 3, "it had several chances"
        assert city.frost.of("Observations") == []


async def test_where_no_pod_tells_of_anything_the_http_pods_are_suspected_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _city(monkeypatch) as city:
        city.frost.deaf += [city.first, city.second]
        answer = await city.checks.verify(city.target)
        assert answer.reason == DeliveryReason.MQTT_DEAF
        assert answer.pods == (_FIRST.name, _SECOND.name, _HTTP.name)
        assert _HTTP.name not in answer.message, "nobody knows that it is the one"


async def test_after_its_patience_it_posts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _city(monkeypatch) as city:
        city.frost.deaf.append(city.second)
        answer = await city.checks.verify(replace(city.target, patience_seconds=0.15))
        assert answer.message.startswith("within 0.15 s")
        assert city.frost.posted == 2


async def test_one_that_misses_the_first_is_not_taken_for_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _city(monkeypatch) as city:
        city.frost.misses = 1
        assert (await city.checks.verify(city.target)).holds


async def test_a_lost_connection_is_no_deafness(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _city(monkeypatch) as city:
        city.frost.deaf.append(city.second)
        check = asyncio.create_task(city.checks.verify(city.target))
        await city.second.until_subscribed(1)
        await city.second.hang_up()
        answer = await check
        assert (answer.reason, answer.pods) == (DeliveryReason.UNREACHABLE, ())


async def test_a_pod_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _city(monkeypatch) as city:
        nobody = Pod(_FIRST.name, _FIRST.uid, "127.0.0.3")
        answer = await city.checks.verify(replace(city.target, mqtt=(nobody, _SECOND)))
        assert (answer.reason, answer.pods) == (DeliveryReason.UNREACHABLE, ())
        assert _FIRST.name in answer.message


async def test_a_refused_observation_is_told_with_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _city(monkeypatch) as city:
        city.frost.refuses = 503
        answer = await city.checks.verify(city.target)
        assert (answer.holds, answer.reason) == (False, DeliveryReason.REFUSED)
        assert "503" in answer.message
        assert _HTTP.name in answer.message


async def test_off_again_nothing_of_it_is_left_and_data_of_others_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _city(monkeypatch) as city:
        theirs = {city.frost.put("Things", {"name": "a light", "properties": {"owner": "city"}})}
        await city.checks.verify(city.target)
        assert set(city.frost.entities) > theirs
        assert await city.checks.remove(city.target) == ""
        left = {path for path in city.frost.entities if not path.startswith("Datastreams")}
        assert left == theirs, "a Datastream goes with its Thing, which the fake does not know"


async def test_where_tokens_are_asked_for_it_brings_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _city(monkeypatch) as city:
        client = DeliveryClient("hamburg", "air", "uid")
        target = replace(city.target, sign_in=SignIn(SETTINGS.keycloak_realms["city"], client))
        assert (await city.checks.verify(target)).holds
        assert set(city.frost.tokens) == {"Bearer token-of-sensorthings-hamburg-air.delivery"}
        assert {login[1] for login in city.first.logins} == {"token-of-sensorthings-hamburg-air.delivery"}
        await city.checks.remove(target)
        assert city.keycloak.removed == [client.client_id]
        city.keycloak.error = KeycloakError(AuthReason.UNREACHABLE, "Keycloak does not answer")
        answer = await city.checks.verify(target)
        assert (answer.reason, answer.message) == (DeliveryReason.NOT_VERIFIED, "no token: Keycloak does not answer")
        assert "Keycloak" in await city.checks.remove(target)


async def test_where_passwords_are_asked_for_it_has_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _city(monkeypatch) as city:
        target = replace(city.target, sign_in=SignIn(user=PasswordOwner("hamburg", "air-delivery")))
        assert (await city.checks.verify(target)).holds
        pair = b64encode(b"_delivery-check:dr:awn").decode()
        assert set(city.frost.tokens) == {f"Basic {pair}"}
        assert set(city.first.logins) == {("_delivery-check", "dr:awn")}
        assert await city.checks.remove(target) == ""
        assert city.keycloak.removed == []


@pytest.mark.parametrize(
    ("error", "data", "told"),
    [
        (NotFoundError(404, "NotFound", "gone"), {}, "no password: Secret air-delivery is not there"),
        (ApiError(403, "Forbidden", "not for you"), {}, "no password: Secret air-delivery: not for you"),
        (None, {}, "no password: Secret air-delivery holds none"),
        (None, {"password": "%"}, "no password: Secret air-delivery holds none"),
    ],
)
async def test_without_its_password_nothing_is_said_of_the_delivery(
    monkeypatch: pytest.MonkeyPatch, error: ApiError | None, data: dict[str, str], told: str
) -> None:
    async with _city(monkeypatch) as city:
        city.secrets.error, city.secrets.data = error, data
        target = replace(city.target, sign_in=SignIn(user=PasswordOwner("hamburg", "air-delivery")))
        answer = await city.checks.verify(target)
        assert (answer.reason, answer.message.startswith(told)) == (DeliveryReason.NOT_VERIFIED, True), answer
        assert (await city.checks.remove(target)).startswith(told)
        assert city.frost.tokens == []


def test_what_it_signs_in_with_does_not_show() -> None:
    shown = f"{Access.by_password('operator', 'hunter2')!r} {Access.by_token('hunter2')!r}"
    assert "hunter2" not in shown
    assert b64encode(b"operator:hunter2").decode() not in shown
