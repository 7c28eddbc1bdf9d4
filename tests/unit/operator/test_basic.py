"""What a service with auth.type Basic is made of."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.api.base import USER_NAME
from sensorthings_operator.desired import basic, children, frost, rights, schema
from sensorthings_operator.desired.addresses import database_address, jdbc_url
from sensorthings_operator.desired.basic import Account
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from tests.unit.operator.samples import BASIC, EXTERNAL, SETTINGS, service

CLOSED: Final = {"auth": {**BASIC["auth"], "anonymousRead": False}}
_READS: Final = {
    "http": {"readReplicas": 1},
    "host": "air.hamburg.example",
    "exposure": {"type": "Gateway", "gateway": {"name": "g"}},
    "certificate": {"issuerRef": {"name": "city"}},
}


def _named(kind: str, name: str, of: Service, settings: OperatorSettings = SETTINGS) -> Manifest:
    (found,) = (m for m in children(of, settings) if (m["kind"], m["metadata"]["name"]) == (kind, name))
    return found


def _container(name: str, of: Service) -> Manifest:
    spec: Manifest = _named("Deployment", name, of)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    return dict(container)


def _environment(container: Manifest) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in container["env"]}


def _migration(of: Service) -> Manifest:
    (container,) = _named("Job", schema.name(of, SETTINGS), of)["spec"]["template"]["spec"]["initContainers"]
    return dict(container)


@pytest.mark.parametrize(("spec", "anonymous"), [(BASIC, "true"), (CLOSED, "false")])
def test_a_role_for_each_right_over_http_and_none_to_publish(spec: dict[str, Any], anonymous: str) -> None:
    http, mqtt = (_environment(_container(f"air-{module}", service(spec))) for module in ("http", "mqtt"))
    for environment in (http, mqtt):
        assert environment["auth_provider"].endswith(".BasicAuthProvider")
        assert environment["auth_allowAnonymousRead"] == anonymous
        assert environment["auth_autoUpdateDatabase"] == "false", "the schema Job alone makes tables"
    assert {role: http[f"auth_role_{role}"] for role in rights.ROLES} == {role: role for role in rights.ROLES}
    assert http["plugins_batchProcessing_enable"] == "false", "a batch would delete for whoever may create"
    assert mqtt["auth_role_read"] == "read"
    assert not {mqtt[f"auth_role_{role}"] for role in rights.ROLES if role != "read"} & set(rights.ROLES)


def test_users_are_looked_up_where_the_data_are_and_no_password_is_in_a_manifest() -> None:
    of = service({**BASIC, **EXTERNAL})
    for name in ("air-http", "air-mqtt"):
        container = _container(name, of)
        environment = _environment(container)
        assert environment["auth_db_url"] == environment["persistence_db_url"]
        secrets = {each["name"]: each["valueFrom"] for each in container["env"] if "valueFrom" in each}
        assert secrets["auth_db_password"] == secrets["persistence_db_password"]
        assert secrets["auth_db_username"] == secrets["persistence_db_username"]


def test_reads_from_a_standby_look_users_up_there() -> None:
    of = service({**CLOSED, **EXTERNAL, **_READS})
    url = jdbc_url(database_address(of, SETTINGS), reads_only=True)
    environment = _environment(_container("air-http-read", of))
    assert environment["auth_db_url"] == environment["persistence_db_url"] == url


def test_the_migration_is_asked_with_a_password_since_it_makes_the_tables_when_it_sees_one() -> None:
    migration = _migration(service(BASIC))
    environment = _environment(migration)
    assert environment["auth_autoUpdateDatabase"] == "true"
    assert environment["auth_allowAnonymousRead"] == "true", "the user that it is asked by is none"
    assert {environment[f"auth_role_{role}"] for role in rights.ROLES} == {rights.NOBODY}
    assert migration["startupProbe"]["httpGet"]["httpHeaders"] == [{"name": "Authorization", "value": "Basic Og=="}]
    assert "httpHeaders" not in _migration(service())["startupProbe"]["httpGet"]


def test_other_users_are_no_reason_to_migrate_again_or_to_start_pods_anew() -> None:
    more = {"name": "more", "passwordSecretRef": {"name": "more"}}
    grown = {"auth": {**BASIC["auth"], "basic": {"users": [*BASIC["auth"]["basic"]["users"], more]}}}
    assert children(service(grown), SETTINGS) == children(service(BASIC), SETTINGS)


def test_the_operator_has_a_user_of_its_own_whose_password_is_drawn() -> None:
    secret = _named("Secret", "air-delivery", service(BASIC))
    assert secret["metadata"]["annotations"] == {"sensorthings.city/generated-keys": "password"}
    assert "data" not in secret
    own = basic.accounts(service(BASIC))[-1]
    assert (own.secret, own.key) == ("air-delivery", "password")
    assert own.roles == {"read", "create", "delete"}
    assert not [m for m in children(service(), SETTINGS) if m["metadata"]["name"] == "air-delivery"]


def test_users_have_the_roles_and_keys_of_the_spec_or_those_that_most_want() -> None:
    accounts = {each.name: each for each in basic.accounts(service(BASIC))}
    assert accounts["gateway"] == Account("gateway", frozenset({"read", "create"}), "air-users", "gateway")
    assert accounts["office"] == Account("office", frozenset({"read"}), "office", "password")
    assert basic.accounts(service()) == ()


@given(st.from_regex(USER_NAME, fullmatch=True))
def test_nobody_can_be_called_as_the_operators_own_user(name: str) -> None:
    assert name != basic.DELIVERY_USER
    assert ":" not in name


def test_connections_for_users_are_counted() -> None:
    with_users, without = service(BASIC), service()
    pods = frost.most_connections(without) // frost.CONNECTIONS_PER_POD
    each = frost.CONNECTIONS_PER_POD + int(_environment(_container("air-http", with_users))["auth_db_conn_max"])
    assert frost.most_connections(with_users) == pods * each
