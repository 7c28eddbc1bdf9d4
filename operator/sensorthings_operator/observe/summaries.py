"""What is kept of a child's status, by kind. Used by the store when an object comes in."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sensorthings_operator.clients.owned import Summarise
from sensorthings_operator.conditions.observed import PodProblem, PodState, SchemaJob, Workload
from sensorthings_operator.desired import schema
from sensorthings_operator.desired.metadata import COMPONENT_LABEL

_LONGEST_MESSAGE: Final = 500
_JOB_NAME_LABEL: Final = "batch.kubernetes.io/job-name"
_FINE_WAITING: Final = {"ContainerCreating", "PodInitializing"}


def deployment(live: Mapping[str, Any]) -> Workload:
    """A Deployment's rollout (https://kubernetes.io/docs/concepts/workloads/controllers/deployment, its status)."""
    status = live.get("status", {})
    wanted = live["spec"].get("replicas", 1)
    progressing: Mapping[str, Any] = next((c for c in status.get("conditions", ()) if c["type"] == "Progressing"), {})
    stuck = progressing.get("message", "") if progressing.get("reason") == "ProgressDeadlineExceeded" else ""
    return _workload(live, wanted, stuck)


def stateful_set(live: Mapping[str, Any]) -> Workload:
    """A StatefulSet's pods."""
    return _workload(live, live["spec"].get("replicas", 1), "")


def _workload(live: Mapping[str, Any], wanted: int, stuck: str) -> Workload:
    status = live.get("status", {})
    seen = status.get("observedGeneration", 0) >= live["metadata"].get("generation", 0)
    replicas = status.get("replicas", 0)
    updated = status.get("updatedReplicas", 0)
    return Workload(
        wanted=wanted,
        replicas=replicas,
        ready=status.get("readyReplicas", 0),
        updated=updated,
        available=status.get("availableReplicas", 0),
        settled=seen and updated == replicas == wanted,
        stuck=stuck,
    )


def job(live: Mapping[str, Any]) -> SchemaJob:
    """Whether the schema Job is done."""
    for condition in live.get("status", {}).get("conditions", ()):
        if condition["status"] == "True" and condition["type"] in ("Complete", "Failed"):
            return SchemaJob(condition["type"], condition.get("message", ""))
    return SchemaJob("Running")


def pod(live: Mapping[str, Any]) -> PodState:
    """What keeps a pod's containers from running, and whether it brought a schema up to date."""
    labels = live["metadata"].get("labels", {})
    done = labels.get(_JOB_NAME_LABEL, "") if _has_migrated(live) else ""
    if live["metadata"].get("deletionTimestamp"):
        return PodState(schema_job=done)
    problems = tuple(
        PodProblem(labels.get(COMPONENT_LABEL, ""), live["metadata"]["name"], reason, message[:_LONGEST_MESSAGE])
        for reason, message in _troubles(live.get("status", {}))
    )
    return PodState(problems, done)


def _has_migrated(live: Mapping[str, Any]) -> bool:
    """The main container has ended well: the schema is there, though the Job is seconds away from being Complete."""
    return any(
        container["name"] == schema.MAIN_CONTAINER
        and container.get("state", {}).get("terminated", {}).get("exitCode") == 0
        for container in live.get("status", {}).get("containerStatuses", ())
    )


def _troubles(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield condition.get("reason", "Unschedulable"), condition.get("message", "not scheduled")
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = container.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in _FINE_WAITING:
            yield waiting.get("reason", "Waiting"), _waiting_message(container, waiting)


def _waiting_message(container: Mapping[str, Any], waiting: Mapping[str, Any]) -> str:
    told = waiting.get("message") or waiting.get("reason", "")
    ended = container.get("lastState", {}).get("terminated")
    last = f" (it ended with exit code {ended['exitCode']}, {ended.get('reason', 'Error')})" if ended else ""
    return f"container {container['name']}, image {container['image']}: {told}{last}"


SUMMARIES: Final[Mapping[str, Summarise]] = {
    "Deployment": deployment,
    "StatefulSet": stateful_set,
    "Job": job,
    "Pod": pod,
}
