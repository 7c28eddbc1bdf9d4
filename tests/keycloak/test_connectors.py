"""Clients of connectors in a real Keycloak: what their tokens say, whose secret is made anew, and what goes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from sensorthings_operator.clients.keycloak_errors import KeycloakError
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.desired.connector.client import ConnectorClient
from sensorthings_operator.desired.keycloak import ROTATION_ATTRIBUTE
from sensorthings_operator.tokenservice.held import HeldToken
from tests.keycloak.conftest import WANTED

if TYPE_CHECKING:
    from sensorthings_operator.clients.keycloak import KeycloakClients
    from tests.keycloak.conftest import City

_UID = "33333333-3333-3333-3333-333333333333"


def _client(**fields: Any) -> ConnectorClient:
    identity = {"namespace": "hamburg", "name": "loader", "uid": _UID, "service_client": WANTED.client_id}
    return ConnectorClient(**{**identity, "asked_roles": ("create", "read"), **fields})


async def _held(clients: KeycloakClients, city: City, wanted: ConnectorClient) -> HeldToken:
    token = await clients.token(city.realm, wanted)
    held = HeldToken.read(token.value, wanted.service_client)
    assert held is not None
    # Keycloak says what is left of its life when it answers, in whole seconds.
    assert token.seconds in (held.expires - held.issued, held.expires - held.issued - 1)
    return held


async def test_a_token_lives_five_minutes_and_carries_just_the_roles_that_were_asked_for(
    clients: KeycloakClients, city: City
) -> None:
    await clients.ensure(city.realm, WANTED)
    held = await _held(clients, city, _client())
    assert held.roles == ("create", "read")
    assert held.client_id == "connector-hamburg-loader"
    assert held.expires - held.issued == 300
    assert abs(held.issued - time.time()) < 60
    fewer = await _held(clients, city, _client(asked_roles=("read",)))
    assert fewer.roles == ("read",), "a role that is asked for no more is in no new token"
    device = await _held(clients, city, _client(device="station-1"))
    assert device.client_id == "connector-hamburg-loader.station-1"


async def test_a_token_does_not_wait_for_the_client_of_its_service(clients: KeycloakClients, city: City) -> None:
    assert (await _held(clients, city, _client())).roles == ("create", "read")


async def test_another_text_makes_the_secret_anew_once_and_keycloak_notes_when(
    clients: KeycloakClients, city: City
) -> None:
    await clients.ensure(city.realm, WANTED)
    secrets = []
    for rotation in ("", "a", "a", "b"):
        await _held(clients, city, _client(asked_rotation=rotation))
        live = city.admin.client(city.name, "connector-hamburg-loader")
        assert live is not None
        secrets.append(live["secret"])
        assert live["attributes"].get(ROTATION_ATTRIBUTE, "") == rotation
        assert abs(int(live["attributes"]["client.secret.creation.time"]) - time.time()) < 60
        assert live["attributes"]["access.token.lifespan"] == "300", "what is not named is left alone"
    first, second, third, fourth = secrets
    assert second == third
    assert len({first, second, fourth}) == 3


async def test_an_old_secret_is_made_anew(clients: KeycloakClients, city: City) -> None:
    await clients.ensure(city.realm, WANTED)
    await _held(clients, city, _client())
    before = city.admin.client(city.name, "connector-hamburg-loader")
    assert before is not None
    clients._wall_clock = lambda: time.time() + 31 * 86400
    await _held(clients, city, _client())
    after = city.admin.client(city.name, "connector-hamburg-loader")
    assert after is not None
    assert after["secret"] != before["secret"]


async def test_a_role_that_somebody_maps_into_the_tokens_is_taken_away(clients: KeycloakClients, city: City) -> None:
    await clients.ensure(city.realm, WANTED)
    await _held(clients, city, _client())
    live = city.admin.client(city.name, "connector-hamburg-loader")
    assert live is not None
    mapper = {
        "name": "more",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-hardcoded-role-mapper",
        "config": {"role": f"{WANTED.client_id}.admin"},
    }
    city.admin.call("POST", f"/{city.name}/clients/{live['id']}/protocol-mappers/models", mapper)
    assert (await _held(clients, city, _client())).roles == ("create", "read")


async def test_what_is_revoked_is_gone_and_nobody_elses(clients: KeycloakClients, city: City) -> None:
    await clients.ensure(city.realm, WANTED)
    for device in ("", "a", "b"):
        await clients.token(city.realm, _client(device=device))
    await clients.token(city.realm, _client(name="loader-2", uid="another"))
    await clients.remove_others(city.realm, _UID, "connector-hamburg-loader", {"connector-hamburg-loader"})
    there = ["connector-hamburg-loader", "connector-hamburg-loader.a", "connector-hamburg-loader-2"]
    assert [city.admin.client(city.name, name) is not None for name in there] == [True, False, True]
    await clients.remove_others(city.realm, _UID, "connector-hamburg-loader", ())
    assert city.admin.client(city.name, "connector-hamburg-loader") is None


async def test_a_client_of_that_name_that_is_not_ours_gets_no_token(clients: KeycloakClients, city: City) -> None:
    await clients.ensure(city.realm, WANTED)
    city.admin.call("POST", f"/{city.name}/clients", {"clientId": "connector-hamburg-loader"})
    with pytest.raises(KeycloakError) as refused:
        await clients.token(city.realm, _client())
    assert refused.value.reason is AuthReason.CLIENT_NOT_OURS
