"""The city's realm: what `sensorthings realm` would make, people's accounts that stay, and no secret in the open."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcluster.errors import LocalClusterError
from sensorthings_operator.api.realm import CLIENT_SETTINGS, MAKER, MARK, OPERATOR_CLIENT, REALM_SETTINGS, RIGHT
from sensorthings_operator.cli.city import guard
from sensorthings_operator.cli.city.pulumi import Step
from sensorthings_stacks.policies.resource import Resource as Seen
from sensorthings_stacks.policies.rules import stays
from tests.stacks import programs
from tests.stacks.programs import SECRETS, in_the_open, is_secret
from tests.stacks.recorder import DRAWN
from tests.stacks.standin import engine
from tests.stacks.standin.clouds import Clouds
from tests.stacks.standin.engine import City, destroy

if TYPE_CHECKING:
    from tests.stacks.programs import Resource, Run

_PASSWORD = SECRETS["hamburg"]["city"]["realm"]["administratorPassword"]


def _of(run: Run) -> list[Resource]:
    return [each for each in run.resources if each.type.startswith("keycloak:")]


def _the_secret(run: Run) -> Resource:
    (found,) = [each for each in run.of_type("Secret") if "client-secret" in each.plain["stringData"]]
    return found


def test_the_realm_has_the_settings_that_the_command_gives_it(city: Run) -> None:
    """Each in the name of Pulumi's provider: none may be left out, so that the command finds nothing to bring back."""
    live = city.the("realm:Realm").plain
    same = {
        "enabled": live["enabled"],
        "sslRequired": live["sslRequired"],
        "registrationAllowed": live["registrationAllowed"],
        "bruteForceProtected": "bruteForceDetection" in live["securityDefenses"],
        "accessTokenLifespan": _seconds(live["accessTokenLifespan"]),
        "accessTokenLifespanForImplicitFlow": _seconds(live["accessTokenLifespanForImplicitFlow"]),
    }
    assert same == REALM_SETTINGS
    assert live["realm"] == "hamburg"
    assert live["attributes"] == {MARK: MAKER}


def _seconds(text: str) -> int:
    minutes, _, seconds = text.removesuffix("s").partition("m")
    return int(minutes) * 60 + int(seconds)


def test_the_operators_client_has_the_settings_that_the_command_gives_it(city: Run) -> None:
    live = city.the("client:Client").plain
    same = {
        "name": live["name"],
        "description": live["description"],
        # Pulumi's provider has one kind of client for each protocol.
        "protocol": "openid-connect",
        "enabled": live["enabled"],
        "publicClient": live["accessType"] == "PUBLIC",
        "bearerOnly": live["accessType"] == "BEARER-ONLY",
        "clientAuthenticatorType": live["clientAuthenticatorType"],
        "standardFlowEnabled": live["standardFlowEnabled"],
        "implicitFlowEnabled": live["implicitFlowEnabled"],
        "directAccessGrantsEnabled": live["directAccessGrantsEnabled"],
        "serviceAccountsEnabled": live["serviceAccountsEnabled"],
        "fullScopeAllowed": live["fullScopeAllowed"],
        "redirectUris": live["validRedirectUris"],
        "webOrigins": live["webOrigins"],
    }
    assert same == CLIENT_SETTINGS
    assert (live["clientId"], live["accessType"]) == (OPERATOR_CLIENT, "CONFIDENTIAL")


def test_its_one_right_is_its_accounts_and_its_tokens(city: Run) -> None:
    client, granted = city.the("client:Client"), city.the("ClientServiceAccountRole")
    assert granted.plain["role"] == RIGHT
    assert granted.plain["clientId"] == "id-of-realm-management"
    assert granted.plain["serviceAccountUserId"] == f"account-{client.name}"
    scope = city.the("GenericRoleMapper")
    assert scope.plain["roleId"] == "id-of-manage-clients"
    assert {granted.urn, scope.urn} <= set(_the_secret(city).dependencies)


def test_the_operator_is_told_of_it_by_the_secret_that_the_platform_names(city: Run, platform: Run) -> None:
    secret = _the_secret(city)
    (release,) = [each for each in platform.of_type("v3:Release") if each.name == "sensorthings-operator"]
    known = release.plain["values"]["keycloakRealms"]["hamburg"]
    assert secret.plain["metadata"] == {"name": known["secretName"], "namespace": release.plain["namespace"]}
    assert secret.plain["stringData"] == {
        "client-id": OPERATOR_CLIENT,
        "client-secret": f"{DRAWN} hamburg-operator",
    }


