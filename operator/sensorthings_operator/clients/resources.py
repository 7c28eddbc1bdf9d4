"""The kinds that the operator reads and writes, and their paths in the Kubernetes API."""

from dataclasses import dataclass
from typing import Any, Final

from sensorthings_operator.api import connector, sensorthingsservice
from sensorthings_operator.api.base import GROUP, VERSION


@dataclass(frozen=True)
class Resource:
    """A kind of the Kubernetes API."""

    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """URL path of a collection (all namespaces where ``namespace`` is None), an object or its subresource."""
        prefix = "/apis" if "/" in self.api_version else "/api"
        parts = [prefix, self.api_version]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part is not None]
        return "/".join(parts)


SERVICES: Final = Resource(f"{GROUP}/{VERSION}", sensorthingsservice.KIND, sensorthingsservice.PLURAL)
CONNECTORS: Final = Resource(f"{GROUP}/{VERSION}", connector.KIND, connector.PLURAL)
EVENTS: Final = Resource("events.k8s.io/v1", "Event", "events")
LEASES: Final = Resource("coordination.k8s.io/v1", "Lease", "leases")
CONFIG_MAPS: Final = Resource("v1", "ConfigMap", "configmaps")
SECRETS: Final = Resource("v1", "Secret", "secrets")
PODS: Final = Resource("v1", "Pod", "pods")
ISSUERS: Final = Resource("cert-manager.io/v1", "Issuer", "issuers")
CLUSTER_ISSUERS: Final = Resource("cert-manager.io/v1", "ClusterIssuer", "clusterissuers")
INGRESS_CLASSES: Final = Resource("networking.k8s.io/v1", "IngressClass", "ingressclasses")
GATEWAYS: Final = Resource("gateway.networking.k8s.io/v1", "Gateway", "gateways")
WATCHED_CHILDREN: Final = (
    CONFIG_MAPS,
    Resource("v1", "Service", "services"),
    Resource("v1", "ServiceAccount", "serviceaccounts"),
    Resource("apps/v1", "Deployment", "deployments"),
    Resource("apps/v1", "StatefulSet", "statefulsets"),
    Resource("batch/v1", "Job", "jobs"),
    Resource("batch/v1", "CronJob", "cronjobs"),
    Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Resource("networking.k8s.io/v1", "Ingress", "ingresses"),
    Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Resource("rbac.authorization.k8s.io/v1", "Role", "roles"),
    Resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
)
"""Kinds of children that are watched, and pruned where the spec no longer asks for them.

Secrets are not among them: RBAC can't narrow a watch to labels, and the operator shall not see every Secret.
"""

OPTIONAL_CHILDREN: Final = (
    Resource("cert-manager.io/v1", "Certificate", "certificates"),
    Resource("monitoring.coreos.com/v1", "PodMonitor", "podmonitors"),
    GATEWAYS,
    Resource("gateway.networking.k8s.io/v1", "ListenerSet", "listenersets"),
    Resource("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
    Resource("gateway.networking.k8s.io/v1", "TLSRoute", "tlsroutes"),
    Resource("gateway.networking.k8s.io/v1", "ReferenceGrant", "referencegrants"),
    Resource("gateway.envoyproxy.io/v1alpha1", "ClientTrafficPolicy", "clienttrafficpolicies"),
    Resource("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy", "backendtrafficpolicies"),
)
"""Kinds of children whose API a cluster may lack; watched and pruned like the others once it is there."""

CONNECTOR_CHILDREN: Final = (
    Resource("v1", "ConfigMap", "configmaps"),
    Resource("apps/v1", "Deployment", "deployments"),
    Resource("batch/v1", "CronJob", "cronjobs"),
    Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
)
"""Kinds of children of connectors, watched and pruned in the same way."""

_KNOWN: Final = (
    *WATCHED_CHILDREN,
    *OPTIONAL_CHILDREN,
    *CONNECTOR_CHILDREN,
    SECRETS,
    PODS,
    SERVICES,
    CONNECTORS,
    LEASES,
)
_BY_KIND: Final = {(resource.api_version, resource.kind): resource for resource in _KNOWN}


def resource_of(manifest: dict[str, Any]) -> Resource:
    """The resource of a manifest.

    Raises:
        KeyError: The kind is not one that the operator writes.
    """
    return _BY_KIND[manifest["apiVersion"], manifest["kind"]]
