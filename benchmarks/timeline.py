"""When what happened to a service's pods, its schema Job and its conditions.

Watched, since the times that objects carry are in whole seconds. Used by the benchmark of the first Observation.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.kubernetes import Kubernetes


class Timeline:
    """Watches a namespace while the block runs; ``marks`` has seconds since ``begun`` by what happened."""

    def __init__(self, kubernetes: Kubernetes, namespace: str, begun: float) -> None:
        self.marks: dict[str, float] = {}
        self._kubernetes = kubernetes
        self._begun = begun
        self._ended = False
        self._paths = (
            f"/api/v1/namespaces/{namespace}/pods",
            f"/apis/batch/v1/namespaces/{namespace}/jobs",
            f"/apis/sensorthings.city/v1alpha1/namespaces/{namespace}/sensorthingsservices",
        )

    def __enter__(self) -> Timeline:
        for path in self._paths:
            threading.Thread(target=self._watch, args=(path,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True

    def _watch(self, path: str) -> None:
        client = self._kubernetes.client
        url = f"{client.configuration.host}{path}?watch=1&timeoutSeconds=300"
        answer = client.rest_client.pool_manager.request("GET", url, preload_content=False)
        buffer = b""
        for chunk in answer.stream(None):
            *lines, buffer = (buffer + chunk).split(b"\n")
            now = time.monotonic() - self._begun
            for line in lines:
                for mark in _happened(json.loads(line)["object"]):
                    self.marks.setdefault(mark, now)
            if self._ended:
                break
        answer.close()


def _happened(body: dict[str, Any]) -> Iterator[str]:
    """The names of what has happened to an object as it is now."""
    status = body.get("status", {})
    true = [each["type"] for each in status.get("conditions", []) if each["status"] == "True"]
    part = body["metadata"].get("labels", {}).get("app.kubernetes.io/component", "service")
    yield f"{part} {body['kind'].lower()} created"
    yield from (f"{part} {body['kind'].lower()} {type_}" for type_ in true)
    for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        if "running" in container["state"] or "terminated" in container["state"]:
            yield f"{part} container {container['name']} started"
        if container.get("started"):
            yield f"{part} container {container['name']} passed its startup probe"
