"""What is made of the Secrets that a spec names."""

from base64 import b64encode
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.resources import Resource
from sensorthings_operator.desired.addresses import database_address
from sensorthings_operator.observe.secrets import SecretsRead, read
from tests.unit.operator.samples import EXTERNAL, SETTINGS, service
from tests.unit.operator.virtual_time import run

if TYPE_CHECKING:
    from sensorthings_operator.clients.kubernetes import KubernetesClient

Data = dict[str, str]
SERVICE = service(EXTERNAL)
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


def _read(secrets: dict[str, Data | None], known: dict[str, dict[str, Any]] | None = None) -> SecretsRead:
    return run(read(cast("KubernetesClient", FakeClient(secrets)), SERVICE, ADDRESS, known or {}))


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


def test_what_was_just_applied_is_not_read_again() -> None:
    client = FakeClient({**GOOD})
    known = {"air-db": {"data": GOOD["air-db"]}}
    run(read(cast("KubernetesClient", client), SERVICE, ADDRESS, known))
    assert client.got == ["db-ca"]


def test_other_trouble_is_no_missing_secret() -> None:
    external = {**EXTERNAL["database"]["external"], "credentialsSecretRef": {"name": "forbidden"}}
    refused = service({"database": {"type": "External", "external": external}})
    reading = read(cast("KubernetesClient", FakeClient({})), refused, database_address(refused, SETTINGS), {})
    with pytest.raises(ApiError, match="no"):
        run(reading)


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
