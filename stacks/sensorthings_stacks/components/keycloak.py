"""Keycloak with a host name and a certificate of its own. Platform layer.

Made of plain objects: Keycloak's project publishes an image and no chart. TLS ends at the ingress controller, so that a
renewed certificate restarts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Output, ResourceOptions

from sensorthings_stacks import configuration
from sensorthings_stacks.components.web import CLASS, INGRESS_NAMESPACE, ISSUED, certificate
from sensorthings_stacks.machines.cluster import KEYCLOAK_CONNECTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi import Input

    from sensorthings_stacks.components.database_access import DatabaseAccess
    from sensorthings_stacks.settings import platform

Manifest = Any
"""A part of a manifest in Kubernetes' own names; Pulumi's types have names of their own for them."""
NAME: Final = "keycloak"
_LABELS: Final = {"app.kubernetes.io/name": NAME}
_HTTP, _MANAGEMENT, _CLUSTER = 8080, 9000, (7800, 57800)
"""Ports; the last are those by which its pods find out whether others live, and share sessions."""
_OUT: Final = (53, 5353, 443, 8443, 389, 636, 5432)
"""Where it goes: names, identity providers, a directory, its database."""
_AUTHORITY: Final = "ca.crt"
_AUTHORITIES: Final = "/etc/keycloak-database"
"""Where the authority of the database's machines lies in the container."""
_FAILOVER: Final = {
    "targetServerType": "primary",
    "hostRecheckSeconds": 2,
    "connectTimeout": 3,
    # Seconds for an answer. Without it, a login that waits for a machine that stalled would wait for ever; with much
    # less, a new version of Keycloak could not change a large table.
    "socketTimeout": 60,
    "tcpKeepAlive": "true",
}
"""The driver's parameters."""
_TEMPORARY: Final = "/tmp"  # noqa: S108 - a folder in the container, of the pod alone


@dataclass(frozen=True)
class KeycloakArgs:
    """Arguments of a Keycloak."""

    provider: kubernetes.Provider
    """Access to the cluster."""
    settings: platform.Keycloak
    """What the city configured."""
    database: DatabaseAccess
    """Where it keeps realms and users."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before its Ingress: the controller checks every Ingress."""


