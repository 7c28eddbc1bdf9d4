"""A stand-in for kubelets: no node is there, so tests say what became of the pods that the real controllers made."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from kubernetes.dynamic.exceptions import NotFoundError

from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from tests.apiserver.reconcile.cluster import Cluster
    from tests.unit.api.examples import Manifest

_COMPONENT: Final = "app.kubernetes.io/component"
_DATABASE: Final = "sensorthings.city/database"
_ROLE: Final = "sensorthings.city/role"
_JOB: Final = "batch.kubernetes.io/job-name"
_NOW: Final = "2026-01-01T00:00:00Z"
_ALL: Final = ("bus", "database", "http", "http-read", "mqtt")


class Kubelet:
    """Writes statuses of pods; Deployments, StatefulSets and Jobs get theirs from kube-controller-manager."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def run(self, *components: str) -> None:
        """Pods of these parts run and are ready; all that are there (but the schema Job's) where none is named."""
        for pod in self._awaited(components) if components else self._pods(_ALL):
            if pod["status"]["phase"] == "Pending":
                self._write(pod, {"phase": "Running", "conditions": _ready(), "containerStatuses": _running(pod)})

    def give_roles(self) -> None:
        """Patroni says of the pods of a pair who is the primary, where it has not said so yet."""
        for pod in self._pods(("database",)):
            described = pod["metadata"]
            if _DATABASE in described["labels"] and _ROLE not in described["labels"]:
                role = "primary" if described["name"].endswith("-0") else "replica"
                patch = {"metadata": {"labels": {_ROLE: role}}}
                with suppress(NotFoundError):
                    self._cluster.patch("Pod", described["name"], patch, field_manager="Patroni")

    def end_schema_jobs(self, *, awaited: bool = False) -> None:
        """Pods of schema Jobs succeed: those that are there, or the first one to come."""
        for pod in self._awaited(("schema",)) if awaited else self._pods(("schema",)):
            if pod["status"]["phase"] == "Pending":
                self._write(pod, {"phase": "Succeeded"})

    def end(self, component: str, said: str, *, well: bool = True, at: str = _NOW, job: str = "") -> None:
        """The container of the part's next pod ends, or of the next of a Job's, and says something as it does."""

        def check() -> Manifest:
            pods = [pod for pod in self._pods((component,)) if job in ("", pod["metadata"]["labels"].get(_JOB))]
            pending = [pod for pod in pods if pod["status"]["phase"] == "Pending"]
            assert pending, f"there is no pod of {component} that does not run yet"
            return pending[0]

        pod = eventually(check)
        state = _ended(said, well=well, at=at)
        phase = "Succeeded" if well else "Failed"
        self._write(pod, {"phase": phase, "containerStatuses": [_container(pod, state, ready=False)]})

    def end_first(self, component: str, said: str, *, well: bool = True, at: str = _NOW) -> None:
        """The first init container of the part's pods ends; where it ended badly, the kubelet is about to try again."""
        for pod in self._awaited((component,)):
            state = _ended(said, well=well, at=at)
            status = {**_container(pod, state, ready=well), "name": pod["spec"]["initContainers"][0]["name"]}
            self._write(pod, {"phase": "Pending", "initContainerStatuses": [status]})

    def fail_job(self, name: str) -> None:
        """The Job failed for good; what the controller says after the last of its retries, minutes apart."""
        failed = [
            {"type": type_, "status": "True", "reason": "BackoffLimitExceeded", "message": "4 pods failed"}
            for type_ in ("FailureTarget", "Failed")
        ]

        def check() -> None:
            started = self._cluster.require("Job", name).get("status", {}).get("startTime")
            assert started, "the controller has not begun"
            over = {"conditions": failed, "active": 0, "ready": 0, "terminating": 0, "failed": 4}
            self._cluster.patch("Job", name, {"status": over}, subresource="status")

        eventually(check)

    def cannot_pull(self, component: str) -> None:
        """The image of the part's pods that do not run yet is nowhere to be had."""

        def check() -> list[Manifest]:
            pending = [pod for pod in self._pods((component,)) if pod["status"]["phase"] == "Pending"]
            assert pending, f"there is no pod of {component} that does not run yet"
            return pending

        for pod in eventually(check):
            waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
            self._write(
                pod, {"phase": "Pending", "containerStatuses": [_container(pod, {"waiting": waiting}, ready=False)]}
            )

    def no_progress(self, deployment: str) -> None:
        """A rollout is at a standstill; what the controller says after ten minutes of it, and leaves as it is."""
        told = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        conditions = self._cluster.require("Deployment", deployment)["status"]["conditions"]
        others = [condition for condition in conditions if condition["type"] != "Progressing"]
        stuck = {**told, "message": "ReplicaSet has timed out progressing.", "lastUpdateTime": _NOW}
        over = {"conditions": [*others, {**stuck, "lastTransitionTime": _NOW}]}
        self._cluster.patch("Deployment", deployment, {"status": over}, subresource="status")

    def _awaited(self, components: tuple[str, ...]) -> list[Manifest]:
        """Pods of all these parts, once each has one."""

        def check() -> list[Manifest]:
            found = [self._pods((component,)) for component in components]
            assert all(found), f"there is no pod yet of one of {components}"
            return [pod for pods in found for pod in pods]

        return eventually(check)

    def _pods(self, components: tuple[str, ...]) -> list[Manifest]:
        return self._cluster.list("Pod", f"{_COMPONENT} in ({','.join(components)})")

    def _write(self, pod: Manifest, status: dict[str, Any]) -> None:
        # A controller may have taken it away since it was listed.
        with suppress(NotFoundError):
            self._cluster.patch("Pod", pod["metadata"]["name"], {"status": status}, subresource="status")


def _ready() -> list[dict[str, str]]:
    return [
        {"type": type_, "status": "True", "lastTransitionTime": _NOW}
        for type_ in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]


def _ended(said: str, *, well: bool, at: str) -> dict[str, Any]:
    reason, code = ("Completed", 0) if well else ("Error", 1)
    over = {"exitCode": code, "reason": reason, "startedAt": at, "finishedAt": at, "message": said}
    return {"terminated": over}


def _running(pod: Manifest) -> list[dict[str, Any]]:
    return [_container(pod, {"running": {"startedAt": _NOW}}, ready=True)]


def _container(pod: Manifest, state: dict[str, Any], *, ready: bool) -> dict[str, Any]:
    container = pod["spec"]["containers"][0]
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "restartCount": 0,
        "ready": ready,
        "state": state,
    }
