"""Pods, what made them, autoscalers, certificates and Events, as ``sensorthings status`` judges them."""

from __future__ import annotations

from typing import Any, Final

import pytest

from sensorthings_operator.cli.status import edge, events, workloads
from sensorthings_operator.cli.status.model import State, WarningEvent
from tests.unit.cli import objects
from tests.unit.cli.objects import NAME, NAMESPACE, NOW, OLD, RECENT, condition


def pod(**status: Any) -> objects.Object:
    return objects.pod("http", "http-1", **status)


def container(**status: Any) -> dict[str, Any]:
    return {"name": "frost-http", "image": "frost:2", "ready": False, "started": True, "restartCount": 0, **status}


NOT_READY: Final = condition("Ready", "False", "ContainersNotReady", "")


@pytest.mark.parametrize(
    ("live", "state", "said"),
    [
        (pod(), State.OK, ""),
        (pod(phase="Succeeded", conditions=[], containerStatuses=[container()]), State.OFF, ""),
        (pod(phase="Pending", conditions=[], containerStatuses=[]), State.WAITING, ""),
        (
            pod(
                phase="Pending",
                containerStatuses=[container(started=False, state={"waiting": {"reason": "ContainerCreating"}})],
            ),
            State.WAITING,
            "",
        ),
        (
            pod(phase="Pending", conditions=[condition("PodScheduled", "False", "Unschedulable", "0/1 nodes")]),
            State.TROUBLE,
            "Unschedulable: 0/1 nodes",
        ),
        (
            pod(
                containerStatuses=[container(state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}})]
            ),
            State.TROUBLE,
            "CrashLoopBackOff: container frost-http, image frost:2: back-off",
        ),
        (pod(conditions=[NOT_READY], containerStatuses=[container(started=False)]), State.WAITING, ""),
        (
            pod(conditions=[NOT_READY], containerStatuses=[container()]),
            State.TROUBLE,
            "NotReady: frost-http runs, but does not pass its readiness probe",
        ),
        (
            pod(conditions=[{**NOT_READY, "lastTransitionTime": RECENT}], containerStatuses=[container()]),
            State.WAITING,
            "",
        ),
        (
            pod(phase="Failed", reason="Evicted", message="the node was low on memory", containerStatuses=[]),
            State.TROUBLE,
            "Evicted: the node was low on memory",
        ),
        (
            pod(
                phase="Failed", containerStatuses=[container(state={"terminated": {"exitCode": 2, "reason": "Error"}})]
            ),
            State.TROUBLE,
            "Failed: container frost-http ended with exit code 2 (Error)",
        ),
        (pod(phase="Unknown", conditions=[]), State.UNKNOWN, ""),
    ],
)
def test_pods(live: objects.Object, state: State, said: str) -> None:
    found = workloads.pod(live, NOW)
    assert (found.state, "; ".join(found.troubles)) == (state, said)


def test_a_pod_that_ends_asks_for_nobody() -> None:
    live = pod(containerStatuses=[container(state={"waiting": {"reason": "CrashLoopBackOff"}})])
    live["metadata"]["deletionTimestamp"] = RECENT
    found = workloads.pod(live, NOW)
    assert (found.phase, found.state, found.troubles) == ("Terminating", State.WAITING, ())


def test_sidecars_count_and_init_containers_do_not() -> None:
    live = pod(
        containerStatuses=[container(ready=True, restartCount=2)],
        initContainerStatuses=[
            {**container(ready=True, restartCount=1), "name": "wait-for-bus"},
            {**container(ready=False, restartCount=4), "name": "envoy"},
        ],
    )
    live["spec"]["initContainers"] = [{"name": "wait-for-bus"}, {"name": "envoy", "restartPolicy": "Always"}]
    found = workloads.pod(live, NOW)
    assert (found.ready, found.containers, found.restarts) == (1, 2, 7)


def test_the_last_end_is_the_last() -> None:
    ends = [("Error", "2026-03-01T10:00:00Z"), ("OOMKilled", "2026-03-01T11:00:00Z")]
    live = pod(
        containerStatuses=[
            container(lastState={"terminated": {"exitCode": 1, "reason": reason, "finishedAt": time}})
            for reason, time in ends
        ]
    )
    assert (workloads.pod(live, NOW).last_end, workloads.pod(live, NOW).last_ended) == ends[1]


