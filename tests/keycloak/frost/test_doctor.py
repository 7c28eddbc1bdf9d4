"""``sensorthings doctor`` asks a real Keycloak, FROST-Server and gate; only the cluster that it reads is left out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from sensorthings_operator.cli.access import Access
from sensorthings_operator.cli.doctor import token
from sensorthings_operator.cli.doctor.asking import ask
from sensorthings_operator.cli.doctor.findings import State
from sensorthings_operator.cli.doctor.judging import judge
from sensorthings_operator.cli.doctor.observed import Adapter, Observed, Subject, Token
from sensorthings_operator.desired import keycloak as desired
from tests.e2e.images.conftest import call

if TYPE_CHECKING:
    from sensorthings_operator.desired.service import Service
    from sensorthings_operator.desired.settings import OperatorSettings
    from tests.keycloak.frost.conftest import Gate, Modules

_REFUSED: Final = {"token-http", "token-mqtt"}
_WRONG: Final[dict[str, set[str]]] = {
    "": set(),
    "writer": set(),
    "reader": set(),
    "creator": set(),
    "person": set(),
    "nobody": {"token-audience", "token-roles", *_REFUSED},
    "expired": {"token-lifetime", *_REFUSED},
    "tampered": _REFUSED,
    "other-realm": {"token-issuer", *_REFUSED},
}
"""What is wrong, by whose token it is."""


@pytest.mark.parametrize("name", _WRONG)
def test_what_is_wrong_with_whom(
    name: str, modules: Modules, gate: Gate, service: tuple[Service, OperatorSettings]
) -> None:
    (configuration,) = desired.build(*service)
    live: dict[str, Any] = {
        "metadata": {"namespace": service[0].namespace, "name": service[0].name},
        "spec": {
            "auth": {"type": "Keycloak", "keycloak": {"realm": "city"}},
            "mqtt": {"publishing": {"enabled": True}},
        },
        "status": {
            "endpoints": [
                {"name": "sensorthings", "url": modules.http.root},
                {"name": "mqtt", "url": f"mqtt://127.0.0.1:{gate.port}"},
                {"name": "mqtt-websocket", "url": f"ws://127.0.0.1:{gate.web_socket_port}/mqtt"},
            ],
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "AuthConfigured", "status": "True"}],
        },
    }
    given = modules.tokens.get(name, "")
    observed = Observed(
        now=datetime.now(UTC),
        subject=Subject.of(live),
        adapter=Adapter.of(configuration),
        token=Token(name, claims=token.read(given)) if given else None,
    )
    things = f"{modules.http.root}/Things?$count=true&$top=0"
    before = call(things).json["@iot.count"]
    findings = judge(asyncio.run(ask(observed, Access(), given)))
    assert {each.check for each in findings if each.state is State.PROBLEM} == _WRONG[name], findings
    assert {"keycloak-certificate", "issuer", "anonymous-write", "anonymous-publish", "websocket"} <= {
        each.check for each in findings
    }
    assert all(given not in each.message + each.remedy for each in findings if given)
    assert call(things).json["@iot.count"] == before