class Keycloak(pulumi.ComponentResource):
    """Keycloak's pods, the way to them, and what they may reach."""

    def __init__(self, name: str, args: KeycloakArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:platform:Keycloak", name, None, opts)
        self._args = args
        namespace = kubernetes.core.v1.Namespace(
            NAME,
            metadata={"name": NAME, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
            opts=self._options(),
        )
        # By the output, so that what lies in the namespace comes after it.
        self._namespace = namespace.metadata.name
        self._metadata = kubernetes.meta.v1.ObjectMetaArgs(
            name=NAME, namespace=self._namespace, labels=_LABELS, annotations={"pulumi.com/skipAwait": "true"}
        )
        secret = self._secret()
        self._deployment(secret)
        self._way_in()
        self._policies()
        self.register_outputs({})

    def _secret(self) -> kubernetes.core.v1.Secret:
        database = self._args.database
        authority: dict[str, Input[str]] = {}
        if database.certificate_authority is not None:
            authority[_AUTHORITY] = database.certificate_authority
        return kubernetes.core.v1.Secret(
            NAME,
            metadata=self._metadata,
            string_data={
                "administrator-password": configuration.secret(self._args.settings.administrator_password),
                "database-password": Output.from_input(database.password).apply(_is_there),
                **authority,
            },
            opts=self._options(),
        )

    def _deployment(self, secret: kubernetes.core.v1.Secret) -> None:
        spec: Manifest = {
            "replicas": self._args.settings.replicas,
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": self._pod()},
        }
        kubernetes.apps.v1.Deployment(
            NAME,
            metadata=self._metadata,
            spec=spec,
            opts=self._options(depends_on=[secret]),
        )

    def _pod(self) -> dict[str, Any]:
        return {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": _LABELS},
                }
            ],
            "containers": [self._container()],
            "volumes": [{"name": "tmp", "emptyDir": {}}, *self._authority_volumes()],
        }

    def _authority_volumes(self) -> list[dict[str, Any]]:
        if self._args.database.certificate_authority is None:
            return []
        files = [{"key": _AUTHORITY, "path": _AUTHORITY}]
        return [{"name": "authority", "secret": {"secretName": NAME, "items": files}}]

    def _container(self) -> dict[str, Any]:
        settings, database = self._args.settings, self._args.database
        mounts = [{"name": each["name"], "mountPath": _AUTHORITIES} for each in self._authority_volumes()]
        health = {"startupProbe": ("started", 2), "readinessProbe": ("ready", 5), "livenessProbe": ("live", 10)}
        return {
            "name": NAME,
            "image": settings.image,
            "args": [
                "start",
                f"--hostname=https://{settings.host}",
                "--proxy-headers=xforwarded",
                "--http-enabled=true",
                "--health-enabled=true",
                "--metrics-enabled=true",
                "--db=postgres",
                Output.concat("--db-url=", _url(database)),
                Output.concat("--db-username=", database.username),
                # All pods together, and one more while they are replaced. Each would take 100.
                f"--db-pool-max-size={KEYCLOAK_CONNECTIONS // (settings.replicas + 1)}",
            ],
            "env": [
                {"name": "KC_BOOTSTRAP_ADMIN_USERNAME", "value": "admin"},
                _from_secret("KC_BOOTSTRAP_ADMIN_PASSWORD", "administrator-password"),
                _from_secret("KC_DB_PASSWORD", "database-password"),
            ],
            "ports": [{"name": "http", "containerPort": _HTTP}, {"name": "management", "containerPort": _MANAGEMENT}],
            "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
            # The root file system stays writable: the published image builds itself anew for its options at the start.
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": "tmp", "mountPath": _TEMPORARY}, *mounts],
            **{
                probe: {
                    "httpGet": {"path": f"/health/{path}", "port": "management"},
                    "periodSeconds": seconds,
                    **({"failureThreshold": 150} if probe == "startupProbe" else {}),
                }
                for probe, (path, seconds) in health.items()
            },
        }

    def _way_in(self) -> None:
        host = self._args.settings.host
        service: Manifest = {"selector": _LABELS, "ports": [{"name": "http", "port": _HTTP, "targetPort": "http"}]}
        ingress: Manifest = {
            "ingressClassName": CLASS,
            "tls": certificate(host, f"{NAME}-tls"),
            "rules": [{"host": host, "http": {"paths": [_everything()]}}],
        }
        budget: Manifest = {"maxUnavailable": 1, "selector": {"matchLabels": _LABELS}}
        kubernetes.core.v1.Service(
            NAME,
            metadata=self._metadata,
            spec=service,
            opts=self._options(),
        )
        kubernetes.networking.v1.Ingress(
            NAME,
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=NAME,
                namespace=self._namespace,
                annotations={
                    **ISSUED,
                    "pulumi.com/skipAwait": "true",
                    # A login's answer carries more cookies than nginx's default takes.
                    "nginx.ingress.kubernetes.io/proxy-buffer-size": "16k",
                },
            ),
            spec=ingress,
            opts=self._options(depends_on=list(self._args.after)),
        )
        kubernetes.policy.v1.PodDisruptionBudget(
            NAME,
            metadata=self._metadata,
            spec=budget,
            opts=self._options(),
        )

    def _policies(self) -> None:
        own = [{"podSelector": {"matchLabels": _LABELS}}]
        nginx = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": INGRESS_NAMESPACE}}}]
        spec: Manifest = {
            "podSelector": {"matchLabels": _LABELS},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": nginx, "ports": _ports(_HTTP)},
                # Figures are for whoever watches the cluster.
                {"from": [{"namespaceSelector": {}}], "ports": _ports(_MANAGEMENT)},
                {"from": own, "ports": _ports(*_CLUSTER)},
            ],
            "egress": [
                {"ports": [*_ports(*_OUT), *_ports(53, 5353, protocol="UDP")]},
                {"to": own, "ports": _ports(*_CLUSTER)},
            ],
        }
        kubernetes.networking.v1.NetworkPolicy(
            NAME,
            metadata=self._metadata,
            spec=spec,
            opts=self._options(),
        )
        kubernetes.networking.v1.NetworkPolicy(
            "keycloak-http01-solvers",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name="http01-solvers", namespace=self._namespace),
            spec=http01_solvers(),
            opts=self._options(),
        )

    def _options(self, **more: Any) -> ResourceOptions:
        return ResourceOptions(parent=self, provider=self._args.provider, **more)


def http01_solvers() -> Manifest:
    """The policy of the pods with which cert-manager proves that a host is ours; ingress-nginx reaches them."""
    nginx = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": INGRESS_NAMESPACE}}}
    return {
        "podSelector": {"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [nginx], "ports": _ports(8089)}],
    }


def _url(database: DatabaseAccess) -> Output[str]:
    """The driver looks for the machine that takes writes, also after a failover."""
    hosts = Output.from_input(database.hosts).apply(lambda names: ",".join(f"{name}:5432" for name in names))
    parameters = {**_FAILOVER, "sslmode": "require"}
    if database.certificate_authority is not None:
        parameters |= {"sslmode": "verify-full", "sslrootcert": f"{_AUTHORITIES}/{_AUTHORITY}"}
    return Output.concat("jdbc:postgresql://", hosts, "/", database.name, f"?{urlencode(parameters, safe='/')}")


def _is_there(password: str) -> str:
    if not password:
        raise ValueError(
            "The city's database machines have no database for Keycloak: configure keycloak in the database layer, "
            "or name another database in keycloak.database of the platform layer."
        )
    return password


def _from_secret(variable: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": NAME, "key": key}}}


def _everything() -> dict[str, Any]:
    return {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": NAME, "port": {"name": "http"}}}}


def _ports(*numbers: int, protocol: str = "TCP") -> list[dict[str, Any]]:
    return [{"protocol": protocol, "port": number} for number in numbers]
