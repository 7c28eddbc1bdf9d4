"""One SensorThingsService in a namespace of a test's own: what is applied, and what is seen of it."""

from __future__ import annotations

import json
import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from tests.e2e.clients import Http, Subscriber
from tests.e2e.kubernetes import SERVICES
from tests.e2e.netns import inside
from tests.e2e.waiting import PATIENCE, eventually

if TYPE_CHECKING:
    from tests.e2e.kubernetes import Kubernetes

_SMALL: Final = {"requests": {"cpu": "20m"}}
"""The node has few cores, and the next test begins while the pods of the one before still end."""


def managed_database(when_deleted: Literal["Delete", "Retain"]) -> dict[str, Any]:
    """``spec.database`` of a database that the operator runs."""
    storage = {"size": "1Gi", "whenDeleted": when_deleted}
    return {"type": "Managed", "managed": {"storage": storage, "resources": _SMALL}}


_ROUTING_SECONDS: Final = 10.0
"""kube-proxy writes its rules at most once a second, a moment after a pod is ready."""
_MQTT_PORT: Final = 1883
_WEBSOCKET_PORT: Final = 9876


@dataclass(frozen=True)
class Service:
    """A service by its name; nothing is there until ``apply``."""

    kubernetes: Kubernetes
    namespace: str
    name: str = "lights"

    def apply(self, **spec: Any) -> None:
        """kubectl apply of the smallest manifest, with parts of the spec replaced."""
        whole = {
            "version": "2.0.0",
            "http": {"resources": _SMALL},
            "mqtt": {"resources": _SMALL},
            "database": managed_database("Delete"),
            "exposure": {"type": "None"},
            "auth": {"type": "None", "none": {"allowAnonymousWrite": True}},
            **spec,
        }
        metadata = {"name": self.name, "namespace": self.namespace}
        self.kubernetes.apply(
            {
                "apiVersion": "sensorthings.city/v1alpha1",
                "kind": "SensorThingsService",
                "metadata": metadata,
                "spec": whole,
            }
        )

    def start(self, **spec: Any) -> Http:
        """Apply, and wait until it is Ready; its HTTP side by its Service's address."""
        self.apply(**spec)
        self.await_ready()
        return self.http()

    @property
    def body(self) -> dict[str, Any]:
        """The whole resource; empty where there is none."""
        return self.kubernetes.get(f"{SERVICES.format(self.namespace)}/{self.name}") or {}

    def condition(self, type_: str) -> dict[str, Any]:
        """A condition of the newest spec; empty where the operator has not said it yet."""
        body = self.body
        newest = body.get("metadata", {}).get("generation")
        conditions = body.get("status", {}).get("conditions", [])
        return next((c for c in conditions if c["type"] == type_ and c["observedGeneration"] == newest), {})

    def await_condition(self, type_: str, status: str, reason: str = "", seconds: float = PATIENCE) -> str:
        """Wait for a condition; its message."""

        def there() -> dict[str, Any] | None:
            seen = self.condition(type_)
            return seen if seen.get("status") == status and reason in ("", seen["reason"]) else None

        what = f"{self.namespace}/{self.name} {type_}={status} {reason}"
        try:
            return str(eventually(what, there, seconds)["message"])
        except AssertionError as error:
            raise AssertionError(f"{what} not within {seconds:g} s: {self.condition(type_)}") from error

    def await_ready(self, seconds: float = PATIENCE) -> None:
        """Wait until it serves clients as the newest spec wants."""
        self.await_condition("Ready", "True", seconds=seconds)

    def patch(self, **spec: Any) -> None:
        """kubectl patch of parts of the spec."""
        merge = json.dumps({"spec": spec})
        self.kubectl("patch", f"sta/{self.name}", "--type=merge", f"--patch={merge}")

    def delete(self) -> None:
        """kubectl delete, which waits until the resource itself is gone."""
        self.kubectl("delete", f"sta/{self.name}")

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        """kubectl in the service's namespace."""
        return self.kubernetes.run(*arguments[:1], "--namespace", self.namespace, *arguments[1:], check=check)

    def cluster_ip(self, part: str) -> str:
        """The address of the Service of a part: ``http`` or ``mqtt``."""
        found = self.kubernetes.get(f"/api/v1/namespaces/{self.namespace}/services/{self.name}-{part}")
        return str(found["spec"]["clusterIP"])

    def http(self) -> Http:
        """The HTTP side, at its Service's address, once the node leads to the ready pods of both modules."""
        http = Http(self.cluster_ip("http"), 80, self.kubernetes.netns)
        eventually("the HTTP Service leads to a pod", lambda: http.get("Things?$top=1").status == 200, _ROUTING_SECONDS)
        eventually("the MQTT Service leads to a pod", self._mqtt_is_reached, _ROUTING_SECONDS)
        return http

    def _mqtt_is_reached(self) -> bool:
        with inside(self.kubernetes.netns), suppress(OSError):
            socket.create_connection((self.cluster_ip("mqtt"), _MQTT_PORT), timeout=1).close()
            return True
        return False

    def running_pods(self, part: str) -> list[dict[str, Any]]:
        """The pods of a part, also those on their way out; what the kubelet evicted stays there, ended."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        labels = {"sensorthings.city/service": self.name, "app.kubernetes.io/component": part}
        return [pod for pod in self.kubernetes.items(path, labels) if _phase(pod) not in _ENDED]

    def pods(self, part: str) -> list[dict[str, Any]]:
        """Those of them that are not on their way out."""
        return [pod for pod in self.running_pods(part) if "deletionTimestamp" not in pod["metadata"]]

    def ready_pods(self, part: str) -> list[dict[str, Any]]:
        """Those of them that are ready."""
        return [pod for pod in self.pods(part) if _ready(pod)]

    def await_pods(self, part: str, count: int, *, other_than: str = "") -> list[dict[str, Any]]:
        """Wait until a part has exactly so many pods, all ready, and none of them is ``other_than`` (a uid)."""

        def there() -> list[dict[str, Any]] | None:
            pods = self.ready_pods(part)
            complete = len(pods) == len(self.pods(part)) == count
            return pods if complete and all(pod["metadata"]["uid"] != other_than for pod in pods) else None

        return eventually(f"{count} ready pods of {part}", there)

    def subscriber(
        self,
        datastream: int,
        *,
        host: str = "",
        transport: Literal["tcp", "websockets"] = "tcp",
        reconnect: bool = False,
    ) -> Subscriber:
        """A subscriber at the MQTT Service, or at a pod's address."""
        port = _MQTT_PORT if transport == "tcp" else _WEBSOCKET_PORT
        return Subscriber(
            host or self.cluster_ip("mqtt"),
            port,
            datastream,
            transport=transport,
            netns=self.kubernetes.netns,
            reconnect=reconnect,
        )


_ENDED: Final = ("Failed", "Succeeded")


def _phase(pod: dict[str, Any]) -> str:
    return str(pod.get("status", {}).get("phase", ""))


def _ready(pod: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


def processes(pod: dict[str, Any], command: bytes) -> list[Path]:
    """The processes of a pod whose command line begins with ``command``, as folders of /proc; one at least."""
    uid = pod["metadata"]["uid"]
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            ours = entry.name.isdigit() and f"pod{uid}" in (entry / "cgroup").read_text()
            if ours and (entry / "cmdline").read_bytes().startswith(command):
                found.append(entry)
    assert found, f"pod {pod['metadata']['name']} runs no {command.decode()}"
    return found


def kill(pod: dict[str, Any], command: bytes) -> None:
    """SIGKILL to the processes of a pod whose command line begins with ``command``, as the kernel's OOM killer does."""
    for process in processes(pod, command):
        os.kill(int(process.name), signal.SIGKILL)
