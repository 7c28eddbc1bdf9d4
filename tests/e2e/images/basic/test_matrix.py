"""Who may do what, every cell of it: over HTTP at FROST-Server, by MQTT at the gate."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.e2e.images.basic.conftest import ADMIN, USERS, WRONG
from tests.e2e.visitor import Outcome

if TYPE_CHECKING:
    from sensorthings_operator.clients.users import User
    from tests.e2e.images.basic.conftest import Modules

_G, _R, _C = Outcome.GRANTED, Outcome.REFUSED, Outcome.CLOSED


class Row(NamedTuple):
    """What somebody is answered."""

    get: int
    post: int
    delete: int
    subscribe: Outcome
    publish: Outcome


# FROST-Server 2.0.0 answers 401 to a user who lacks a role, too. MQTT 3.1.1 knows one answer to a PUBLISH that is not
# allowed: the end of the connection. A wrong password is refused by the gate, while over HTTP it reads as anybody does.
_EVERYBODY_READS: Final = {
    "anonymous": Row(200, 401, 401, _G, _C),
    "wrong": Row(200, 401, 401, _R, _R),
    "admin": Row(200, 401, 401, _R, _R),
    "reader": Row(200, 401, 401, _G, _C),
    "creator": Row(200, 201, 401, _G, _G),
    "deleter": Row(200, 401, 200, _G, _C),
}
_USERS_READ: Final = {
    "anonymous": Row(401, 401, 401, _R, _R),
    "wrong": Row(401, 401, 401, _R, _R),
    "admin": Row(401, 401, 401, _R, _R),
    "reader": Row(200, 401, 401, _G, _C),
    "creator": Row(401, 201, 401, _R, _G),
    "deleter": Row(401, 401, 200, _R, _C),
}
_WHO: Final[dict[str, User | None]] = {"anonymous": None, "wrong": WRONG, "admin": ADMIN, **USERS}
_METHODS: Final = {"GET": "get", "POST": "post", "DELETE": "delete"}
_numbers = itertools.count(1000)


def _row(modules: Modules, name: str) -> Row:
    return (_EVERYBODY_READS if modules.anonymous_read else _USERS_READ)[name]


@pytest.mark.parametrize("method", _METHODS)
@pytest.mark.parametrize("name", _USERS_READ)
def test_over_http(modules: Modules, name: str, method: str) -> None:
    thing = modules.make_thing()
    path, body = {
        "GET": (thing, None),
        "POST": ("/Things", {"name": "made", "description": "by the matrix"}),
        "DELETE": (thing, None),
    }[method]
    assert modules.status(method, path, _WHO[name], body) == getattr(_row(modules, name), _METHODS[method])


@pytest.mark.parametrize("name", _USERS_READ)
def test_subscribing(modules: Modules, name: str) -> None:
    topic = f"v1.1{modules.make_datastream()}/Observations"
    with modules.visitor(_WHO[name]) as visitor:
        assert visitor.subscribe(topic) is _row(modules, name).subscribe


@pytest.mark.parametrize("name", _USERS_READ)
def test_publishing(modules: Modules, name: str) -> None:
    result, expected, datastream = next(_numbers), _row(modules, name).publish, modules.make_datastream()
    with modules.visitor(_WHO[name]) as visitor:
        assert visitor.publish(f"v1.1{datastream}/Observations", result) is expected
    stored = modules.read(f"{datastream}/Observations")
    assert [each["result"] for each in stored] == ([result] if expected is _G else [])