def test_keycloak_is_asked_by_a_provider_of_its_own_once_there_is_an_issuer(city: Run) -> None:
    provider = city.the("providers:keycloak")
    assert provider.plain["url"] == "https://id.hamburg.example"
    assert (provider.plain["username"], provider.plain["realm"]) == ("admin", "master")
    # A preview of a city whose Keycloak is not there yet.
    assert json.loads(provider.plain["initialLogin"]) is False
    (issuer,) = [each for each in city.resources if each.inputs.get("kind") == "ClusterIssuer"]
    assert issuer.urn in provider.dependencies
    asked = _of(city)
    assert len(asked) == 4
    assert all(each.provider.startswith(provider.urn) for each in asked)


def test_no_secret_of_it_is_in_the_open(city: Run) -> None:
    assert is_secret(city.the("providers:keycloak").inputs["password"])
    told = [text for each in city.resources for text in in_the_open(each.inputs)]
    assert _PASSWORD not in told
    assert not [text for text in told if DRAWN in text]


@pytest.mark.parametrize("which", ["munich", "smalltown"])
def test_a_city_that_names_none_has_none(request: pytest.FixtureRequest, which: str) -> None:
    assert _of(request.getfixturevalue(which)["city"]) == []


def test_peoples_accounts_stay(city: Run) -> None:
    realm = city.the("realm:Realm")
    assert realm.protect
    assert realm.retain_on_delete
    assert list(stays(Seen(realm.type, realm.plain, protect=True))) == []
    (told,) = stays(Seen(realm.type, realm.plain))
    assert "people's accounts" in told
    for operation in ("delete", "replace", "discard"):
        (refused,) = guard.refusals([Step(operation, realm.urn)])
        assert "people's accounts" in refused


@pytest.fixture(scope="module")
def up() -> City:
    """Hamburg under the stand-in for Pulumi's engine; nobody may change it."""
    try:
        engine.pulumi()
    except LocalClusterError as error:
        pytest.skip(f"Pulumi's SDK for Go can't be had: {error}")
    city = City("hamburg")
    assert {layer: outcome.problems for layer, outcome in city.all("up").items() if outcome.problems} == {}
    return city


def _changed(up: City, **changes: Any) -> City:
    city = City("hamburg", states=dict(up.states), clouds=Clouds())
    key = "sensorthings-city:realm"
    city.changes["city"] = {key: {**programs.configuration("city")[key], **changes}}
    return city


def test_another_password_of_the_administrator_changes_the_provider_alone(up: City) -> None:
    city = _changed(up, administratorPassword="another-password-of-16")
    outcome = city.run("up", "city")
    assert outcome.problems == []
    assert [urn.rsplit("$")[-1] for step, urn in outcome.steps if step == "update"] == [
        "pulumi:providers:keycloak::hamburg"
    ]


def test_another_name_would_be_another_realm_and_is_refused(up: City) -> None:
    city = _changed(up, name="hamburg2")
    for operation in ("preview", "up"):
        outcome = city.run(operation, "city")
        assert any("realm can't change without replacing it" in each for each in outcome.problems)
    assert ("delete", up.states["city"].of_type("realm:Realm")[0].urn) not in city.clouds.writes


def test_a_realm_that_is_not_asked_for_any_more_stays(up: City) -> None:
    city = City("hamburg", states=dict(up.states), clouds=Clouds())
    city.changes["city"] = {"sensorthings-city:realm": None}
    outcome = city.run("up", "city")
    assert any("is protected: nothing was deleted" in each for each in outcome.problems)
    assert "delete" not in {verb for verb, _ in city.clouds.writes}


def test_a_stack_that_goes_leaves_the_realm(up: City) -> None:
    state, clouds = up.states["city"], Clouds()
    gone = destroy(state.without_protection(), clouds)
    assert gone.problems == []
    (realm,) = state.of_type("realm:Realm")
    assert ("discard", realm.urn) in gone.steps
    assert realm.urn not in {urn for _, urn in clouds.writes}
