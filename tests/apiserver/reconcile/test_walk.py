"""From a manifest to Ready, and silence afterwards."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from tests.apiserver.reconcile.walk import NAME

if TYPE_CHECKING:
    from tests.apiserver.conftest import Kubectl
    from tests.apiserver.reconcile.walk import Walk


def test_a_managed_service_walks_to_ready_step_by_step(walk: Walk) -> None:
    primary = f"{NAME}-db-primary.{walk.cluster.namespace}.svc.cluster.local"
    walk.operator.database_says(primary, "DatabaseUnreachable", "nobody there")
    walk.managed({"http": {"replicas": 2}})

    walk.becomes("DatabaseReachable", "False", "DatabaseStarting")
    assert walk.cluster.list("Job") == []

    walk.kubelet.run("database", "bus")
    walk.becomes("BusConnected", "True", "BusReady")
    walk.becomes("DatabaseReachable", "False", "DatabaseStarting")
    assert walk.cluster.list("Job") == []

    walk.operator.database_says(primary, "DatabaseAnswers", "it does")
    walk.becomes("SchemaUpToDate", "False", "SchemaUpdating")
    walk.becomes("HTTPAvailable", "False", "HTTPWaiting")
    assert walk.cluster.list("Deployment") == []

    walk.kubelet.end_schema_jobs(awaited=True)
    walk.becomes("SchemaUpToDate", "True", "SchemaComplete")
    walk.becomes("HTTPAvailable", "False", "HTTPStarting")
    assert walk.condition("Ready")["status"] == "False"
    assert walk.condition("Reconciling")["status"] == "True"

    live = walk.becomes_ready()
    status = live["status"]
    conditions = {c["type"]: c["status"] for c in status["conditions"]}
    assert conditions == {
        "Ready": "True",
        "Reconciling": "False",
        "Stalled": "False",
        "DatabaseReachable": "True",
        "SchemaUpToDate": "True",
        "BusConnected": "True",
        "HTTPAvailable": "True",
        "MQTTAvailable": "True",
        "DeliveryVerified": "Unknown",
    }
    assert status["observedGeneration"] == live["metadata"]["generation"]
    assert {c["observedGeneration"] for c in status["conditions"]} == {live["metadata"]["generation"]}
    assert status["version"] == "2.0.0"
    assert (status["http"]["replicas"], status["http"]["readyReplicas"], status["mqtt"]["readyReplicas"]) == (2, 2, 1)
    assert [endpoint["name"] for endpoint in status["endpoints"]] == ["sensorthings", "mqtt", "mqtt-websocket"]


def test_a_settled_service_is_left_alone_also_after_a_restart(walk: Walk) -> None:
    walk.managed({"http": {"replicas": 2}})
    walk.becomes_ready()
    before = walk.settle()
    versions, service = walk.cluster.versions(), walk.service()

    walk.force_pass()
    assert walk.operator.writes() == before

    walk.operator.restart()
    walk.force_pass()
    assert walk.operator.writes() == 0
    assert walk.cluster.versions() == versions
    assert walk.service() == service


def test_it_stops_soon_and_finishes_what_it_began(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    began = time.monotonic()
    assert walk.operator.stop() == 0
    stopped = time.monotonic() - began
    walk.operator.start()
    assert stopped < 4, "a service is not without its operator for longer than it takes to start one"
    assert "Traceback" not in walk.operator.log()


def test_events_are_told_on_turns_only_and_describe_shows_them(walk: Walk, kubectl: Kubectl) -> None:
    walk.external()
    walk.becomes_ready()
    walk.settle()
    told = sorted((event["reason"], event["type"]) for event in walk.cluster.list("Event") if _ours(event))
    assert ("ServiceReady", "Normal") in told
    assert ("SchemaComplete", "Normal") in told
    assert len(told) == len(set(told)), "each turn once"

    walk.force_pass()
    again = sorted((event["reason"], event["type"]) for event in walk.cluster.list("Event") if _ours(event))
    assert again == told

    described = kubectl.run("describe", "sta", NAME, f"--namespace={walk.cluster.namespace}").stdout
    assert "ServiceReady" in described
    assert "Ready=True: HTTP and MQTT answer as the spec wants" in described


def _ours(event: dict[str, object]) -> bool:
    return event.get("reportingController") == "sensorthings.city/sensorthings-operator"


def test_kubectl_get_shows_the_state(walk: Walk, kubectl: Kubectl) -> None:
    walk.external()
    walk.becomes_ready()
    shown = kubectl.run("get", "sta", NAME, f"--namespace={walk.cluster.namespace}").stdout
    assert "True" in shown
    ready = kubectl.run("wait", "--for=condition=Ready", "--timeout=5s", "sta", NAME, f"-n={walk.cluster.namespace}")
    assert ready.returncode == 0, ready.stderr


def test_no_secret_is_told(walk: Walk) -> None:
    """Neither in logs, nor in statuses, events or children other than Secrets."""
    walk.credentials("hunter2-hunter2")
    walk.external()
    walk.becomes_ready()
    children = [child for (kind, _), child in walk.cluster.children().items() if kind != "Secret"]
    assert "hunter2" not in json.dumps([walk.service(), children, walk.cluster.list("Event")])
    assert "hunter2" not in walk.operator.log()
