"""What is kept of a child's status, by kind. Used by the store when an object comes in."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from sensorthings_operator.clients.owned import Summarise
from sensorthings_operator.conditions.autoscaling import AutoscalerState
from sensorthings_operator.conditions.certificate import CertificateState
from sensorthings_operator.conditions.observed import (
    Answer,
    DatabaseInstance,
    PodProblem,
    PodState,
    SchemaJob,
    Workload,
)
from sensorthings_operator.desired import schema
from sensorthings_operator.desired.metadata import COMPONENT_LABEL, ROLE_LABEL
from sensorthings_operator.desired.workloads import MIN_REPLICAS_ANNOTATION
from sensorthings_operator.observe import backupruns, gateways

_LONGEST_MESSAGE: Final = 500
_JOB_NAME_LABEL: Final = "batch.kubernetes.io/job-name"
_NO_METRICS: Final = {"FailedGetContainerResourceMetric", "FailedGetResourceMetric"}
_METRICS_OF_NO_POD: Final = ("no metrics returned", "did not receive metrics", "no pods returned")
_FINE_WAITING: Final = {"ContainerCreating", "PodInitializing"}


def deployment(live: Mapping[str, Any]) -> Workload:
    """A Deployment's rollout (https://kubernetes.io/docs/concepts/workloads/controllers/deployment, its status)."""
    status = live.get("status", {})
    progressing: Mapping[str, Any] = next((c for c in status.get("conditions", ()) if c["type"] == "Progressing"), {})
    stuck = progressing.get("message", "") if progressing.get("reason") == "ProgressDeadlineExceeded" else ""
    workload = _workload(live, stuck)
    fewest = live["metadata"].get("annotations", {}).get(MIN_REPLICAS_ANNOTATION, "")
    return _autoscaled(workload, int(fewest)) if fewest.isdecimal() else workload


def _autoscaled(workload: Workload, fewest: int) -> Workload:
    """A service is as its spec wants it also while its autoscaler adds pods and takes some away.

    The autoscaler makes new generations too: whether the newest that was sent has been seen is for ``gather`` to say.
    """
    return replace(workload, wanted=min(workload.wanted, fewest), settled=workload.updated == workload.replicas)


def autoscaler(live: Mapping[str, Any]) -> Answer:
    """Whether a HorizontalPodAutoscaler can act.

    It looks every fifteen seconds: what differs from look to look (figures, messages, why it did not scale) is left
    out, or each look of each autoscaler would wake a pass.
    """
    conditions = {condition["type"]: condition for condition in live.get("status", {}).get("conditions", ())}
    able, active = conditions.get("AbleToScale"), conditions.get("ScalingActive")
    if able is not None and able["status"] == "False":
        state = AutoscalerState.FAILING
    elif active is None:
        state = AutoscalerState.STARTING
    elif active["status"] == "True":
        state = AutoscalerState.ACTING
    elif active.get("reason") == "ScalingDisabled":
        state = AutoscalerState.DISABLED
    else:
        state = _without_metrics(active)
    return Answer(state is AutoscalerState.ACTING, state, "")


def _without_metrics(active: Mapping[str, Any]) -> AutoscalerState:
    """Told apart by the words of Kubernetes (pkg/controller/podautoscaler): it has no reason of its own for each."""
    if active.get("reason") not in _NO_METRICS:
        return AutoscalerState.FAILING
    awaited = any(words in active.get("message", "") for words in _METRICS_OF_NO_POD)
    return AutoscalerState.METRICS_AWAITED if awaited else AutoscalerState.METRICS_MISSING


def certificate(live: Mapping[str, Any]) -> Answer:
    """What cert-manager says of a Certificate as it is asked for now."""
    status, generation = live.get("status", {}), live["metadata"].get("generation", 0)
    conditions = {
        condition["type"]: condition
        for condition in status.get("conditions", ())
        if condition.get("observedGeneration", generation) >= generation
    }
    ready, issuing = conditions.get("Ready"), conditions.get("Issuing")
    # It goes when a certificate was issued, and is False from a failure until the next try.
    failure = issuing if issuing is not None and issuing["status"] == "False" else None
    if ready is None:
        return Answer(holds=False, reason=CertificateState.UNSEEN, message="")
    if ready["status"] == "True":
        if failure is not None:
            told = f"{_valid(status)}, but not renewed: {_words(failure)}"
            return Answer(holds=True, reason=CertificateState.RENEWAL_FAILING, message=told)
        renewal = f", to be renewed from {status['renewalTime']} on" if "renewalTime" in status else ""
        return Answer(holds=True, reason=CertificateState.ISSUED, message=f"{_valid(status)}{renewal}")
    state = CertificateState.ISSUING if failure is None else CertificateState.FAILED
    if ready.get("reason") == "Expired":
        state = CertificateState.EXPIRED
    return Answer(holds=False, reason=state, message=_words(failure or ready))


