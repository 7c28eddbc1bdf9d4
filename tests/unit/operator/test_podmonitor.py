"""The PodMonitor and its condition: what is asked for, what there is to scrape, and a cluster that has no such API."""

from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given

from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.monitoring import MONITORING_READY
from sensorthings_operator.conditions.observed import ApplyProblem, Observed
from sensorthings_operator.desired import children, podmonitor
from sensorthings_operator.desired.metadata import Manifest
from tests.unit.operator.samples import SETTINGS, observed, service
from tests.unit.operator.strategies import OBSERVED

_ASKED: Final[Manifest] = {"monitoring": {"podMonitor": True}}
_TLS: Final[Manifest] = {"host": "air.hamburg.example", "certificate": {"issuerRef": {"name": "city-ca"}}}
_LATER: Final[Manifest] = {"version": "2.8.0"}
_GATE: Final = ("gate-status", "/metrics")


def _made(spec: Manifest) -> list[Manifest]:
    return [child for child in children(service(spec), SETTINGS) if child["kind"] == "PodMonitor"]


@pytest.mark.parametrize(
    ("spec", "endpoints"),
    [
        (_ASKED, [_GATE]),
        ({**_ASKED, **_TLS}, [_GATE, ("status", "/stats/prometheus")]),
        ({**_ASKED, **_LATER}, [_GATE, ("metrics", "/metrics")]),
        ({**_ASKED, **_TLS, **_LATER}, [_GATE, ("status", "/stats/prometheus"), ("metrics", "/metrics")]),
    ],
    ids=["the gate", "envoy", "frost-server", "both"],
)
def test_it_names_the_ports_that_tell_something(spec: Manifest, endpoints: list[tuple[str, str]]) -> None:
    (monitor,) = _made(spec)
    assert [(e["port"], e["path"]) for e in monitor["spec"]["podMetricsEndpoints"]] == endpoints
    ports = {port["name"] for child in children(service(spec), SETTINGS) for port in _container_ports(child)}
    assert {name for name, _ in endpoints} <= ports, "a port that no container has is never scraped"


def _container_ports(child: Manifest) -> list[Manifest]:
    template = child.get("spec", {}).get("template", {}).get("spec", {})
    containers = (*template.get("initContainers", ()), *template.get("containers", ()))
    return [port for container in containers for port in container.get("ports", ())]


@pytest.mark.parametrize("spec", [{}, _TLS, _LATER, {**_TLS, **_LATER}], ids=str)
def test_nothing_is_made_where_nobody_asked(spec: Manifest) -> None:
    assert _made(spec) == []


def test_it_selects_the_service_s_pods_and_no_others() -> None:
    (monitor,) = _made({**_ASKED, **_TLS})
    assert monitor["metadata"]["name"] == "air"
    assert monitor["spec"]["selector"] == {"matchLabels": {"sensorthings.city/service": "air"}}


def test_it_has_the_labels_by_which_a_prometheus_chooses_and_keeps_its_own() -> None:
    labels = {"release": "kube-prometheus-stack", "sensorthings.city/service": "other"}
    settings = SETTINGS.model_copy(update={"pod_monitor_labels": labels})
    (monitor,) = podmonitor.build(service({**_ASKED, **_TLS}), settings)
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert monitor["metadata"]["labels"]["sensorthings.city/service"] == "air"


def _environment(spec: Manifest) -> dict[str, dict[str, str]]:
    """Settings of metrics by the container's name."""
    made = [
        child["spec"]["template"]["spec"]
        for child in children(service(spec), SETTINGS)
        if "template" in child.get("spec", {})
    ]
    return {
        container["name"]: {e["name"]: e["value"] for e in container.get("env", ()) if e["name"].startswith("metrics_")}
        for pod in made
        for container in (*pod.get("initContainers", ()), *pod["containers"])
    }


def test_frost_server_is_told_to_serve_metrics_where_it_can_and_is_asked_to() -> None:
    told = _environment({**_ASKED, **_LATER})
    expected = {"metrics_useInternalHttpServer": "true", "metrics_endpointPort": "9400"}
    assert told["frost-http"] == told["frost-mqtt"] == expected
    assert told["migrate"] == {}
    for spec in ({**_ASKED}, {**_LATER}):
        assert all(settings == {} for settings in _environment(spec).values())


_CASES: Final[list[Any]] = [
    ({}, _TLS, "True", "PodMonitorReady"),
    ({"missing_apis": frozenset({"PodMonitor"})}, _TLS, "False", "PrometheusOperatorMissing"),
    ({"missing_apis": frozenset({"Certificate"})}, _TLS, "True", "PodMonitorReady"),
    ({}, {**_TLS, "paused": True}, "Unknown", "Paused"),
    ({"apply_problems": (ApplyProblem("PodMonitor", "air", "NameTaken", "m"),)}, _TLS, "False", "NameTaken"),
    ({"apply_problems": (ApplyProblem("Secret", "air", "NameTaken", "m"),)}, _TLS, "True", "PodMonitorReady"),
]


@pytest.mark.parametrize(("fields", "spec", "status", "reason"), _CASES)
def test_the_condition_says_what_is(fields: dict[str, Any], spec: Manifest, status: str, reason: str) -> None:
    verdict = evaluate(observed(service=service({**_ASKED, **spec}), **fields))["MonitoringReady"]
    assert (verdict.status, verdict.reason) == (status, reason)


def test_a_service_that_did_not_ask_has_no_such_condition() -> None:
    assert "MonitoringReady" not in evaluate(observed())


def test_a_missing_prometheus_operator_keeps_no_service_from_being_ready() -> None:
    seen = observed(service=service({**_ASKED, **_LATER}), missing_apis=frozenset({"PodMonitor"}))
    verdicts = evaluate(seen)
    assert not verdicts["MonitoringReady"].holds
    assert verdicts["Ready"].holds
    assert not verdicts["Stalled"].holds


@given(OBSERVED)
def test_it_is_always_decided_and_never_the_cause_of_anything(seen: Observed) -> None:
    monitored = seen.service.spec.model_copy(update={"monitoring": service(_ASKED).spec.monitoring})
    asked = replace(seen, service=replace(seen.service, spec=monitored))
    assert MONITORING_READY.evaluate(asked).message
    without, with_ = evaluate(seen), evaluate(asked)
    assert [without[type_] for type_ in ("Ready", "Reconciling", "Stalled")] == [
        with_[type_] for type_ in ("Ready", "Reconciling", "Stalled")
    ]
