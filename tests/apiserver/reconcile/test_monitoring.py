"""NetworkPolicies and the PodMonitor as the operator keeps them; the PodMonitor's API comes and goes while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.apiserver import upstream
from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from tests.apiserver.conftest import Kubectl
    from tests.apiserver.reconcile.walk import Walk

_LOOK_SECONDS: Final = 30.0
"""The operator looks for an API that is missing every ten seconds."""
_MONITORED: Final[dict[str, Any]] = {"version": "2.8.0", "monitoring": {"podMonitor": True}}


def test_an_api_that_is_missing_is_told_and_found_when_it_comes(walk: Walk, kubectl: Kubectl) -> None:
    walk.external(_MONITORED)
    walk.becomes("MonitoringReady", "False", "PrometheusOperatorMissing")
    walk.becomes_ready()

    with upstream.installed(kubectl, upstream.POD_MONITOR):
        walk.becomes("MonitoringReady", "True", "PodMonitorReady", seconds=_LOOK_SECONDS)
        monitor = walk.cluster.require("PodMonitor", "air")
        assert monitor["spec"]["podMetricsEndpoints"] == [
            {"port": "gate-status", "path": "/metrics"},
            {"port": "metrics", "path": "/metrics"},
        ]
        walk.settle()
        walk.change({"monitoring": {"podMonitor": False}})
        walk.becomes_ready()
        walk.disappears("PodMonitor", "air")
        assert not [c for c in walk.service()["status"]["conditions"] if c["type"] == "MonitoringReady"]
        walk.change({"monitoring": {"podMonitor": True}})
        walk.becomes("MonitoringReady", "True", "PodMonitorReady")

    walk.becomes("MonitoringReady", "False", "PrometheusOperatorMissing", seconds=_LOOK_SECONDS)
    walk.becomes_ready()


def test_policies_are_there_before_any_pod_of_a_module(walk: Walk) -> None:
    walk.managed()
    for component in ("http", "mqtt", "schema", "bus", "database"):
        walk.appears("NetworkPolicy", f"air-{component}")
    assert walk.cluster.list("Deployment") == []


def test_a_policy_that_somebody_opens_is_shut_again(walk: Walk) -> None:
    walk.managed()
    walk.becomes_ready()
    walk.settle()
    before = walk.cluster.require("NetworkPolicy", "air-bus")["spec"]
    repairs = walk.operator.repairs("NetworkPolicy")
    walk.cluster.patch("NetworkPolicy", "air-bus", {"spec": {"ingress": [{}], "egress": [{}]}})

    def shut() -> None:
        assert walk.operator.repairs("NetworkPolicy") > repairs
        assert walk.cluster.require("NetworkPolicy", "air-bus")["spec"]["ingress"] == before["ingress"]

    eventually(shut)
    walk.becomes_ready()
    walk.settle()


def test_policies_follow_the_spec(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    walk.appears("NetworkPolicy", "air-bus")
    walk.change({"bus": {"type": "External", "external": {"host": "bus.city.internal", "port": 8885}}})
    walk.becomes_ready()
    walk.disappears("NetworkPolicy", "air-bus")
    egress = walk.cluster.require("NetworkPolicy", "air-http")["spec"]["egress"]
    assert {"protocol": "TCP", "port": 8885} in [port for rule in egress for port in rule["ports"]]
