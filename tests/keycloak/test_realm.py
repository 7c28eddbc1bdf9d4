"""``sensorthings realm`` against a real Keycloak: made, kept, refused, taken over; and what the operator does in it."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml

from sensorthings_operator.api.realm import CLIENT_SETTINGS, MARK, OPERATOR_CLIENT, REALM_SETTINGS
from sensorthings_operator.cli.doctor.token import read
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.desired.keycloak import DeliveryClient
from tests.keycloak.conftest import WANTED
from tests.keycloak.realms import Maker
from tests.keycloak.server import access_token

if TYPE_CHECKING:
    from pathlib import Path

    from sensorthings_operator.desired.settings import KeycloakRealm
    from tests.keycloak.server import Keycloak


@pytest.fixture
def maker(keycloak: Keycloak, tmp_path: Path) -> Maker:
    """For a realm that is not there yet."""
    return Maker.of(keycloak, tmp_path)


async def _operate(realm: KeycloakRealm) -> None:
    """All that the operator does in a realm."""
    async with KeycloakClients() as clients:
        reason, message = await clients.ensure(realm, WANTED)
        assert reason is AuthReason.READY, message
        delivery = DeliveryClient(WANTED.namespace, WANTED.name, WANTED.uid)
        assert await clients.token(realm, delivery)
        assert await clients.remove(realm, delivery)
        assert await clients.remove(realm, WANTED)


def test_a_realm_is_made_in_which_the_operator_makes_its_clients(maker: Maker, tmp_path: Path) -> None:
    result = maker.make()
    live = maker.live()
    assert REALM_SETTINGS.items() <= live.items()
    assert CLIENT_SETTINGS.items() <= maker.operator_client().items()
    manifest = yaml.safe_load(result.stdout)
    assert manifest["metadata"] == {"name": f"keycloak-{maker.name}", "namespace": "sensorthings-system"}
    assert f"#     url: {maker.keycloak.url}\n#     realm: {maker.name}\n" in result.stdout
    assert f"realm {maker.name}: made" in result.stderr
    assert "Warning" not in result.stderr
    asyncio.run(_operate(maker.operators(result, tmp_path / "mounted")))


def test_over_tls_the_private_ca_is_needed_and_printed(maker: Maker, keycloak: Keycloak, tmp_path: Path) -> None:
    refused = maker.call(url=keycloak.tls_url)
    assert refused.exit_code == 1
    assert "--cacert" in refused.stderr
    authority = tmp_path / "ca.pem"
    authority.write_text(keycloak.authority.ca)
    result = maker.make("--cacert", str(authority), "-n", "operators", "--secret", "of-the-city", url=keycloak.tls_url)
    assert yaml.safe_load(result.stdout)["metadata"] == {"name": "of-the-city", "namespace": "operators"}
    asyncio.run(_operate(maker.operators(result, tmp_path / "mounted", url=keycloak.tls_url)))


def test_the_operators_client_may_manage_clients_and_nothing_else(maker: Maker) -> None:
    printed = maker.printed(maker.make())
    form = {"grant_type": "client_credentials", "client_id": OPERATOR_CLIENT}
    token = access_token(maker.keycloak.url, maker.name, {**form, "client_secret": printed["client-secret"]})
    assert read(token).roles == {"realm-management": ("manage-clients",)}

    def status(method: str, path: str, body: Any = None) -> int:
        data = None if body is None else orjson.dumps(body)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        url = f"{maker.keycloak.url}/admin/realms/{maker.name}{path}"
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert status("GET", "/clients") == 200
    assert status("GET", "/users") == 403
    assert status("POST", "/users", {"username": "mallory"}) == 403
    assert status("PUT", "", {"registrationAllowed": True}) == 403
    assert status("POST", "/components", {"name": "x"}) == 403
    assert maker.live()["registrationAllowed"] is False


def test_a_second_run_changes_nothing_and_prints_the_same(maker: Maker) -> None:
    first = maker.make()
    maker.watch()
    second = maker.make()
    assert second.stdout == first.stdout
    assert maker.changes() == []
    assert second.stderr.count("as it should be") == 3


def test_what_was_changed_is_brought_back_and_what_is_the_citys_is_left(maker: Maker) -> None:
    first = maker.make()
    theirs = {
        "failureFactor": 7,
        "displayName": "City of Example",
        "otpPolicyDigits": 8,
        "webAuthnPolicyRpId": "id.city.example",
        "webAuthnPolicySignatureAlgorithms": ["RS256"],
        "smtpServer": {"host": "mail.city.example", "from": "id@city.example", "auth": "true", "user": "id",
                       "password": "of-the-mail-server"},
    }  # fmt: skip
    attributes = {**maker.live()["attributes"], "theirs": "kept"}
    maker.admin.call("PUT", f"/{maker.name}", {**maker.live(), **theirs, "attributes": attributes})
    before = maker.live()
    maker.admin.make_account(maker.name, "theirs", {"realm-management": ["view-users"]})
    account = maker.admin.client(maker.name, "theirs")

    drift = {"registrationAllowed": True, "accessTokenLifespan": 86400, "bruteForceProtected": False}
    maker.admin.call("PUT", f"/{maker.name}", {**before, **drift})
    client = maker.operator_client()
    changed = {**client, "fullScopeAllowed": True, "standardFlowEnabled": True, "redirectUris": ["https://theirs/*"]}
    maker.admin.call("PUT", f"/{maker.name}/clients/{client['id']}", changed)
    rights = maker.admin.roles(maker.name, "realm-management")
    management = maker.admin.client(maker.name, "realm-management")["id"]
    user = maker.admin.account_user(maker.name, OPERATOR_CLIENT)
    mapping = f"/{maker.name}/users/{user}/role-mappings/clients/{management}"
    maker.admin.call("POST", mapping, [rights["realm-admin"]])
    maker.admin.call("DELETE", mapping, [rights["manage-clients"]])

    dry = maker.make("--dry-run")
    assert dry.stdout == ""
    assert maker.live()["registrationAllowed"] is True
    second = maker.make()
    assert second.stdout == first.stdout, "the secret is the same"
    after = maker.live()
    assert {**after, **REALM_SETTINGS} == after
    assert {name: after[name] for name in before} == before
    assert after["attributes"]["theirs"] == "kept"
    assert CLIENT_SETTINGS.items() <= maker.operator_client().items()
    assert [role["name"] for role in maker.admin.call("GET", mapping)] == ["manage-clients"]
    assert maker.admin.client(maker.name, "theirs") == account
    assert "registrationAllowed" in second.stderr
    assert "rid of role realm-admin" in second.stderr
    assert "would be" not in second.stderr


def test_a_realm_of_somebody_else_is_left_alone_until_it_is_taken_over(maker: Maker, tmp_path: Path) -> None:
    maker.admin.call("POST", "", {"realm": maker.name, "enabled": True, "registrationAllowed": True})
    before, clients = maker.live(), maker.admin.call("GET", f"/{maker.name}/clients")
    refused = maker.call()
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert "--adopt" in refused.stderr
    dry = maker.make("--adopt", "--dry-run")
    assert "would be taken over" in dry.stderr
    assert "registrationAllowed False" in dry.stderr
    assert (maker.live(), maker.admin.call("GET", f"/{maker.name}/clients")) == (before, clients)
    result = maker.make("--adopt")
    assert MARK in maker.live()["attributes"]
    assert REALM_SETTINGS.items() <= maker.live().items()
    asyncio.run(_operate(maker.operators(result, tmp_path / "mounted")))
    assert maker.make().stdout == result.stdout, "it is not asked for again"


def test_a_dry_run_makes_nothing(maker: Maker) -> None:
    result = maker.make("--dry-run")
    assert result.stdout == ""
    assert result.stderr.count("would be") == 3
    with pytest.raises(urllib.error.HTTPError, match="404"):
        maker.live()


def test_an_administrator_who_is_not_let_in(maker: Maker) -> None:
    (maker.folder / "admin-password").write_text("not-the-password")
    result = maker.call()
    assert result.exit_code == 1
    assert "does not let administrator 'admin' in" in result.stderr


def test_somebody_who_may_not_make_realms(maker: Maker) -> None:
    name = f"clerk-{maker.name}"
    password = (maker.folder / "admin-password").read_text().strip()
    credentials = [{"type": "password", "value": password, "temporary": False}]
    person = {"username": name, "enabled": True, "email": f"{name}@city.example", "firstName": "C", "lastName": "K"}
    maker.admin.call("POST", "/master/users", {**person, "emailVerified": True, "credentials": credentials})
    result = maker.call("--admin-user", name)
    assert result.exit_code == 1
    assert "create-realm" in result.stderr
