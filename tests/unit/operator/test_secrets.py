"""What is made of the Secrets that a spec names."""

import asyncio
import unicodedata
from base64 import b64encode
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.resources import Resource
from sensorthings_operator.desired import buscertificates
from sensorthings_operator.desired.addresses import database_address
from sensorthings_operator.observe.secrets import MOMENT_SECONDS, SecretReader, SecretsRead
from tests.unit.operator.samples import BASIC, EXTERNAL, SETTINGS, service
from tests.unit.operator.virtual_time import on_virtual_time, run

if TYPE_CHECKING:
    from sensorthings_operator.clients.kubernetes import KubernetesClient

Data = dict[str, str]
SERVICE = service({**EXTERNAL, "bus": {"type": "External", "external": {"host": "bus.city.internal"}}})
OWN_BUS = service(EXTERNAL)
ADDRESS = database_address(SERVICE, SETTINGS)


def _encoded(text: str | bytes) -> str:
    return b64encode(text if isinstance(text, bytes) else text.encode()).decode()


GOOD: dict[str, Data] = {
    "air-db": {"username": _encoded("frost"), "password": _encoded("hunter2")},
    "db-ca": {"ca.crt": _encoded("PEM")},
}


class FakeClient:
    """Gives Secrets by name."""

    def __init__(self, secrets: dict[str, Data | None]) -> None:
        self._secrets = secrets
        self.got: list[str] = []

    async def get(self, _: Resource, __: str, name: str) -> dict[str, Any]:
        self.got.append(name)
        if name == "forbidden":
            raise ApiError(403, "Forbidden", "no")
        if name not in self._secrets:
            raise NotFoundError(404, "NotFound", "not there")
        data = self._secrets[name]
        return {"metadata": {"name": name}, **({} if data is None else {"data": data})}


def _reader(client: FakeClient) -> SecretReader:
    return SecretReader(cast("KubernetesClient", client))


def _read(secrets: dict[str, Data | None], known: dict[str, dict[str, Any]] | None = None) -> SecretsRead:
    async def read() -> SecretsRead:
        return await _reader(FakeClient(secrets)).read(SERVICE, ADDRESS, known or {})

    return run(read())


def test_good_secrets_give_credentials_and_digests() -> None:
    found = _read({**GOOD})
    assert found.missing == {}
    assert found.credentials is not None
    assert (found.credentials.username, found.credentials.password, found.credentials.ca) == ("frost", "hunter2", "PEM")
    assert set(found.digests) == {"air-db", "db-ca"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"air-db": "absent"}, "Secret air-db does not exist: create it with the keys username, password"),
        ({"air-db": None}, "Secret air-db lacks username, password: add what is missing, as UTF-8 text"),
        ({"air-db": {}}, "Secret air-db lacks username, password: add what is missing, as UTF-8 text"),
        ({"air-db": {"username": _encoded("frost")}}, "Secret air-db lacks password: add what is missing"),
        ({"air-db": {**GOOD["air-db"], "password": ""}}, "Secret air-db lacks password: add what is missing"),
        ({"air-db": {**GOOD["air-db"], "password": "%%%"}}, "Secret air-db lacks password: add what is missing"),
        ({"air-db": {**GOOD["air-db"], "password": "aGk!="}}, "Secret air-db lacks password: add what is missing"),
        ({"air-db": {**GOOD["air-db"], "password": _encoded(b"\xff\xfe")}}, "Secret air-db lacks password"),
        ({"db-ca": {"tls.crt": _encoded("PEM")}}, "Secret db-ca lacks ca.crt"),
    ],
    ids=str,
)
def test_what_can_not_be_used_is_told(changed: dict[str, Any], message: str) -> None:
    secrets = {name: data for name, data in {**GOOD, **changed}.items() if data != "absent"}
    found = _read(secrets)
    assert found.credentials is None
    assert len(found.missing) == 1
    assert next(iter(found.missing.values())).startswith(message)
    assert "hunter2" not in repr(found)


