"""The live map page: what is made for it, what it is told, and what its condition says."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.gatewayroutes import GatewayState
from sensorthings_operator.conditions.observed import Answer, ApplyProblem, PodProblem
from sensorthings_operator.desired import MQTT, addresses, children
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.validation import validate
from sensorthings_operator.gates import Gate, gate
from sensorthings_operator.observe.gather import gather
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.operator.exposed import HOST
from tests.unit.operator.samples import SETTINGS, UID, observed, service, workload

_EXPOSED: Final[Manifest] = {
    "host": HOST,
    "exposure": {"type": "IngressNginx"},
    "certificate": {"issuerRef": {"name": "city-ca"}},
}
_GATEWAY: Final[Manifest] = {**_EXPOSED, "exposure": {"type": "Gateway", "gateway": {"name": "city"}}}
_KINDS: Final = {"ConfigMap", "Deployment", "NetworkPolicy", "Service", "ServiceAccount"}


def _with(portal: Manifest | None = None, spec: Manifest | None = None, **fields: Any) -> Service:
    return service({**_EXPOSED, "portal": portal or {}, **(spec or {})}, **fields)


def _made(of: Service) -> dict[str, Manifest]:
    named = addresses.portal_name(of)
    return {child["kind"]: child for child in children(of, SETTINGS) if child["metadata"]["name"] == named}


def _told(of: Service) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(_made(of)["ConfigMap"]["data"]["portal.json"])
    return told


def test_nothing_is_made_where_nobody_asked() -> None:
    assert _made(service(_EXPOSED)) == {}


@pytest.mark.parametrize(("spec", "route"), [(_EXPOSED, "Ingress"), (_GATEWAY, "HTTPRoute")], ids=["nginx", "gateway"])
def test_the_route_leads_to_the_page_alone(spec: Manifest, route: str) -> None:
    made = _made(_with({"path": "/live/map"}, spec))
    assert made.keys() == {*_KINDS, route}
    assert json.dumps(made[route]).count('"/live/map"') == 1
    assert HOST in json.dumps(made[route])


def test_a_service_whose_host_is_another_s_gets_no_route() -> None:
    assert _made(_with(host_holder=("bremen", "air"))).keys() == _KINDS


def test_a_hibernated_service_keeps_the_page_and_runs_no_pod() -> None:
    made = _made(_with({"replicas": 2}, {"hibernated": True}))
    assert made["Deployment"]["spec"]["replicas"] == 0
    assert "Ingress" in made


def test_pods_roll_when_the_page_is_told_something_else() -> None:
    def annotations(**portal: str) -> Any:
        return _made(_with(dict(portal)))["Deployment"]["spec"]["template"]["metadata"]["annotations"]

    assert annotations() == annotations()
    assert annotations() != annotations(title="Air")


def test_the_page_may_load_nothing_but_itself_and_the_service() -> None:
    assert _told(_with())["contentSecurityPolicy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' wss://iot.hamburg.example; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'"
    )


def test_a_background_is_let_in_from_its_own_origin_alone() -> None:
    given_url = "https://tiles.hamburg.example/dark/{z}/{x}/{y}.png?key=1"
    policy = _told(_with({"background": {"url": given_url, "attribution": "© Hamburg"}}))["contentSecurityPolicy"]
    assert "img-src 'self' data: https://tiles.hamburg.example;" in policy


def test_the_page_asks_for_a_layer_where_the_spec_names_one() -> None:
    page = _told(_with({"serviceName": "air's", "layerName": "no2"}))["page"]
    layer = "properties/serviceName eq 'air''s' and properties/layerName eq 'no2'"
    assert page["layer"] == layer
    assert f"Datastreams($filter={layer};$select=id,name,unitOfMeasurement)".replace(" ", "%20") in page["things"]
    assert "&$filter=Datastreams/properties/serviceName%20eq%20'air''s'" in page["things"]
    assert _told(_with())["page"]["layer"] is None


_WORDS: Final = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=64)


@given(title=_WORDS, results=st.lists(_WORDS, unique=True, max_size=8))
def test_what_the_page_is_told_is_what_the_spec_says(title: str, results: list[str]) -> None:
    styles = [{"result": result, "colour": "#ffffff", "label": f"{result}!"} for result in results]
    told = _told(_with({"title": title, "styles": styles}))
    assert told["title"] == title
    assert told["page"]["styles"] == styles


def test_clients_are_told_where_the_page_is() -> None:
    urls = {each.name: each.url for each in addresses.endpoints(_with(spec=_GATEWAY), SETTINGS)}
    assert urls["map"] == "https://iot.hamburg.example/map/"
    assert "map" not in {each.name for each in addresses.endpoints(service(_EXPOSED), SETTINGS)}


@pytest.mark.parametrize(
    ("web_socket_path", "path", "wrong"),
    [("/map", "/map", True), ("/map/mqtt", "/map", True), ("/mapping", "/map", False), ("/mqtt", "/mqtt/map", False)],
)
def test_the_page_leaves_mqtt_its_path(web_socket_path: str, path: str, wrong: bool) -> None:
    exposure = {"type": "IngressNginx", "ingressNginx": {"webSocketPath": web_socket_path}}
    problems = validate(_with({"path": path}, {"exposure": exposure}).spec)
    assert [problem.path for problem in problems] == (["spec.portal.path"] if wrong else [])


_RUNS: Final[dict[str, Any]] = {"portal": workload(), "portal_route": True}
_REFUSED: Final = Answer(holds=False, reason=GatewayState.REFUSED, message="no listener")
_PENDING: Final = Answer(holds=False, reason=GatewayState.PENDING, message="")
_CASES: Final[list[Any]] = [
    (_RUNS, {}, "True", "PortalReady"),
    ({"portal": None}, {}, "False", "PortalWaiting"),
    ({"portal": workload(available=0)}, {}, "False", "PortalStarting"),
    ({"portal": workload(0)}, {}, "False", "PortalScaledToZero"),
    (
        {
            "portal": workload(available=0),
            "pod_problems": (PodProblem("portal", "air-portal-x", "ImagePullBackOff", "m"),),
        },
        {},
        "False",
        "ImagePullBackOff",
    ),
    ({"portal_route": None}, {}, "False", "PortalWaiting"),
    ({"portal_route": False}, {}, "False", "PortalRoutePending"),
    ({"portal_route": _REFUSED}, _GATEWAY, "False", "PortalRouteRefused"),
    ({"portal_route": _PENDING}, _GATEWAY, "False", "PortalRoutePending"),
    ({"portal_route": Answer(True, GatewayState.TAKEN_UP, "")}, _GATEWAY, "True", "PortalReady"),
    ({"apply_problems": (ApplyProblem("Service", "air-portal", "NameTaken", "m"),)}, {}, "False", "PortalRefused"),
    ({"apply_problems": (ApplyProblem("Service", "air-http", "NameTaken", "m"),)}, {}, "True", "PortalReady"),
    (_RUNS, {"paused": True}, "Unknown", "Paused"),
    (_RUNS, {"hibernated": True}, "False", "Hibernated"),
]


@pytest.mark.parametrize(("fields", "spec", "status", "reason"), _CASES)
def test_the_condition_says_what_is(fields: dict[str, Any], spec: Manifest, status: str, reason: str) -> None:
    verdict = evaluate(observed(service=_with(spec=spec), **{**_RUNS, **fields}))["PortalAvailable"]
    assert (verdict.status, verdict.reason) == (status, reason)


def test_a_host_of_another_service_is_told() -> None:
    verdict = evaluate(observed(service=_with(host_holder=("bremen", "air")), **_RUNS))["PortalAvailable"]
    assert (verdict.reason, "bremen/air" in verdict.message) == ("HostTaken", True)


def test_ready_does_not_wait_for_the_page() -> None:
    def ready(of: Service) -> tuple[str, str]:
        verdict = evaluate(observed(service=of, portal=None))["Ready"]
        return verdict.status, verdict.reason

    assert ready(_with()) == ready(service(_EXPOSED))
    assert "PortalAvailable" not in evaluate(observed())


def test_a_page_that_is_refused_holds_no_change_of_the_modules_back() -> None:
    problem = ApplyProblem("Deployment", "air-portal", "NameTaken", "m")
    certificate = Answer(holds=True, reason="Issued", message="")
    seen = observed(service=_with(), certificate=certificate, apply_problems=(problem,))
    assert gate(MQTT, seen) is Gate.OPEN
    of_http = ApplyProblem("Deployment", "air-http", "NameTaken", "m")
    seen = observed(service=_with(), certificate=certificate, apply_problems=(of_http,))
    assert gate(MQTT, seen) is Gate.REPAIRS_ONLY


def test_what_serves_the_page_and_what_leads_to_it_are_seen() -> None:
    store = OwnedStore(SUMMARIES)
    seen = gather(store, _with(), schema_job="")
    assert (seen.portal, seen.portal_route) == (None, None)
    address = {"loadBalancer": {"ingress": [{"ip": "10.96.0.80"}]}}
    store.put("Ingress", _live("Ingress", status=address))
    store.put("Deployment", _live("Deployment", spec={"replicas": 1}, status={"availableReplicas": 1}))
    seen = gather(store, _with(), schema_job="")
    assert seen.portal is not None
    assert (seen.portal.available, seen.portal_route) == (1, True)
    accepted = {"type": "Accepted", "status": "False", "reason": "NotAllowed", "message": "m"}
    store.put("HTTPRoute", _live("HTTPRoute", status={"parents": [{"conditions": [accepted]}]}))
    route = gather(store, _with(spec=_GATEWAY), schema_job="").portal_route
    assert isinstance(route, Answer)
    assert not route.holds


def _live(kind: str, **parts: Manifest) -> Manifest:
    owner = {"kind": "SensorThingsService", "name": "air", "uid": UID, "controller": True}
    described = {
        "name": "air-portal",
        "namespace": "hamburg",
        "uid": kind,
        "resourceVersion": "1",
        "labels": {"sensorthings.city/service": "air"},
        "ownerReferences": [owner],
    }
    return {"kind": kind, "metadata": described, **parts}