@pytest.mark.parametrize(
    ("ready", "wanted", "changed", "state", "said"),
    [
        (2, 2, {}, State.OK, ""),
        (1, 2, {}, State.WAITING, ""),
        (2, 2, {"updatedReplicas": 1}, State.WAITING, ""),
        (0, 0, {}, State.OFF, ""),
        (
            1,
            2,
            {"conditions": [condition("Progressing", "False", "ProgressDeadlineExceeded", "no progress")]},
            State.TROUBLE,
            "ProgressDeadlineExceeded: no progress",
        ),
        (
            1,
            2,
            {"conditions": [condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota")]},
            State.TROUBLE,
            "FailedCreate: exceeded quota",
        ),
        (2, 2, {"conditions": [condition("Progressing", "True", "NewReplicaSetAvailable", "")]}, State.OK, ""),
    ],
)
def test_deployments(ready: int, wanted: int, changed: dict[str, Any], state: State, said: str) -> None:
    live = objects.workload("Deployment", "http", "http", ready, wanted)
    live["status"] |= changed
    found = workloads.workload(live, [])
    assert (found.state, "; ".join(found.troubles)) == (state, said)


def test_a_completed_job_forgives_its_failed_pods() -> None:
    failed = [workloads.pod(pod(phase="Failed", containerStatuses=[]), NOW)]
    assert workloads.job(objects.schema_job(), failed).state is State.OK
    assert workloads.job(objects.schema_job(None), failed).state is State.TROUBLE
    assert workloads.job(objects.schema_job(None), []).state is State.WAITING
    broken = workloads.job(objects.schema_job("Failed", "backoff limit"), failed)
    assert (broken.state, broken.troubles) == (State.TROUBLE, ("Failed: backoff limit",))


@pytest.mark.parametrize(
    ("conditions", "state", "said"),
    [
        ([condition("ScalingActive", "True", "ValidMetricFound", "")], State.OK, ""),
        ([], State.WAITING, ""),
        (None, State.WAITING, ""),
        ([condition("ScalingActive", "False", "ScalingDisabled", "replicas is 0")], State.OFF, ""),
        (
            [condition("ScalingActive", "False", "FailedGetResourceMetric", "no metrics known")],
            State.TROUBLE,
            "FailedGetResourceMetric: no metrics known",
        ),
    ],
)
def test_autoscalers(conditions: list[dict[str, Any]] | None, state: State, said: str) -> None:
    live = objects.autoscaler()
    live["status"]["conditions"] = conditions
    found = edge.autoscaler(live)
    assert (found.state, "; ".join(found.troubles)) == (state, said)
    assert (found.minimum, found.current, found.maximum, found.cpu, found.target_cpu) == (1, 2, 4, 35, 70)


def test_a_new_autoscaler_has_measured_nothing() -> None:
    live = objects.autoscaler()
    live["status"] = {}
    found = edge.autoscaler(live)
    assert (found.current, found.cpu, found.state) == (0, None, State.WAITING)


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        ({}, State.OK, ""),
        ({"conditions": []}, State.WAITING, ""),
        ({"notAfter": OLD}, State.TROUBLE, "Expired: it was valid until"),
        (
            {"conditions": [condition("Issuing", "False", "Failed", "the order is invalid")]},
            State.TROUBLE,
            "Failed: the order is invalid",
        ),
    ],
)
def test_certificates(status: dict[str, Any], state: State, said: str) -> None:
    found = edge.certificate(objects.certificate(**status), NOW)
    assert found.state is state
    assert "; ".join(found.troubles).startswith(said)


def warnings(*found: objects.Object) -> tuple[WarningEvent, ...]:
    return events.warnings(found, NAMESPACE, objects.healthy())


@pytest.mark.parametrize(
    ("kind", "name", "shown"),
    [
        ("SensorThingsService", NAME, True),
        ("Pod", f"{NAME}-db-0", True),
        ("ReplicaSet", f"{NAME}-http-6d5f7c8b9f", True),
        ("PersistentVolumeClaim", f"data-{NAME}-db-0", True),
        ("PersistentVolumeClaim", f"data-{NAME}-db-x", False),
        ("ReplicaSet", f"{NAME}-http-http-6d5f7c8b9f", False),
        ("Pod", "another", False),
        ("Deployment", f"{NAME}-db-0", False),
    ],
)
def test_only_events_about_the_service_are_shown(kind: str, name: str, shown: bool) -> None:
    found = warnings(objects.event(kind, name, "Failed", "why"))
    assert [warning.about for warning in found] == ([f"{kind} {name}"] if shown else [])


def test_an_event_of_another_namespace_is_not_shown() -> None:
    event = objects.event("Pod", f"{NAME}-db-0", "Failed", "why")
    event["metadata"]["namespace"] = "bremen"
    assert warnings(event) == ()


def test_events_are_newest_first_and_told_once() -> None:
    times = [OLD, RECENT, "2026-03-01T11:00:00Z"]
    found = [objects.event("Pod", f"{NAME}-db-0", "Unhealthy", f"at {time}", lastTimestamp=time) for time in times]
    other = objects.event("Pod", f"{NAME}-bus-0", "Failed", "new form", lastTimestamp=None, count=None)
    other |= {
        "eventTime": "2026-03-01T11:30:00.5Z",
        "series": {"count": 9, "lastObservedTime": "2026-03-01T11:59:59.5Z"},
    }
    told = warnings(*found, other)
    assert [(warning.about, warning.message, warning.count) for warning in told] == [
        (f"Pod {NAME}-bus-0", "new form", 9),
        (f"Pod {NAME}-db-0", f"at {RECENT}", 1),
    ]
