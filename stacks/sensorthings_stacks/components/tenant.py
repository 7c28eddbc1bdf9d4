"""A tenant of the city: a namespace that is theirs, with what they may take of the cluster and who may do what in it.

City layer. Nothing reaches a pod of the namespace, and no pod reaches anything, but by a policy that says so: the
operator's own for the pods it makes, and one here for cert-manager's solvers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Output, ResourceOptions

from sensorthings_operator.api import connector, sensorthingsservice
from sensorthings_operator.api.base import API_VERSION, GROUP
from sensorthings_stacks.components.keycloak import Manifest, http01_solvers
from sensorthings_stacks.components.web import ISSUER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi import Input

    from sensorthings_stacks.components.database_access import DatabaseAccess
    from sensorthings_stacks.settings import city

CREDENTIALS: Final = "database"
"""Secret with username and password of the city's database."""
AUTHORITY: Final = "database-authority"
"""Secret with the authority that signed the certificates of its machines."""
# The operator reports whether they are ready; waiting here would hold the whole city up for one service.
SKIP_AWAIT: Final = {"pulumi.com/skipAwait": "true"}
_RBAC: Final = "rbac.authorization.k8s.io"
_EDITOR: Final = "sensorthings-editor"


@dataclass(frozen=True)
class TenantArgs:
    """Arguments of a Tenant."""

    provider: kubernetes.Provider
    """Access to the cluster."""
    database: DatabaseAccess
    """The city's database."""
    issuer: pulumi.Resource
    """The issuer of certificates."""
    settings: city.Tenant
    """What the city configured for this tenant."""


class Tenant(pulumi.ComponentResource):
    """A namespace with its limits, its people, its services and its connectors."""

    def __init__(self, name: str, args: TenantArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:city:Tenant", name, None, opts)
        self._name, self._args = name, args
        namespace = kubernetes.core.v1.Namespace(
            name,
            metadata={"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
            # Deleting it would delete every service in it, and the volumes of databases, which outlive their services.
            opts=self._options(protect=True, retain_on_delete=True),
        )
        self._namespace = namespace.metadata.name
        limits = [self._quota(), self._limits(), *self._policies()]
        self._people()
        services = self._services([args.issuer, *limits])
        for each in args.settings.connectors:
            self._custom(connector.KIND, each.name, each.spec, after=services)
        self.register_outputs({})

    def _quota(self) -> pulumi.Resource:
        quota = self._args.settings.quota
        hard: Manifest = {
            "requests.cpu": quota.cpu,
            "requests.memory": quota.memory,
            "requests.storage": quota.storage,
            "pods": str(quota.pods),
            # The city has one way in; a tenant opens no other.
            "services.loadbalancers": "0",
            "services.nodeports": "0",
        }
        return kubernetes.core.v1.ResourceQuota(
            f"{self._name}-quota", metadata=self._metadata("tenant"), spec={"hard": hard}, opts=self._options()
        )

    def _limits(self) -> pulumi.Resource:
        most = self._args.settings.quota.container_memory
        limit: Manifest = {
            "type": "Container",
            # A quota refuses containers that ask for nothing, such as those of others' charts.
            "defaultRequest": {"cpu": "50m", "memory": "128Mi"},
            # Without a default of its own, which could be less than what a container asks for, it is the limit, too.
            "max": {"memory": most},
        }
        return kubernetes.core.v1.LimitRange(
            f"{self._name}-limits", metadata=self._metadata("tenant"), spec={"limits": [limit]}, opts=self._options()
        )

    def _policies(self) -> list[pulumi.Resource]:
        everything: Manifest = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        return [
            kubernetes.networking.v1.NetworkPolicy(
                f"{self._name}-{name}", metadata=self._metadata(name), spec=spec, opts=self._options()
            )
            for name, spec in (("default-deny", everything), ("http01-solvers", http01_solvers()))
        ]

    def _people(self) -> None:
        people = self._args.settings.people
        kubernetes.rbac.v1.Role(
            f"{self._name}-{_EDITOR}",
            metadata=self._metadata(_EDITOR),
            rules=_EDITORS,
            opts=self._options(),
        )
        everybody = sorted({*people.viewers, *people.editors})
        self._bind("viewers", everybody, {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "view"})
        self._bind("editors", people.editors, {"apiGroup": _RBAC, "kind": "Role", "name": _EDITOR})

    def _bind(self, name: str, groups: Sequence[str], role: Manifest) -> None:
        subjects: Manifest = [{"apiGroup": _RBAC, "kind": "Group", "name": group} for group in groups]
        if subjects:
            kubernetes.rbac.v1.RoleBinding(
                f"{self._name}-{name}",
                metadata=self._metadata(name),
                role_ref=role,
                subjects=subjects,
                opts=self._options(),
            )

    def _services(self, needed: list[pulumi.Resource]) -> list[pulumi.Resource]:
        services = self._args.settings.services
        if any(each.uses_the_citys_database for each in services):
            needed = [*needed, *self._access()]
        certificate = {"issuerRef": {"kind": "ClusterIssuer", "name": ISSUER}}
        return [
            self._custom(
                sensorthingsservice.KIND,
                each.name,
                {"database": self._database(), **each.spec, "certificate": certificate},
                after=needed,
            )
            for each in services
        ]

    def _access(self) -> list[pulumi.Resource]:
        """The Secrets by which the service reaches the city's database, in this namespace alone."""
        database = self._args.database
        kept: dict[str, dict[str, Input[str]]] = {
            CREDENTIALS: {"username": database.username, "password": database.password}
        }
        if database.certificate_authority is not None:
            kept[AUTHORITY] = {"ca.crt": database.certificate_authority}
        return [
            kubernetes.core.v1.Secret(
                f"{self._name}-{name}", metadata=self._metadata(name), string_data=values, opts=self._options()
            )
            for name, values in kept.items()
        ]

    def _database(self) -> dict[str, Any]:
        database = self._args.database
        hosts = Output.from_input(database.hosts)
        verified = {"mode": "verify-full", "caSecretRef": {"name": AUTHORITY}}
        return {
            "type": "External",
            "external": {
                "primary": {"host": hosts.apply(lambda names: names[0])},
                "replicas": hosts.apply(lambda names: [{"host": name} for name in names[1:]]),
                "name": database.name,
                "credentialsSecretRef": {"name": CREDENTIALS},
                "tls": {"mode": "require"} if database.certificate_authority is None else verified,
            },
        }

    def _custom(self, kind: str, name: str, spec: dict[str, Any], after: list[pulumi.Resource]) -> pulumi.Resource:
        return kubernetes.apiextensions.CustomResource(
            f"{self._name}-{name}",
            api_version=API_VERSION,
            kind=kind,
            metadata=self._metadata(name),
            spec=spec,
            opts=self._options(depends_on=after),
        )

    def _metadata(self, name: str) -> kubernetes.meta.v1.ObjectMetaArgs:
        return kubernetes.meta.v1.ObjectMetaArgs(name=name, namespace=self._namespace, annotations=SKIP_AWAIT)

    def _options(self, **more: Any) -> ResourceOptions:
        return ResourceOptions(parent=self, provider=self._args.provider, **more)


_EDITORS: Final[Manifest] = [
    {
        "apiGroups": [GROUP],
        "resources": ["sensorthingsservices", "sensorthingsservices/scale", "connectors"],
        "verbs": ["create", "update", "patch", "delete"],
    },
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "update", "patch", "delete"]},
    # They put a device's password there for a connector; reading would show the database's.
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "patch", "delete"]},
]
"""Added to Kubernetes' own role `view`, which sees everything but Secrets."""
