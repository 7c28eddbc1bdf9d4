"""What a service has in the shared objects, who else may have it, and what is told of it.

The API server's own part in this (conflicts, equal values, names) is in ``tests/apiserver/test_tcp_services.py``.
"""

import re
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.apply.sharedports import SharedPorts, problems
from sensorthings_operator.apply.tcpservices import TcpServices
from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.conditions.routes import RoutesReason
from sensorthings_operator.desired import tcpservices
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.settings import IngressNginxController, OperatorSettings
from sensorthings_operator.desired.tcpservices import PortClaim, field_manager, holder, port_claim, port_name
from tests.unit.operator.exposed import exposed
from tests.unit.operator.fake_api import FakeApi
from tests.unit.operator.samples import UID, service

if TYPE_CHECKING:
    from sensorthings_operator.clients.kubernetes import KubernetesClient
    from sensorthings_operator.conditions.observed import Answer

_SHARED = IngressNginxController()
_OTHER_UID = "22222222-2222-2222-2222-222222222222"
_UIDS = st.uuids().map(str)
_NAMES = st.from_regex(r"\A[a-z]([-a-z0-9]{0,20}[a-z0-9])?\Z")


def _claim() -> PortClaim:
    claim = port_claim(exposed())
    assert claim is not None
    return claim


@given(_UIDS, _UIDS)
def test_names_fit_their_fields_and_are_each_services_own(one: str, other: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]{1,15}", port_name(one))
    assert len(field_manager(one)) <= 128
    assert (port_name(one) == port_name(other)) == (one == other) == (field_manager(one) == field_manager(other))


@given(_NAMES, _NAMES, st.integers(1, 65535))
def test_who_holds_a_port_is_read_from_what_is_written(namespace: str, name: str, port: int) -> None:
    claim = port_claim(exposed(port, namespace=namespace, name=name))
    assert claim is not None
    assert claim.key == str(port)
    assert claim.service_port["targetPort"] == claim.service_port["port"] == port
    assert holder(claim.backend) == f"{namespace}/{name}"


@pytest.mark.parametrize(
    "value",
    ["", "mail/smtp:25", "air-mqtt:8883", "a/b-mqtt:1883", "a/b-mqtt:8883:PROXY", "a/-mqtt:8883", "a/b/c-mqtt:8883"],
)
def test_what_leads_elsewhere_has_no_service_for_a_holder(value: str) -> None:
    assert holder(value) is None


def test_a_service_inside_the_cluster_claims_nothing() -> None:
    assert port_claim(service()) is None


def test_what_is_applied_never_makes_an_object_and_holds_nothing_of_others() -> None:
    claim = _claim()
    config_map = tcpservices.config_map(_SHARED, "u-1", {claim.key: claim.backend})
    assert config_map["metadata"] == {"namespace": "ingress-nginx", "name": "tcp-services", "uid": "u-1"}
    assert config_map["data"] == {"8883": "hamburg/air-mqtt:8883"}
    controller = tcpservices.controller_service(_SHARED, "u-2", [claim.service_port])
    assert controller["metadata"] == {"namespace": "ingress-nginx", "name": "ingress-nginx-controller", "uid": "u-2"}
    assert controller["spec"] == {"ports": [claim.service_port]}


def test_without_anything_the_manifests_own_nothing() -> None:
    for manifest in (tcpservices.config_map(_SHARED, "u", {}), tcpservices.controller_service(_SHARED, "u", [])):
        assert manifest.keys() == {"apiVersion", "kind", "metadata"}


def _written(manager: str, operation: str = "Apply", **fields: Any) -> Manifest:
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def _keys(*keys: str) -> Manifest:
    return {"f:data": {f"f:{key}": {} for key in keys}}


def _ports(*numbers: int, without: str = "") -> Manifest:
    names: Manifest = {f"f:{name}": {} for name in ("name", "port", "protocol", "targetPort") if name != without}
    return {
        "f:spec": {"f:ports": {f'k:{{"port":{number},"protocol":"TCP"}}': {".": {}, **names} for number in numbers}}
    }


def _live(
    data: dict[str, str] | None = None,
    ports: list[Manifest] | None = None,
    *,
    map_entries: list[Manifest] | None = None,
    service_entries: list[Manifest] | None = None,
) -> SharedPorts:
    config_map = {"metadata": {"uid": "m", "managedFields": map_entries or []}, "data": data}
    controller = {"metadata": {"uid": "s", "managedFields": service_entries or []}, "spec": {"ports": ports or []}}
    return SharedPorts(_SHARED, config_map, controller)


def _ours(*, without: str = "", ports: list[int] | None = None) -> SharedPorts:
    claim = _claim()
    numbers = ports or [8883]
    return _live(
        {claim.key: claim.backend},
        [{**claim.service_port, "port": number} for number in numbers],
        map_entries=[_written(claim.manager, **_keys("8883"))],
        service_entries=[_written(claim.manager, **_ports(*numbers, without=without))],
    )


def test_what_is_ours_alone_is_settled() -> None:
    assert _ours().is_settled(_claim())
    assert list(problems(_claim(), _ours())) == []


def test_nothing_is_settled_before_it_is_there() -> None:
    empty = _live()
    assert not empty.is_settled(_claim())
    assert list(problems(_claim(), empty)) == []
    assert empty.namesakes(_claim()) == set()


def test_a_port_too_many_is_not_settled() -> None:
    assert not _ours(ports=[8883, 8884]).is_settled(_claim())