def _valid(status: Mapping[str, Any]) -> str:
    return f"valid until {status.get('notAfter', 'a time that cert-manager does not tell')}"


def _words(condition: Mapping[str, Any]) -> str:
    """A condition's reason and message, ready for a full stop."""
    told = f"{condition.get('reason', '')}: {condition.get('message', '')}"
    return told[:_LONGEST_MESSAGE].rstrip(" .\n")


def stateful_set(live: Mapping[str, Any]) -> Workload:
    """A StatefulSet's pods."""
    return _workload(live, "")


def _workload(live: Mapping[str, Any], stuck: str) -> Workload:
    status = live.get("status", {})
    wanted = live["spec"].get("replicas", 1)
    replicas = status.get("replicas", 0)
    updated = status.get("updatedReplicas", 0)
    return Workload(
        wanted=wanted,
        replicas=replicas,
        ready=status.get("readyReplicas", 0),
        updated=updated,
        available=status.get("availableReplicas", 0),
        settled=_seen(live) and updated == replicas == wanted,
        seen=status.get("observedGeneration", 0),
        stuck=stuck,
    )


def _seen(live: Mapping[str, Any]) -> bool:
    """Whether the controller knows the newest spec."""
    return bool(live.get("status", {}).get("observedGeneration", 0) >= live["metadata"].get("generation", 0))


def job(live: Mapping[str, Any]) -> SchemaJob:
    """Whether the schema Job is done."""
    for condition in live.get("status", {}).get("conditions", ()):
        if condition["status"] == "True" and condition["type"] in ("Complete", "Failed"):
            return SchemaJob(condition["type"], condition.get("message", ""))
    return SchemaJob("Running")


def ingress(live: Mapping[str, Any]) -> bool:
    """Whether an ingress controller has taken the Ingress up: it writes there where clients reach it."""
    return bool(live.get("status", {}).get("loadBalancer", {}).get("ingress"))


def pod(live: Mapping[str, Any]) -> PodState:
    """What keeps a pod's containers from running, and whether it brought a schema up to date."""
    labels = live["metadata"].get("labels", {})
    done = labels.get(_JOB_NAME_LABEL, "") if _has_migrated(live) else ""
    run = backupruns.run(live)
    if live["metadata"].get("deletionTimestamp"):
        return PodState(schema_job=done, run=run)
    restarts = sum(each.get("restartCount", 0) for each in live.get("status", {}).get("containerStatuses", ()))
    problems = tuple(
        PodProblem(labels.get(COMPONENT_LABEL, ""), live["metadata"]["name"], reason, message[:_LONGEST_MESSAGE])
        for reason, message in _troubles(live.get("status", {}))
    )
    return PodState(problems, done, restarts, _instance(live), run)


def _instance(live: Mapping[str, Any]) -> DatabaseInstance | None:
    role = live["metadata"].get("labels", {}).get(ROLE_LABEL)
    if role is None:
        return None
    conditions = live.get("status", {}).get("conditions", ())
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return DatabaseInstance(live["metadata"]["name"], role, ready)


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
    "Certificate": certificate,
    "Deployment": deployment,
    "HorizontalPodAutoscaler": autoscaler,
    "StatefulSet": stateful_set,
    "Job": job,
    "Ingress": ingress,
    "Gateway": gateways.listeners,
    "ListenerSet": gateways.listeners,
    "HTTPRoute": gateways.route,
    "TLSRoute": gateways.route,
    "ClientTrafficPolicy": gateways.policy,
    "BackendTrafficPolicy": gateways.policy,
    "Pod": pod,
}
