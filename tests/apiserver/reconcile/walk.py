"""The way of one service from its manifest to Ready, step by step or all at once, and what tests look at on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tests.apiserver.reconcile.cluster import WAKER
from tests.apiserver.reconcile.kubelet import Kubelet
from tests.apiserver.reconcile.waiting import eventually
from tests.unit.api.examples import patched

if TYPE_CHECKING:
    from tests.apiserver.reconcile.cluster import Cluster
    from tests.apiserver.reconcile.process import OperatorProcess
    from tests.unit.api.examples import Manifest

NAME: Final = "air"
CREDENTIALS: Final = "air-credentials"
_MANAGED: Final[Manifest] = {
    "apiVersion": "sensorthings.city/v1alpha1",
    "kind": "SensorThingsService",
    "metadata": {"name": NAME},
    "spec": {
        "version": "2.0.0",
        "database": {"type": "Managed"},
        "exposure": {"type": "None"},
        "auth": {"type": "None", "none": {"allowAnonymousWrite": True}},
    },
}


class Walk:
    """One namespace, its services, the operator and the stand-in for kubelets."""

    def __init__(self, cluster: Cluster, operator: OperatorProcess) -> None:
        self.cluster = cluster
        self.operator = operator
        self.kubelet = Kubelet(cluster)

    @property
    def host(self) -> str:
        """Of the external database: other tests' databases have other names."""
        return f"db.{self.cluster.namespace}.example"

    def managed(self, spec: Manifest | None = None) -> Manifest:
        """A service with a database of its own."""
        return self.cluster.create(patched(_MANAGED, {"spec": spec or {}}))

    def external(self, spec: Manifest | None = None, *, name: str = NAME) -> Manifest:
        """A service on a database run elsewhere, with its Secret."""
        if self.cluster.get("Secret", CREDENTIALS) is None:
            self.credentials("correct horse")
        return self.cluster.create(self.external_manifest(spec, name=name))

    def external_manifest(self, spec: Manifest | None = None, *, name: str = NAME) -> Manifest:
        """The manifest of ``external``."""
        database = {
            "type": "External",
            "external": {
                "primary": {"host": self.host},
                "credentialsSecretRef": {"name": CREDENTIALS},
                "tls": {"mode": "disable"},
            },
        }
        base = patched(_MANAGED, {"metadata": {"name": name}, "spec": {"database": database}})
        return dict(patched(base, {"spec": spec or {}}))

    def credentials(self, password: str) -> None:
        """The Secret of the external database."""
        self.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": CREDENTIALS},
                "stringData": {"username": "frost", "password": password},
            }
        )

    def change(self, spec: Manifest, *, name: str = NAME) -> None:
        """Edit the service's spec."""
        self.cluster.patch("SensorThingsService", name, {"spec": spec})

    def service(self, name: str = NAME) -> Manifest:
        """The service as it is."""
        return self.cluster.require("SensorThingsService", name)

    def condition(self, type_: str, name: str = NAME) -> dict[str, Any]:
        """A condition of the service for its newest spec."""
        live = self.service(name)
        found: list[dict[str, Any]] = [c for c in live.get("status", {}).get("conditions", ()) if c["type"] == type_]
        assert found, f"there is no condition {type_} yet"
        assert found[0]["observedGeneration"] == live["metadata"]["generation"], found[0]
        return found[0]

    def becomes(self, type_: str, status: str, reason: str, *, name: str = NAME, seconds: float = 15) -> str:
        """Wait for a condition; its message."""

        def check() -> str:
            found = self.condition(type_, name)
            assert (found["status"], found["reason"]) == (status, reason), found
            return str(found["message"])

        return eventually(check, seconds=seconds)

    def appears(self, kind: str, name: str) -> Manifest:
        """Wait for an object."""
        return eventually(lambda: self.cluster.require(kind, name))

    def disappears(self, kind: str, name: str) -> None:
        """Wait until an object is gone."""

        def check() -> None:
            assert self.cluster.get(kind, name) is None, f"{kind} {name} is still there"

        eventually(check)

    def schema_job(self, *, other_than: str = "") -> str:
        """Wait for the schema Job; its name."""

        def check() -> str:
            names = [str(job["metadata"]["name"]) for job in self.cluster.list("Job")]
            new = [name for name in names if name != other_than]
            assert new, f"there is no schema Job but {names}"
            return new[0]

        return eventually(check)

    def becomes_ready(self, name: str = NAME, *, seconds: float = 15) -> Manifest:
        """Let every pod run and every schema Job end until the service is Ready for its newest spec."""

        def check() -> Manifest:
            self.kubelet.run()
            self.kubelet.give_roles()
            self.kubelet.end_schema_jobs()
            found = self.condition("Ready", name)
            assert found["status"] == "True", self.service(name).get("status")
            return self.service(name)

        return eventually(check, seconds=seconds)

    def force_pass(self, name: str = NAME) -> None:
        """Have the operator look at a service once more, and wait until it has.

        What wakes it is an object with our labels that the operator did not make, and so has to leave alone.
        """
        before = self.operator.passes()
        labels = {"app.kubernetes.io/managed-by": "sensorthings-operator", "sensorthings.city/service": name}
        waker = {"name": f"{WAKER}{uuid4().hex[:8]}", "labels": labels}
        self.cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": waker})

        def check() -> None:
            assert self.operator.passes() > before, "no pass since"

        eventually(check)

    def settle(self) -> int:
        """Force passes until one writes nothing; the number of writes until then."""

        def check() -> int:
            before = self.operator.writes()
            self.force_pass()
            after = self.operator.writes()
            assert after == before, f"{after - before} writes in a pass"
            return after

        return eventually(check)

    def end(self) -> None:
        """Delete the services and wait until they are gone, so that no pass of theirs disturbs the next test."""
        for service in self.cluster.list("SensorThingsService"):
            self.cluster.delete("SensorThingsService", service["metadata"]["name"])

        def check() -> None:
            assert not self.cluster.list("SensorThingsService")

        eventually(check)
