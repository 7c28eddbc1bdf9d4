"""Routes through a Gateway: what is made for each way of having listeners, and what its controller's words come to."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.gatewayroutes import GatewayState, wanted
from sensorthings_operator.conditions.observed import Answer, Observed
from sensorthings_operator.desired import addresses, children, envoygateway, gateway, networkpolicy
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.validation import validate
from sensorthings_operator.observe import gateways
from tests.unit.operator.samples import SETTINGS, observed, service

_CERTIFICATE = {"issuerRef": {"name": "letsencrypt"}}
SHARED = {"name": "city", "namespace": "gateways"}


def spec(**routes: Any) -> dict[str, Any]:
    """A spec with these routes."""
    return {
        "host": "air.hamburg.example",
        "exposure": {"type": "Gateway", "gateway": routes or SHARED},
        "certificate": _CERTIFICATE,
    }


def _made(kind: str, **routes: Any) -> list[Manifest]:
    built = service(spec(**routes))
    return [m for m in (*gateway.build(built, SETTINGS), *envoygateway.build(built, SETTINGS)) if m["kind"] == kind]


def test_services_share_a_gateway_each_by_listeners_of_its_own() -> None:
    (listeners,) = _made("ListenerSet", **SHARED)
    assert listeners["spec"]["parentRef"] == {"group": gateway.GROUP, "kind": "Gateway", **SHARED}
    assert {each["hostname"] for each in listeners["spec"]["listeners"]} == {"air.hamburg.example"}
    assert [(each["name"], each["port"], each["protocol"]) for each in listeners["spec"]["listeners"]] == [
        ("http", 80, "HTTP"),
        ("https", 443, "HTTPS"),
        ("mqtts", 8883, "TLS"),
    ]


def test_nothing_is_granted_where_everything_lies_in_the_services_namespace() -> None:
    assert _made("ReferenceGrant", **SHARED) == []
    assert _made("ReferenceGrant", name="city", listeners="Gateway") == []


def test_the_gateways_team_may_use_the_certificate_in_listeners_of_theirs() -> None:
    (grant,) = _made("ReferenceGrant", **SHARED, listeners="Gateway")
    assert grant["spec"] == {
        "from": [{"group": gateway.GROUP, "kind": "Gateway", "namespace": "gateways"}],
        "to": [{"group": "", "kind": "Secret", "name": "air-tls"}],
    }


@pytest.mark.parametrize(
    ("routes", "kind"), [({"className": "envoy"}, "Gateway"), (SHARED, "ListenerSet")], ids=["own", "shared"]
)
def test_every_route_hangs_on_a_listener_that_is_there(routes: dict[str, Any], kind: str) -> None:
    (listeners,) = _made(kind, **routes)
    names = {each["name"]: each["allowedRoutes"]["kinds"][0]["kind"] for each in listeners["spec"]["listeners"]}
    for route_kind in ("HTTPRoute", "TLSRoute"):
        for route in _made(route_kind, **routes):
            (parent,) = route["spec"]["parentRefs"]
            assert (parent["kind"], parent["name"]) == (kind, "air")
            assert names[parent["sectionName"]] == route_kind


def test_listeners_of_the_gateway_are_found_by_their_ports() -> None:
    (mqtt,) = _made("TLSRoute", **SHARED, listeners="Gateway", mqttPort=8884)
    (parent,) = mqtt["spec"]["parentRefs"]
    assert parent == {"group": gateway.GROUP, "kind": "Gateway", **SHARED, "port": 8884}


@pytest.mark.parametrize(("tls", "port"), [("Passthrough", 8883), ("Terminate", 1883)])
def test_mqtt_goes_where_tls_ends(tls: str, port: int) -> None:
    (route,) = _made("TLSRoute", **SHARED, mqttTLS=tls)
    assert route["spec"]["rules"][0]["backendRefs"][0]["port"] == port
    (listeners,) = _made("ListenerSet", **SHARED, mqttTLS=tls)
    assert listeners["spec"]["listeners"][2]["tls"]["mode"] == tls


@pytest.mark.parametrize("tls", ["Passthrough", "Terminate"])
def test_every_backend_is_a_port_of_a_service_and_let_in(tls: str) -> None:
    built = service(spec(**SHARED, mqttTLS=tls))
    manifests = children(built, SETTINGS)
    ports = {
        (m["metadata"]["name"], port["port"]): port["targetPort"]
        for m in manifests
        if m["kind"] == "Service"
        for port in m["spec"]["ports"]
    }
    for route in (m for m in manifests if m["kind"] in ("HTTPRoute", "TLSRoute")):
        for rule in route["spec"]["rules"]:
            for backend in rule.get("backendRefs", ()):
                target = ports[backend["name"], backend["port"]]
                assert target in _container_ports(manifests, backend["name"])
                assert _container_ports(manifests, backend["name"])[target] in _let_in(manifests, backend["name"])


def _container_ports(manifests: list[Manifest], name: str) -> dict[str, int]:
    (pod,) = (
        m["spec"]["template"]["spec"] for m in manifests if (m["kind"], m["metadata"]["name"]) == ("Deployment", name)
    )
    containers = (*pod["containers"], *pod.get("initContainers", ()))
    return {port["name"]: port["containerPort"] for each in containers for port in each.get("ports", ())}


def _let_in(manifests: list[Manifest], name: str) -> set[int]:
    (policy,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == ("NetworkPolicy", name))
    namespaces = {"envoy-gateway-system", "gateways"}
    return {
        port["port"]
        for rule in policy["spec"]["ingress"]
        for port in rule["ports"]
        if {_namespace(peer) for peer in rule["from"]} == namespaces
    }


def _namespace(peer: Manifest) -> str:
    return str(peer["namespaceSelector"].get("matchLabels", {}).get("kubernetes.io/metadata.name"))


def test_policies_name_what_is_there() -> None:
    routes = {**SHARED, "envoyGateway": {"requestsPerMinute": 60}}
    built = service(spec(**routes))
    made = {
        (m["kind"], m["metadata"]["name"])
        for m in (*gateway.build(built, SETTINGS), *envoygateway.build(built, SETTINGS))
    }
    assert made == set(wanted(built))
    for policy in (*_made("ClientTrafficPolicy", **routes), *_made("BackendTrafficPolicy", **routes)):
        (target,) = policy["spec"]["targetRefs"]
        assert (target["kind"], target["name"]) in made


@pytest.mark.parametrize(
    ("given", "selectors"),
    [
        ({}, []),
        ({"requestsPerMinute": 60}, ["0.0.0.0/0", "::/0"]),
        ({"requestsPerMinutePerToken": 30}, ["Authorization"]),
        ({"requestsPerMinute": 60, "requestsPerMinutePerToken": 30}, ["0.0.0.0/0", "::/0", "Authorization"]),
    ],
)
def test_limits_are_for_an_address_or_a_token(given: dict[str, int], selectors: list[str]) -> None:
    (policy,) = _made("BackendTrafficPolicy", **SHARED, envoyGateway=given)
    assert policy["spec"]["timeout"] == {"http": {"connectionIdleTimeout": "15s"}}, "before FROST-Server's 20 s"
    rules = policy["spec"].get("rateLimit", {}).get("local", {}).get("rules", [])
    asked = [rule["clientSelectors"][0] for rule in rules]
    assert [each["sourceCIDR"]["value"] if "sourceCIDR" in each else each["headers"][0]["name"] for each in asked] == (
        selectors
    )
    assert {rule["limit"]["requests"] for rule in rules} == set(given.values())


def test_others_listeners_get_no_timeouts_of_ours() -> None:
    assert _made("ClientTrafficPolicy", **SHARED, listeners="Gateway", envoyGateway={}) == []


def test_endpoints_have_the_ports_of_the_gateway() -> None:
    found = addresses.endpoints(service(spec(**SHARED, httpsPort=8443, webSocketPath="/live")), SETTINGS)
    assert [endpoint.url for endpoint in found] == [
        "https://air.hamburg.example:8443/FROST-Server/v1.1",
        "mqtts://air.hamburg.example:8883",
        "wss://air.hamburg.example:8443/live",
    ]


def test_paths_that_lead_nowhere_are_refused() -> None:
    (problem,) = validate(service(spec(**SHARED, webSocketPath="/FROST-Server")).spec)
    assert problem.path == "spec.exposure.gateway.webSocketPath"


def _condition(type_: str, status: str, reason: str, message: str = "", generation: int = 1) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message, "observedGeneration": generation}


def _route(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"generation": 1}, "status": {"parents": [{"conditions": list(conditions)}]}}


_ACCEPTED = _condition("Accepted", "True", "Accepted")


@pytest.mark.parametrize(
    ("live", "state", "words"),
    [
        ({"metadata": {"generation": 1}}, GatewayState.PENDING, ""),
        (_route(_ACCEPTED, _condition("ResolvedRefs", "True", "ResolvedRefs")), GatewayState.TAKEN_UP, ""),
        (_route(_condition("Accepted", "True", "Accepted", generation=0)), GatewayState.PENDING, ""),
        (
            _route(_condition("Accepted", "False", "NotAllowedByListeners", "no listener.")),
            GatewayState.REFUSED,
            "NotAllowedByListeners: no listener",
        ),
        (
            _route(_ACCEPTED, _condition("ResolvedRefs", "False", "BackendNotFound", "no Service")),
            GatewayState.REFUSED,
            "BackendNotFound: no Service",
        ),
    ],
)
def test_what_is_said_of_a_route(live: dict[str, Any], state: GatewayState, words: str) -> None:
    found = gateways.route(live)
    assert (found.reason, found.message, found.holds) == (state, words, state is GatewayState.TAKEN_UP)


def _listeners(whole: list[dict[str, Any]], *listener: dict[str, Any]) -> dict[str, Any]:
    status = {"conditions": whole, "listeners": [{"name": "mqtts", "conditions": list(listener)}]}
    return {"metadata": {"generation": 1}, "status": status}


@pytest.mark.parametrize(
    ("live", "state", "words"),
    [
        (_listeners([_condition("Accepted", "Unknown", "Pending")]), GatewayState.PENDING, ""),
        (_listeners([_ACCEPTED, _condition("Programmed", "True", "Programmed")]), GatewayState.TAKEN_UP, ""),
        (
            _listeners([_ACCEPTED, _condition("Programmed", "False", "AddressNotAssigned", "no address")]),
            GatewayState.PENDING,
            "",
        ),
        (
            _listeners([_ACCEPTED], _condition("Conflicted", "True", "HostnameConflict", "another has it")),
            GatewayState.REFUSED,
            "listener mqtts: HostnameConflict: another has it",
        ),
        (
            _listeners([_condition("Accepted", "False", "NotAllowed", "not from here")]),
            GatewayState.REFUSED,
            "NotAllowed: not from here",
        ),
        (
            _listeners([_ACCEPTED], _condition("Conflicted", "False", "NoConflicts")),
            GatewayState.TAKEN_UP,
            "",
        ),
    ],
)
def test_what_is_said_of_listeners(live: dict[str, Any], state: GatewayState, words: str) -> None:
    found = gateways.listeners(live)
    assert (found.reason, found.message) == (state, words)


_CONDITIONS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["Accepted", "ResolvedRefs", "Programmed", "Conflicted", "OverlappingTLSConfig"]),
            "status": st.sampled_from(["True", "False", "Unknown"]),
            "reason": st.sampled_from(["Accepted", "Pending", "Invalid"]),
        },
        optional={"message": st.text(), "observedGeneration": st.integers(0, 2)},
    )
)


@given(_CONDITIONS, _CONDITIONS)
def test_whatever_is_said_it_holds_only_where_it_was_accepted(whole: Any, listener: Any) -> None:
    found = gateways.listeners(_listeners(whole, *listener))
    accepted = [each for each in whole if each["type"] == "Accepted" and each.get("observedGeneration", 1) >= 1]
    assert not found.holds or (accepted and accepted[-1]["status"] == "True")


def _seen(answer: Answer | None = None, **routes: Any) -> Observed:
    built = service(spec(**(routes or SHARED)))
    taken = Answer(holds=True, reason=GatewayState.TAKEN_UP, message="")
    answers = dict.fromkeys(wanted(built), taken)
    if answer is not None:
        answers[wanted(built)[0]] = answer
    issued = Answer(holds=True, reason="Issued", message="valid")
    return observed(service=built, gateway_routes=answers, certificate=issued)


def test_routes_that_are_taken_up_are_ready() -> None:
    verdict = evaluate(_seen())["RoutesProgrammed"]
    assert (verdict.status, verdict.reason) == ("True", "RoutesReady")


def test_a_refusal_says_whose_and_stalls() -> None:
    verdicts = evaluate(_seen(Answer(holds=False, reason=GatewayState.REFUSED, message="NotAllowed: not from here")))
    assert verdicts["RoutesProgrammed"].message == "ListenerSet air is not taken up: NotAllowed: not from here"
    assert verdicts["Stalled"].reason == "RoutesRefused"


@pytest.mark.parametrize(
    ("routes", "hint"),
    [(SHARED, "a Gateway city in the namespace gateways"), ({"className": "envoy"}, "GatewayClass envoy")],
)
def test_what_nobody_takes_up_is_waited_for_with_a_hint(routes: dict[str, Any], hint: str) -> None:
    verdict = evaluate(_seen(Answer(holds=False, reason=GatewayState.PENDING, message=""), **routes))[
        "RoutesProgrammed"
    ]
    assert (verdict.reason, verdict.expected) == ("RoutesPending", True)
    assert hint in verdict.message


def test_a_cluster_without_the_gateway_api_is_told_of() -> None:
    verdict = evaluate(replace(_seen(), gateway_routes={}, missing_apis=frozenset({"TLSRoute"})))["RoutesProgrammed"]
    assert verdict.reason == "GatewayAPIMissing"
    assert "TLSRoute" in verdict.message


def test_network_policies_let_the_gateways_pods_in_alone() -> None:
    policies = networkpolicy.build(service(spec(**SHARED)), SETTINGS)
    (http,) = (p for p in policies if p["metadata"]["name"] == "air-http")
    assert [_namespace(peer) for peer in http["spec"]["ingress"][0]["from"]] == ["envoy-gateway-system", "gateways"]