def test_everything_that_is_missing_is_told_at_once() -> None:
    assert set(_read({}).missing) == {"air-db", "db-ca"}


@on_virtual_time
async def test_what_was_just_applied_is_not_read_again() -> None:
    client = FakeClient({**GOOD})
    known = {"air-db": {"data": GOOD["air-db"]}}
    found = await _reader(client).read(SERVICE, ADDRESS, known)
    assert client.got == ["db-ca"]
    assert found.look_again is None


@on_virtual_time
async def test_passes_in_quick_succession_read_once_and_look_again() -> None:
    secrets: dict[str, Data | None] = {**GOOD}
    client = FakeClient(secrets)
    reader = _reader(client)
    first = await reader.read(SERVICE, ADDRESS, {})
    secrets["air-db"] = {**GOOD["air-db"], "password": _encoded("rotated")}
    second = await reader.read(SERVICE, ADDRESS, {})
    assert sorted(client.got) == ["air-db", "db-ca"]
    assert (first.look_again, second.look_again) == (None, MOMENT_SECONDS)
    assert second.digests == first.digests
    await asyncio.sleep(MOMENT_SECONDS)
    third = await reader.read(SERVICE, ADDRESS, {})
    assert third.credentials is not None
    assert (third.credentials.password, third.look_again) == ("rotated", None)


@on_virtual_time
async def test_what_can_not_be_used_is_read_in_each_pass() -> None:
    secrets: dict[str, Data | None] = {**GOOD, "air-db": {}}
    reader = _reader(FakeClient(secrets))
    assert (await reader.read(SERVICE, ADDRESS, {})).missing
    secrets["air-db"] = GOOD["air-db"]
    assert not (await reader.read(SERVICE, ADDRESS, {})).missing


@on_virtual_time
async def test_other_trouble_is_no_missing_secret() -> None:
    external = {**EXTERNAL["database"]["external"], "credentialsSecretRef": {"name": "forbidden"}}
    refused = service({"database": {"type": "External", "external": external}})
    with pytest.raises(ApiError, match="no"):
        await _reader(FakeClient({})).read(refused, database_address(refused, SETTINGS), {})


@given(st.text(min_size=1), st.text(min_size=1))
def test_digests_change_with_what_is_read_and_with_nothing_else(one: str, other: str) -> None:
    def digest(password: str, **beside: str) -> str:
        data = {**GOOD["air-db"], "password": _encoded(password), **beside}
        return _read({**GOOD, "air-db": data}).digests["air-db"]

    assert (digest(one) == digest(other)) == (one == other)
    assert digest(one) == digest(one, note=_encoded("rotated by Vault")), "a key that nobody reads rolls no pod"


@given(st.text(min_size=4))
def test_no_password_shows(password: str) -> None:
    data = {"username": _encoded("u"), "password": _encoded(password)}
    found = _read({**GOOD, "air-db": data})
    assert found.credentials is not None
    assert found.credentials.password == password
    assert repr(found.credentials) == "Credentials(username='u')"


_BUS: dict[str, Any] = {"bus": {"type": "External", "external": {"host": "bus.city.internal"}}}
WITH_USERS = service({**EXTERNAL, **_BUS, **BASIC})
USERS: dict[str, Data] = {
    "air-users": {"gateway": _encoded("hunter3")},
    "office": {"password": _encoded("ä battery: staple")},
    "air-delivery": {"password": _encoded("drawn")},
}


def _read_users(secrets: dict[str, Any]) -> SecretsRead:
    async def read() -> SecretsRead:
        given = {name: data for name, data in secrets.items() if data != "absent"}
        return await _reader(FakeClient(given)).read(WITH_USERS, ADDRESS, {})

    return run(read())


def test_passwords_of_users_are_read_and_are_no_reason_to_start_pods_anew() -> None:
    found = _read_users({**GOOD, **USERS})
    assert found.passwords == {"gateway": "hunter3", "office": "ä battery: staple", "_delivery-check": "drawn"}
    assert (found.missing, found.missing_passwords) == ({}, {})
    assert set(found.digests) == {"air-db", "db-ca"}
    assert "hunter" not in repr(found)
    assert "drawn" not in repr(found)


