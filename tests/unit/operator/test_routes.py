"""RoutesProgrammed: every cause shows, and those that somebody has to act on come first."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.observed import Answer, Observed
from sensorthings_operator.conditions.routes import ROUTES_PROGRAMMED, RoutesReason
from tests.unit.operator.exposed import HOST, exposed
from tests.unit.operator.samples import observed, service

_LED = Answer(holds=True, reason=RoutesReason.READY, message="port 8883 leads to the service")
_TAKEN = Answer(holds=False, reason=RoutesReason.PORT_TAKEN, message="port 8883 belongs to the service hamburg/water")
_UNLED = Answer(holds=False, reason=RoutesReason.WAITING, message="port 8883 does not lead to the service yet")
_ISSUED = Answer(holds=True, reason="Ready", message="Certificate is up to date and has not expired")
_TAKEN_UP = {"air-http": True, "air-mqtt-websocket": True}


def _observed(**fields: Any) -> Observed:
    well = {"service": exposed(), "certificate": _ISSUED, "mqtt_port": _LED, "ingresses": _TAKEN_UP}
    return observed(**{**well, **fields})


def test_all_routes_stand() -> None:
    verdict = ROUTES_PROGRAMMED.evaluate(_observed())
    assert (verdict.status, verdict.reason) == ("True", RoutesReason.READY)
    assert verdict.message == f"{HOST} leads to the service: HTTPS at /FROST-Server, MQTT at port 8883 and path /mqtt"


_CASES: list[Any] = [
    ({"mqtt_port": None}, RoutesReason.WAITING, "schema", True),
    ({"ingresses": {}}, RoutesReason.WAITING, "schema", True),
    ({"ingresses": {"air-http": True}}, RoutesReason.WAITING, "schema", True),
    ({"mqtt_port": _UNLED}, RoutesReason.WAITING, "port 8883", True),
    ({"ingresses": {**_TAKEN_UP, "air-http": False}}, RoutesReason.PENDING, "Ingress air-http yet", True),
    ({"ingresses": dict.fromkeys(_TAKEN_UP, False)}, RoutesReason.PENDING, "air-http, air-mqtt-websocket", True),
    ({"mqtt_port": _TAKEN}, RoutesReason.PORT_TAKEN, "hamburg/water", False),
    ({"mqtt_port": _TAKEN, "ingresses": {}}, RoutesReason.PORT_TAKEN, "hamburg/water", False),
]


@pytest.mark.parametrize(("fields", "reason", "told", "expected"), _CASES)
def test_each_cause_shows(fields: dict[str, Any], reason: str, told: str, expected: bool) -> None:
    verdict = ROUTES_PROGRAMMED.evaluate(_observed(**fields))
    assert (verdict.status, verdict.reason, verdict.expected) == ("False", reason, expected)
    assert told in verdict.message


def test_it_asks_whether_a_controller_runs_for_the_class() -> None:
    seen = _observed(service=exposed(routes={"className": "public"}), ingresses=dict.fromkeys(_TAKEN_UP, False))
    assert "IngressClass public" in ROUTES_PROGRAMMED.evaluate(seen).message


_PORT_REASONS = [RoutesReason.PORT_TAKEN, RoutesReason.PORT_REFUSED, RoutesReason.SHARED_MISSING]
_ANSWERS = st.none() | st.builds(
    Answer, st.just(False), st.sampled_from([*_PORT_REASONS, RoutesReason.SHARED_FORBIDDEN]), st.just("told")
)


@given(
    st.sampled_from([exposed(), service({"host": HOST, "exposure": {"type": "Gateway", "gateway": {"name": "g"}}})]),
    _ANSWERS | st.sampled_from([_LED, _UNLED]),
    st.dictionaries(st.sampled_from(sorted(_TAKEN_UP)), st.booleans()),
)
def test_there_is_always_a_verdict_and_the_ports_problem_comes_first(
    of: Any, port: Answer | None, ingresses: dict[str, bool]
) -> None:
    verdict = ROUTES_PROGRAMMED.evaluate(_observed(service=of, mqtt_port=port, ingresses=ingresses))
    assert verdict.message
    assert isinstance(verdict.reason, str)
    if port is not None and port.reason in set(RoutesReason) - {RoutesReason.READY, RoutesReason.WAITING}:
        assert (verdict.reason, verdict.message) == (port.reason, port.message)
    if verdict.holds:
        assert port == _LED


def test_a_service_inside_the_cluster_has_no_such_condition() -> None:
    assert "RoutesProgrammed" not in evaluate(observed())
    assert "RoutesProgrammed" in evaluate(_observed())


def test_a_service_is_not_ready_without_its_routes() -> None:
    verdicts = evaluate(_observed(mqtt_port=_TAKEN))
    assert not verdicts["Ready"].holds
    assert verdicts["Ready"].message == f"RoutesProgrammed: {_TAKEN.message}"
