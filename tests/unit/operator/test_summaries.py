"""What is kept of a child's status."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.conditions.observed import PodProblem, SchemaJob
from sensorthings_operator.observe.summaries import deployment, job, pod, stateful_set
from tests.unit.operator.samples import child

_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def _deployment(wanted: int, counts: dict[str, int], *, seen: int = 2, **status: Any) -> dict[str, Any]:
    return {
        **child("Deployment", generation=2),
        "spec": {"replicas": wanted},
        "status": {**counts, "observedGeneration": seen, **status},
    }


@given(st.integers(0, 3), st.fixed_dictionaries({name: st.integers(0, 3) for name in _COUNTS}), st.integers(1, 2))
def test_a_rollout_is_settled_when_its_controller_saw_it_and_every_pod_is_new(
    wanted: int, counts: dict[str, int], seen: int
) -> None:
    live = _deployment(wanted, counts, seen=seen)
    settled = seen == 2 and counts["updatedReplicas"] == counts["replicas"] == wanted
    assert deployment(live).settled == stateful_set(live).settled == settled
    assert deployment(live).available == counts["availableReplicas"]


def test_an_object_without_status_has_no_pod() -> None:
    made = deployment({**child("Deployment", generation=1), "spec": {"replicas": 2}})
    assert (made.wanted, made.available, made.settled) == (2, 0, False)


def test_a_rollout_that_is_stuck_says_why() -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    assert deployment(_deployment(1, {}, conditions=[late])).stuck == "timed out"
    assert deployment(_deployment(1, {}, conditions=[{**late, "reason": "ReplicaSetUpdated"}])).stuck == ""


@pytest.mark.parametrize(
    ("conditions", "outcome"),
    [
        ([], "Running"),
        ([{"type": "SuccessCriteriaMet", "status": "True"}], "Running"),
        ([{"type": "Complete", "status": "False"}], "Running"),
        ([{"type": "Complete", "status": "True"}], "Complete"),
        ([{"type": "FailureTarget", "status": "True"}, {"type": "Failed", "status": "True"}], "Failed"),
    ],
)
def test_a_job_is_over_when_its_controller_says_so(conditions: list[dict[str, str]], outcome: Any) -> None:
    assert job({**child("Job"), "status": {"conditions": conditions}}) == SchemaJob(outcome)


def _pod(status: dict[str, Any], **metadata: Any) -> tuple[PodProblem, ...]:
    labels = {"app.kubernetes.io/component": "http"}
    return pod({**child("Pod", "air-http-1", labels=labels, **metadata), "status": status}).problems


def _waiting(reason: str, **more: Any) -> dict[str, Any]:
    return {"name": "frost-http", "image": "frost:2", "state": {"waiting": {"reason": reason}}, **more}


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_a_pod_on_its_way_is_no_problem(reason: str) -> None:
    assert _pod({"containerStatuses": [_waiting(reason)]}) == ()
    assert _pod({"containerStatuses": [{"name": "a", "image": "b", "state": {"running": {}}}]}) == ()
    assert _pod({}) == ()


def test_a_crashing_container_says_how_it_ended() -> None:
    ended = {"lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
    (problem,) = _pod({"containerStatuses": [_waiting("CrashLoopBackOff", **ended)]})
    assert (problem.component, problem.reason) == ("http", "CrashLoopBackOff")
    assert "exit code 137, OOMKilled" in problem.message


def test_native_sidecars_are_looked_at_too() -> None:
    (problem,) = _pod({"initContainerStatuses": [_waiting("ErrImagePull")]})
    assert problem.reason == "ErrImagePull"


def test_a_pod_that_finds_no_node_says_why() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no memory"}
    assert _pod({"conditions": [condition]}) == (PodProblem("http", "air-http-1", "Unschedulable", "no memory"),)


def test_a_pod_on_its_way_out_is_no_problem() -> None:
    status = {"containerStatuses": [_waiting("CrashLoopBackOff")]}
    assert _pod(status, deletionTimestamp="2026-01-01T00:00:00Z") == ()


@pytest.mark.parametrize(
    ("container", "code", "job"),
    [("migrated", 0, "air-schema-1"), ("migrated", 1, ""), ("migrate", 0, "")],
    ids=["done", "failed", "another container"],
)
def test_the_schema_is_there_when_the_main_container_ended_well(container: str, code: int, job: str) -> None:
    labels = {"batch.kubernetes.io/job-name": "air-schema-1"}
    ended = {"name": container, "image": "i", "state": {"terminated": {"exitCode": code, "reason": "Completed"}}}
    live = {**child("Pod", "air-schema-1-x", labels=labels), "status": {"containerStatuses": [ended]}}
    assert pod(live).schema_job == job
