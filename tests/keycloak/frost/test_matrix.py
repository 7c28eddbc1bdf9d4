"""Who may do what, every cell of it: over HTTP at FROST-Server, by MQTT and by WebSocket at the gate."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.e2e.images.conftest import call
from tests.e2e.visitor import Outcome, Visitor

if TYPE_CHECKING:
    from tests.e2e.visitor import Transport
    from tests.keycloak.frost.conftest import Gate, Modules

_CHANGED: Final = {"description": "changed"}
_G, _R, _C = Outcome.GRANTED, Outcome.REFUSED, Outcome.CLOSED


class Row(NamedTuple):
    """What somebody is answered."""

    get: int
    post: int
    patch: int
    delete: int
    subscribe: Outcome
    publish: Outcome


# MQTT 3.1.1 knows one answer to a PUBLISH that is not allowed: the end of the connection.
_ANYBODY: Final = Row(200, 401, 401, 401, _G, _C)
_STRANGER: Final = Row(200, 401, 401, 401, _R, _R)
_MATRIX: Final = {
    "anonymous": _ANYBODY,
    "anonymous with a known client id": _ANYBODY,
    "reader": Row(200, 403, 403, 403, _G, _C),
    "creator": Row(200, 201, 403, 403, _G, _G),
    "editor": Row(200, 403, 200, 403, _G, _C),
    "deleter": Row(200, 403, 403, 200, _G, _C),
    "admin": Row(200, 403, 403, 403, _G, _C),
    # A token without any role of the service is not for it: Keycloak leaves the service out of its audience.
    "nobody": _STRANGER,
    "expired": _STRANGER,
    "tampered": _STRANGER,
    "other-realm": _STRANGER,
    "of-neighbour": _STRANGER,
}
_METHODS: Final = {"GET": "get", "POST": "post", "PATCH": "patch", "DELETE": "delete"}
_TRANSPORTS: Final[tuple[Transport, ...]] = ("tcp", "websockets")
_numbers = itertools.count(1000)


def _who(name: str) -> str:
    return "" if name.startswith("anonymous") else name


@pytest.mark.parametrize("method", _METHODS)
@pytest.mark.parametrize("name", _MATRIX)
def test_over_http(modules: Modules, name: str, method: str) -> None:
    thing = modules.make_thing()
    path, body = {
        "GET": (thing, None),
        "POST": ("/Things", {"name": "made", "description": "by the matrix"}),
        "PATCH": (thing, _CHANGED),
        "DELETE": (thing, None),
    }[method]
    assert modules.status(method, path, _who(name), body) == getattr(_MATRIX[name], _METHODS[method])


def _visitor(modules: Modules, gate: Gate, name: str, transport: Transport) -> Visitor:
    port = gate.port if transport == "tcp" else gate.web_socket_port
    client_id = "" if name != "anonymous with a known client id" else f"known-{next(_numbers)}"
    if client_id:
        with Visitor(port, transport=transport, client_id=client_id, token=modules.tokens["writer"]) as known:
            assert known.outcome is Outcome.GRANTED
    token = modules.tokens[_who(name)] if _who(name) else ""
    return Visitor(port, transport=transport, client_id=client_id, token=token)


@pytest.mark.parametrize("transport", _TRANSPORTS)
@pytest.mark.parametrize("name", _MATRIX)
def test_subscribing(modules: Modules, gate: Gate, datastream: str, name: str, transport: Transport) -> None:
    with _visitor(modules, gate, name, transport) as visitor:
        assert visitor.subscribe(f"v1.1{datastream}/Observations") is _MATRIX[name].subscribe


@pytest.mark.parametrize("transport", _TRANSPORTS)
@pytest.mark.parametrize("name", _MATRIX)
def test_publishing(modules: Modules, gate: Gate, datastream: str, name: str, transport: Transport) -> None:
    result, expected = next(_numbers), _MATRIX[name].publish
    with _visitor(modules, gate, name, transport) as visitor:
        assert visitor.publish(f"v1.1{datastream}/Observations", result) is expected
    stored = call(f"{modules.http.root}{datastream}/Observations").json["value"]
    assert [each["result"] for each in stored] == ([result] if expected is _G else [])
