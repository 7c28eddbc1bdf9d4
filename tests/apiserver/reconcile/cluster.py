"""What a person, another controller or a GitOps tool does in the cluster, over the Kubernetes project's own client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kubernetes.dynamic.exceptions import NotFoundError

if TYPE_CHECKING:
    from kubernetes.dynamic import DynamicClient

    from tests.unit.api.examples import Manifest

_MERGE: Final = "application/merge-patch+json"
_APPLY: Final = "application/apply-patch+yaml"
_API_VERSIONS: Final = {
    "SensorThingsService": "sensorthings.city/v1alpha1",
    "Connector": "sensorthings.city/v1alpha1",
    "CronJob": "batch/v1",
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
    "PodDisruptionBudget": "policy/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "Ingress": "networking.k8s.io/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    **dict.fromkeys(("Role", "RoleBinding"), "rbac.authorization.k8s.io/v1"),
    "PodMonitor": "monitoring.coreos.com/v1",
    "Certificate": "cert-manager.io/v1",
    **dict.fromkeys(
        ("Gateway", "ListenerSet", "HTTPRoute", "TLSRoute", "ReferenceGrant"), "gateway.networking.k8s.io/v1"
    ),
    **dict.fromkeys(("ClientTrafficPolicy", "BackendTrafficPolicy"), "gateway.envoyproxy.io/v1alpha1"),
    "Event": "events.k8s.io/v1",
}
CHILD_KINDS: Final = (
    "ConfigMap",
    "Service",
    "ServiceAccount",
    "Secret",
    "Deployment",
    "StatefulSet",
    "Job",
    "CronJob",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "NetworkPolicy",
    "Role",
    "RoleBinding",
)
WAKER: Final = "waker-"
"""Begins the names of objects that wake the operator and are no children."""
MANAGED: Final = "app.kubernetes.io/managed-by=sensorthings-operator"


class Cluster:
    """Reads and writes in one namespace, as the administrator."""

    def __init__(self, client: DynamicClient, namespace: str) -> None:
        self._client = client
        self.namespace = namespace

    def _resource(self, kind: str) -> Any:
        return self._client.resources.get(api_version=_API_VERSIONS.get(kind, "v1"), kind=kind)

    def get(self, kind: str, name: str) -> Manifest | None:
        """The object, or None where it is not there."""
        try:
            live: Manifest = self._resource(kind).get(name=name, namespace=self.namespace).to_dict()
        except NotFoundError:
            return None
        return live

    def require(self, kind: str, name: str) -> Manifest:
        """The object, which has to be there."""
        live = self.get(kind, name)
        assert live is not None, f"there is no {kind} {name}"
        return live

    def history(self, kind: str, name: str, since: str) -> list[Manifest]:
        """Every state that an object was in since then, as the API server tells who watches."""
        events = self._client.watch(  # type: ignore[no-untyped-call]
            self._resource(kind), namespace=self.namespace, name=name, resource_version=since, timeout=1
        )
        return [event["raw_object"] for event in events]

    def list(self, kind: str, selector: str = "") -> list[Manifest]:
        """All objects of a kind."""
        items = self._resource(kind).get(namespace=self.namespace, label_selector=selector).to_dict()["items"]
        return list(items)

    def now(self, kind: str) -> str:
        """The resource version of a kind at this moment, to look back from later."""
        version: str = self._resource(kind).get(namespace=self.namespace).metadata.resourceVersion
        return version

    def children(self) -> dict[tuple[str, str], Manifest]:
        """Everything that carries the operator's label and no pod, by kind and name."""
        found = {(kind, o["metadata"]["name"]): o for kind in CHILD_KINDS for o in self.list(kind, MANAGED)}
        return {key: live for key, live in found.items() if not key[1].startswith(WAKER)}

    def versions(self) -> dict[tuple[str, str], str]:
        """Resource versions of the children: equal ones prove that nobody wrote."""
        return {key: live["metadata"]["resourceVersion"] for key, live in self.children().items()}

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object."""
        created: Manifest = self._resource(manifest["kind"]).create(body=manifest, namespace=self.namespace).to_dict()
        return created

    def apply(self, manifest: Manifest, *, field_manager: str = "somebody", force: bool = True) -> None:
        """Server-side apply, with force unless a test says otherwise."""
        self._apply(self._resource(manifest["kind"]), manifest, field_manager, force=force)

    def apply_status(self, manifest: Manifest, *, field_manager: str = "somebody") -> None:
        """Server-side apply of the status, with force."""
        self._apply(self._resource(manifest["kind"]).subresources["status"], manifest, field_manager)

    def _apply(self, target: Any, manifest: Manifest, field_manager: str, *, force: bool = True) -> None:
        target.patch(
            body=manifest,
            name=manifest["metadata"]["name"],
            namespace=self.namespace,
            content_type=_APPLY,
            field_manager=field_manager,
            force_conflicts=force,
        )

    def patch(
        self, kind: str, name: str, patch: Any, *, subresource: str | None = None, field_manager: str = "somebody"
    ) -> None:
        """Merge patch of an object or of its ``status`` or ``scale``."""
        target = self._resource(kind)
        if subresource is not None:
            target = target.subresources[subresource]
        target.patch(body=patch, name=name, namespace=self.namespace, content_type=_MERGE, field_manager=field_manager)

    def delete(self, kind: str, name: str, *, propagation: str = "Background") -> None:
        """Delete an object, if it is there."""
        try:
            self._resource(kind).delete(name=name, namespace=self.namespace, body={"propagationPolicy": propagation})
        except NotFoundError:
            return