def test_a_field_that_went_without_a_new_owner_is_mended() -> None:
    seen = _ours(without="targetPort")
    assert not seen.is_settled(_claim())
    assert list(problems(_claim(), seen)) == []


def test_a_second_owner_of_what_we_have_is_no_problem_of_ours() -> None:
    seen = _ours()
    seen.service["metadata"]["managedFields"].append(_written("argocd", **_ports(8883)))
    assert seen.is_settled(_claim())
    assert list(problems(_claim(), seen)) == []


def test_an_update_of_ours_is_no_apply_of_ours() -> None:
    """Whoever edits under our manager's name did not claim."""
    claim = _claim()
    seen = _live({claim.key: claim.backend}, map_entries=[_written(claim.manager, "Update", **_keys("8883"))])
    (problem,) = problems(claim, seen)
    assert "remove the key 8883" in problem


def test_a_port_of_another_protocol_is_another_port() -> None:
    seen = _live(ports=[{"name": "dns", "port": 8883, "protocol": "UDP", "targetPort": 53}])
    assert list(problems(_claim(), seen)) == []


_PORT = _claim().service_port
_PROBLEMS: list[Any] = [
    (_live({"8883": "hamburg/water-mqtt:8883"}), "belongs to the service hamburg/water", "another number"),
    (_live({"8883": "mail/smtp:25"}), "leads to mail/smtp:25: give", "or remove the key 8883 of ConfigMap"),
    (
        _live({"8883": "mail/smtp:25"}, map_entries=[_written("helm", "Update", **_keys("8883"))]),
        "leads to mail/smtp:25, written by helm",
        "ingress-nginx/tcp-services",
    ),
    (_live({"8883": _claim().backend}), "leads to the service, not by the operator", "remove the key 8883"),
    (_live(ports=[_PORT]), "port 8883 of Service ingress-nginx/ingress-nginx-controller is there", "another number"),
    (
        _live(ports=[{**_PORT, "port": 9000}], service_entries=[_written("helm", **_ports(9000))]),
        f"has the name {_PORT['name']}, written by helm",
        "rename",
    ),
]


@pytest.mark.parametrize(("seen", "what", "to_do"), _PROBLEMS)
def test_what_keeps_a_port_away_is_told_with_what_to_do(seen: SharedPorts, what: str, to_do: str) -> None:
    (problem,) = problems(_claim(), seen)
    assert what in problem
    assert to_do in problem
    assert not seen.is_settled(_claim())


def test_a_namesake_is_a_service_that_led_a_port_here_and_is_not_this_one() -> None:
    backend = _claim().backend
    entries = [
        _written(field_manager(UID), **_keys("8883")),
        _written(field_manager(_OTHER_UID), **_keys("8884")),
        _written("helm", **_keys("8885")),
        _written(field_manager("another-services"), **_keys("8886")),
    ]
    data = {**dict.fromkeys(("8883", "8884", "8885"), backend), "8886": "hamburg/water-mqtt:8883"}
    assert _live(data, map_entries=entries).namesakes(_claim()) == {_OTHER_UID}


def _refusing(error: ApiError) -> TcpServices:
    api = FakeApi()
    api.fails = lambda *_: error
    return TcpServices(cast("KubernetesClient", api), OperatorSettings())


_LASTING: list[Any] = [
    (ApiError(403, "Forbidden", "configmaps is forbidden"), RoutesReason.SHARED_FORBIDDEN, "ingressNginx.enabled"),
    (ApiError(422, "Invalid", "field is immutable"), RoutesReason.PORT_REFUSED, "field is immutable"),
]


@pytest.mark.parametrize(("error", "reason", "told"), _LASTING)
async def test_a_lasting_refusal_is_an_answer(error: ApiError, reason: str, told: str) -> None:
    for ask in (_refusing(error).claim, _refusing(error).check):
        answer: Answer = await ask(exposed())
        assert (answer.holds, answer.reason) == (False, reason)
        assert told in answer.message


async def test_what_is_not_there_is_an_answer() -> None:
    tcp_services = TcpServices(cast("KubernetesClient", FakeApi()), OperatorSettings())
    answer = await tcp_services.claim(exposed())
    assert (answer.holds, answer.reason) == (False, RoutesReason.SHARED_MISSING)
    assert "ConfigMap ingress-nginx/tcp-services does not exist" in answer.message
    await tcp_services.release(UID)


async def test_a_conflict_that_a_second_look_does_not_explain_is_an_answer() -> None:
    answer = await _refusing(ApiError(409, "Conflict", 'conflict with "argocd": .data')).claim(exposed())
    assert (answer.holds, answer.reason) == (False, RoutesReason.PORT_REFUSED)
    assert "argocd" in answer.message


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_raised_for_the_queue(status: int) -> None:
    refusing = _refusing(ApiError(status, "", "for now"))
    for ask in (refusing.claim, refusing.check):
        with pytest.raises(ApiError):
            await ask(exposed())


@pytest.mark.parametrize("status", [403, 409, 500])
async def test_a_release_that_is_refused_is_raised(status: int) -> None:
    """The finalizer stays: what is not released would block the port for ever."""
    with pytest.raises(ApiError):
        await _refusing(ApiError(status, "", "no")).release(UID)


async def test_a_service_that_is_not_exposed_is_a_mistake_of_the_caller() -> None:
    tcp_services = TcpServices(cast("KubernetesClient", FakeApi()), OperatorSettings())
    with pytest.raises(ValueError, match="hamburg/air is not reached through ingress-nginx"):
        await tcp_services.claim(service())
