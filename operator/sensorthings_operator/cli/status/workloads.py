"""Pods, and the Deployments, StatefulSets and Jobs that made them, as ``sensorthings status`` shows them. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.cli.arrival import instant
from sensorthings_operator.cli.status.model import Pod, State, Workload, worst
from sensorthings_operator.observe import summaries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from sensorthings_operator.cli.status.snapshot import Object

_PATIENCE: Final = timedelta(seconds=60)
"""How long a pod that has started may not be ready before it counts as troubled."""


def pod(live: Object, now: datetime) -> Pod:
    """A pod, and what keeps it from being ready."""
    counted = list(_counted(live))
    troubles = tuple(_troubles(live, now))
    metadata, status = live["metadata"], live.get("status", {})
    end = _last_end(live)
    return Pod(
        name=metadata["name"],
        ready=sum(bool(container.get("ready")) for container in counted),
        containers=len(counted) or len(live.get("spec", {}).get("containers", ())),
        restarts=sum(container.get("restartCount", 0) for container in _statuses(live)),
        last_end=end.get("reason"),
        last_ended=end.get("finishedAt"),
        phase="Terminating" if metadata.get("deletionTimestamp") else status.get("phase", "Unknown"),
        node=live.get("spec", {}).get("nodeName"),
        created=metadata.get("creationTimestamp"),
        troubles=troubles,
        state=_pod_state(live, troubles),
    )


def _pod_state(live: Object, troubles: Sequence[str]) -> State:
    phase = live.get("status", {}).get("phase", "Unknown")
    if troubles:
        return State.TROUBLE
    if live["metadata"].get("deletionTimestamp"):
        return State.WAITING
    if phase == "Succeeded":
        return State.OFF
    if phase == "Running" and _ready_condition(live).get("status") == "True":
        return State.OK
    return State.UNKNOWN if phase == "Unknown" else State.WAITING


def _troubles(live: Object, now: datetime) -> Iterator[str]:
    status = live.get("status", {})
    if live["metadata"].get("deletionTimestamp"):
        return
    for problem in summaries.pod(live).problems:
        yield f"{problem.reason}: {problem.message}"
    if status.get("phase") == "Failed":
        yield f"{status.get('reason', 'Failed')}: {status.get('message') or _ended(live) or 'it ended with an error'}"
    ready = _ready_condition(live)
    since = instant(ready.get("lastTransitionTime"))
    started = [c for c in status.get("containerStatuses", ()) if c.get("started") and not c.get("ready")]
    if started and ready.get("status") == "False" and since and now - since > _PATIENCE:
        yield f"NotReady: {', '.join(c['name'] for c in started)} runs, but does not pass its readiness probe"


def _ended(live: Object) -> str:
    """Why the containers of a pod that failed ended."""
    ends = [(c["name"], c.get("state", {}).get("terminated") or {}) for c in _statuses(live)]
    return "; ".join(
        f"container {name} ended with exit code {end['exitCode']} ({end.get('reason', 'Error')})"
        for name, end in ends
        if end.get("exitCode")
    )


def _last_end(live: Object) -> dict[str, Any]:
    """How the container ended that ended last of those that were restarted."""
    ends = [c["lastState"]["terminated"] for c in _statuses(live) if c.get("lastState", {}).get("terminated")]
    return max(ends, key=lambda end: end.get("finishedAt") or "", default={})


def _ready_condition(live: Object) -> dict[str, Any]:
    found = (each for each in live.get("status", {}).get("conditions", ()) if each["type"] == "Ready")
    return next(found, {})


def _statuses(live: Object) -> Iterator[dict[str, Any]]:
    status = live.get("status", {})
    yield from status.get("initContainerStatuses", ())
    yield from status.get("containerStatuses", ())


def _counted(live: Object) -> Iterator[dict[str, Any]]:
    """Containers that shall be ready: all but init containers, and of those the sidecars."""
    init = live.get("spec", {}).get("initContainers", ())
    sidecars = {container["name"] for container in init if container.get("restartPolicy") == "Always"}
    for container in live.get("status", {}).get("initContainerStatuses", ()):
        if container["name"] in sidecars:
            yield container
    yield from live.get("status", {}).get("containerStatuses", ())


def workload(live: Object, pods: Iterable[Pod]) -> Workload:
    """A Deployment or StatefulSet with its pods, the troubled first."""
    spec, status = live.get("spec", {}), live.get("status", {})
    wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    troubles = tuple(_rollout_troubles(status))
    own = _ordered(pods)
    settled = ready >= wanted and status.get("updatedReplicas", 0) >= wanted
    state = State.OFF if wanted == 0 and not own else State.OK if settled else State.WAITING
    return Workload(
        kind=live["kind"],
        name=live["metadata"]["name"],
        ready=ready,
        wanted=wanted,
        created=live["metadata"].get("creationTimestamp"),
        troubles=troubles,
        pods=own,
        state=worst(state, *(State.TROUBLE for _ in troubles), *(p.state for p in own if p.state is State.TROUBLE)),
    )


def _rollout_troubles(status: dict[str, Any]) -> Iterator[str]:
    for condition in status.get("conditions", ()):
        failed = (condition["type"], condition["status"]) in {("Progressing", "False"), ("ReplicaFailure", "True")}
        if failed:
            yield f"{condition.get('reason', condition['type'])}: {condition.get('message', '')}"


def job(live: Object, pods: Iterable[Pod]) -> Workload:
    """A Job with its pods; those that failed before it was completed are no trouble any more."""
    found = summaries.job(live)
    complete = found.outcome == "Complete"
    own = tuple(_forgiven(each) for each in _ordered(pods)) if complete else _ordered(pods)
    troubles = (f"Failed: {found.message}",) if found.outcome == "Failed" else ()
    state = {"Complete": State.OK, "Failed": State.TROUBLE}.get(found.outcome, State.WAITING)
    return Workload(
        kind=live["kind"],
        name=live["metadata"]["name"],
        ready=1 if complete else live.get("status", {}).get("succeeded", 0),
        wanted=live.get("spec", {}).get("completions", 1),
        created=live["metadata"].get("creationTimestamp"),
        troubles=troubles,
        pods=own,
        state=worst(state, *(p.state for p in own if p.state is State.TROUBLE)),
    )


def _forgiven(one: Pod) -> Pod:
    return replace(one, state=State.OFF) if one.state is State.TROUBLE else one


def _ordered(pods: Iterable[Pod]) -> tuple[Pod, ...]:
    order = list(State)
    return tuple(sorted(pods, key=lambda each: (-order.index(each.state), each.name)))
