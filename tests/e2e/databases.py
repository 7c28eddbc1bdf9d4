"""A PostgreSQL run by somebody else, in the cluster for want of another place: a primary and, if need be, a standby."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from tests.e2e.kubernetes import Kubernetes

_MANIFESTS: Final = Path(__file__).parent / "manifests" / "postgresql.yaml"
PRIMARY: Final = "postgresql"
STANDBY: Final = "standby"


class ExternalDatabase:
    """A PostgreSQL that the operator knows nothing of, in a namespace of its own."""

    def __init__(self, kubernetes: Kubernetes, namespace: str) -> None:
        self._kubernetes = kubernetes
        self.namespace = namespace
        kubernetes.create_namespace(namespace)
        manifests = yaml.safe_load_all(_MANIFESTS.read_text())
        kubernetes.apply(*({**each, "metadata": {**each["metadata"], "namespace": namespace}} for each in manifests))

    def host(self, server: str = PRIMARY) -> str:
        """Where a server answers."""
        return f"{server}.{self.namespace}.svc.cluster.local"

    def scale(self, replicas: int, server: str = PRIMARY) -> None:
        """Set the number of a server's pods to 0 or 1, and wait until it is so."""
        here = ("--namespace", self.namespace)
        self._kubernetes.run("scale", *here, f"statefulset/{server}", f"--replicas={replicas}")
        self._kubernetes.run("rollout", "status", *here, f"statefulset/{server}", "--timeout=120s")
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        labels = {"app": server}
        eventually(f"{replicas} pods", lambda: len(self._kubernetes.items(path, labels)) == replicas)

    def sql(self, statement: str, database: str = "postgres", *, server: str = PRIMARY) -> str:
        """Run SQL as the superuser; what it gives, without headings."""
        psql = ("psql", "--host=/tmp", "--username=postgres", f"--dbname={database}", "-XAt", "--command", statement)
        return self._kubernetes.run("exec", "--namespace", self.namespace, f"{server}-0", "--", *psql).strip()
