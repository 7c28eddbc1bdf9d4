"""The cluster as the tests see it: objects as plain JSON, and kubectl for what a person would type."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubernetes import config

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kubernetes.client import ApiClient

SERVICES = "/apis/sensorthings.city/v1alpha1/namespaces/{}/sensorthingsservices"


@dataclass(frozen=True)
class Kubernetes:
    """A cluster with its administrator's rights.

    Args:
        kubectl: the cluster's own.
        kubeconfig: of the administrator.
        netns: the node's network namespace.
    """

    kubectl: Path
    kubeconfig: Path
    netns: Path
    client: ApiClient

    @classmethod
    def connect(cls, kubectl: Path, kubeconfig: Path, netns: Path) -> Kubernetes:
        client = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
        return cls(kubectl, kubeconfig, netns, client)

    def get(self, path: str) -> Any:
        """GET of the REST API; None where there is nothing."""
        answer = self.client.call_api("GET", f"{self.client.configuration.host}{path}")
        body: bytes = answer.read()  # type: ignore[no-untyped-call]
        if answer.status == 404:
            return None
        assert answer.status == 200, f"{path}: {answer.status} {body.decode(errors='replace')}"
        return json.loads(body)

    def items(self, path: str, labels: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """A list of the REST API, of what has these labels."""
        selector = ",".join(f"{name}={value}" for name, value in (labels or {}).items())
        found: list[dict[str, Any]] = self.get(f"{path}?labelSelector={selector}" if selector else path)["items"]
        return found

    def run(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """The standard output of kubectl, as a person sees it."""
        command = [str(self.kubectl), f"--kubeconfig={self.kubeconfig}", *arguments]
        result = subprocess.run(command, input=stdin, text=True, capture_output=True, check=False, timeout=300)
        assert result.returncode == 0 or not check, f"kubectl {' '.join(arguments)}: {result.stderr}"
        return result.stdout if check else result.stdout + result.stderr

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """kubectl apply, as a person would."""
        self.run("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}))

    def evict(self, pod: Mapping[str, Any]) -> None:
        """What kubectl drain asks for, of one pod."""
        metadata = {name: pod["metadata"][name] for name in ("name", "namespace")}
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction"
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        self.run("create", f"--raw={path}", "--filename=-", stdin=json.dumps(eviction))

    def create_namespace(self, name: str) -> None:
        """A namespace that admits only what passes pod security ``restricted``."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})

    def everything(self, namespace: str) -> set[str]:
        """The names of all objects in a namespace, of every kind that can be listed, but Events."""
        kinds = self.run("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
        asked = ",".join(kind for kind in kinds if not kind.startswith(("events", "pods.metrics")))
        return set(self.run("get", asked, "--namespace", namespace, "--output=name").split())

    def describe(self, namespace: str) -> Iterable[tuple[str, str]]:
        """What a person would look at when something in a namespace goes wrong: a title and a text each."""
        here = ("--namespace", namespace)
        # First, because it says most, and the end of a long report is what is cut.
        operator = ("--namespace=sensorthings-system", "deployment/sensorthings-operator", "--tail=40")
        yield "log of the operator", self.run("logs", *operator, check=False)
        yield "services", self.run("get", "sensorthingsservices", *here, "--output=yaml", check=False)
        yield "pods", self.run("describe", "pods", *here, check=False)
        yield "events", self.run("get", "events", *here, "--sort-by=.lastTimestamp", check=False)
        for pod in self.items(f"/api/v1/namespaces/{namespace}/pods"):
            name = pod["metadata"]["name"]
            yield f"log of {name}", self.run("logs", name, *here, "--all-containers", "--tail=40", check=False)