@pytest.mark.parametrize(
    ("changed", "user", "message"),
    [
        ({"air-users": "absent"}, "gateway", "Secret air-users does not exist: create it with the keys gateway"),
        ({"air-users": {}}, "gateway", "Secret air-users lacks gateway: add what is missing, as UTF-8 text"),
        ({"office": {"password": ""}}, "office", "Secret office lacks password"),
        ({"office": {"password": _encoded(b"\xff")}}, "office", "Secret office lacks password"),
        ({"office": {"password": _encoded("hunter2\n")}}, "office", "key password of Secret office holds a line break"),
        ({"office": {"password": _encoded("x" * 256)}}, "office", "key password of Secret office holds more than 255"),
        ({"air-delivery": "absent"}, "_delivery-check", "Secret air-delivery is not there yet: the operator makes it"),
    ],
    ids=str,
)
def test_a_password_that_can_not_be_used_is_told_and_keeps_nothing_else_from_going_on(
    changed: dict[str, Any], user: str, message: str
) -> None:
    found = _read_users({**GOOD, **USERS, **changed})
    assert found.missing == {}
    assert found.credentials is not None
    ((name, told),) = found.missing_passwords.items()
    assert name == user
    assert told.startswith(message)
    assert "hunter" not in told
    assert set(found.passwords) == {"gateway", "office", "_delivery-check"} - {user}


@given(st.text(max_size=300))
def test_passwords_are_such_as_http_and_frost_server_take(password: str) -> None:
    found = _read_users({**GOOD, **USERS, "office": {"password": _encoded(password)}})
    clean = not any(unicodedata.category(character) == "Cc" for character in password)
    assert ("office" in found.passwords) == (clean and 0 < len(password) <= 255)
    assert ("office" in found.passwords) != ("office" in found.missing_passwords)


@on_virtual_time
async def test_a_secret_of_several_users_is_read_once() -> None:
    one = {"name": "air-users", "key": "gateway"}
    named = [{"name": name, "passwordSecretRef": one} for name in ("a", "b", "c")]
    several = service({**EXTERNAL, **_BUS, "auth": {**BASIC["auth"], "basic": {"users": named}}})
    client = FakeClient({**GOOD, **USERS})
    found = await _reader(client).read(several, ADDRESS, {})
    assert sorted(client.got) == ["air-db", "air-delivery", "air-users", "db-ca"]
    assert (found.look_again, set(found.passwords)) == (None, {"a", "b", "c", "_delivery-check"})


def test_what_the_operator_makes_for_the_bus_is_told_of_as_its_own_and_hashed() -> None:
    async def read(secrets: dict[str, Data | None]) -> SecretsRead:
        return await _reader(FakeClient(secrets)).read(OWN_BUS, ADDRESS, {})

    absent = run(read({**GOOD}))
    assert absent.missing == {
        "air-bus-certificates": "Secret air-bus-certificates is not there yet: the operator makes it, unless "
        "spec.paused is true"
    }
    assert absent.credentials is not None, "the database is asked meanwhile"
    values = dict.fromkeys((buscertificates.CA_KEY, *buscertificates.MOUNTED), _encoded(b"\xff\x00"))
    texts = {key: _encoded("PEM") for key in values if not key.endswith(".p12")}
    there = run(read({**GOOD, "air-bus-certificates": {**values, **texts}}))
    assert there.missing == {}
    other_key = run(read({**GOOD, "air-bus-certificates": {**values, **texts, "ca.key": _encoded("other")}}))
    assert other_key.digests == there.digests, "no pod reads the authority's key"
    renewed = run(read({**GOOD, "air-bus-certificates": {**values, **texts, "server.crt": _encoded("other")}}))
    assert renewed.digests != there.digests
