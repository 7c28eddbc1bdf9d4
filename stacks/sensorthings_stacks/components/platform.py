"""What every service of the city needs on its cluster: ingress, certificates, monitoring, Keycloak, our operator.

Platform layer. Its custom resources' definitions come with it, so objects of those kinds belong to a later layer: a
definition and an object of it in one program fail at the first preview.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
import yaml
from pulumi import ResourceOptions

from sensorthings_stacks import configuration
from sensorthings_stacks.components import monitoring
from sensorthings_stacks.components.database_access import DatabaseAccess
from sensorthings_stacks.components.keycloak import Keycloak, KeycloakArgs
from sensorthings_stacks.components.web import INGRESS_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pulumi import Input
    from pulumi_kubernetes.core.v1 import Namespace

    from sensorthings_stacks.settings.platform import Ingress, KeycloakDatabase, PlatformSettings

TCP_SERVICES: Final = "tcp-services"
"""The ConfigMap in which our operator gives ingress-nginx the ports of MQTT."""
_SYSTEM: Final = "sensorthings-system"
_TIMEOUT: Final = 600
"""Seconds until a release counts as failed."""


@dataclass(frozen=True)
class PlatformArgs:
    """Arguments of a Platform."""

    provider: kubernetes.Provider
    """Access to the cluster."""
    load_balancer: Mapping[str, Input[str]]
    """Annotations by which the cluster's load balancer takes the city's public address."""
    machines: monitoring.DatabaseMachines | None
    """Those of the city's database, whose metrics Prometheus reads; None where it is somebody else's."""
    keycloak_database: DatabaseAccess | None
    """Keycloak's on those machines, for a city that names no other; None where they are somebody else's."""
    operator_chart: str
    """Folder of our operator's Helm chart, relative to the project: the same on every machine."""
    definitions: Path
    """Folder of our custom resources' definitions."""
    settings: PlatformSettings
    """What the city configured."""


class Platform(pulumi.ComponentResource):
    """ingress-nginx, cert-manager, Prometheus with Grafana, Keycloak, and the SensorThings operator."""

    def __init__(self, name: str, args: PlatformArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:platform:Platform", name, None, opts)
        self._args = args
        charts = args.settings.charts
        certificates = self._release(
            "cert-manager",
            version=f"v{charts.cert_manager}",
            repository="https://charts.jetstack.io",
            values={"crds": {"enabled": True, "keep": True}},
        )
        watching = self._monitoring()
        ingress = self._ingress(after=[watching])
        settings = args.settings
        self._keycloak(name, after=[ingress, certificates])
        self._release(
            "sensorthings-operator",
            namespace=_SYSTEM,
            chart=args.operator_chart,
            values=_operator_values(settings),
            after=[certificates, watching, ingress, *self._definitions()],
        )
        self.register_outputs({})

    def _keycloak(self, name: str, after: list[pulumi.Resource]) -> None:
        settings = self._args.settings.keycloak
        if settings is None:
            return
        database = self._args.keycloak_database if settings.database is None else _named(settings.database)
        if database is not None:
            Keycloak(
                name,
                KeycloakArgs(provider=self._args.provider, settings=settings, database=database, after=after),
                ResourceOptions(parent=self),
            )

    def _monitoring(self) -> kubernetes.helm.v3.Release:
        namespace = self._namespace(monitoring.NAMESPACE)
        grafana = self._args.settings.grafana
        logins: list[pulumi.Resource] = []
        if grafana is not None:
            kept = {monitoring.PASSWORD: grafana.administrator_password}
            if grafana.login is not None:
                kept[monitoring.CLIENT_SECRET] = grafana.login.client_secret
            secrets = {key: configuration.secret(value) for key, value in kept.items()}
            logins.append(
                kubernetes.core.v1.Secret(
                    monitoring.GRAFANA,
                    metadata={"name": monitoring.GRAFANA, "namespace": namespace.metadata.name},
                    string_data={monitoring.USER: "admin", **secrets},
                    opts=self._options(),
                )
            )
        return self._release(
            "kube-prometheus-stack",
            namespace=namespace,
            version=self._args.settings.charts.prometheus_stack,
            repository="https://prometheus-community.github.io/helm-charts",
            values=monitoring.values(self._args.settings, self._args.machines),
            after=logins,
        )

    def _definitions(self) -> list[pulumi.Resource]:
        """The kinds of our operator. Deleting one would delete every service of the cluster."""
        folder = self._args.definitions
        read = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))]
        if not read:
            raise FileNotFoundError(f"There are no definitions of custom resources in {folder}: check out all of it")
        return [
            kubernetes.apiextensions.v1.CustomResourceDefinition(
                definition["metadata"]["name"],
                metadata=definition["metadata"],
                spec=definition["spec"],
                opts=self._options(protect=True, retain_on_delete=True),
            )
            for definition in read
        ]

    def _ingress(self, after: list[pulumi.Resource]) -> kubernetes.helm.v3.Release:
        namespace = self._namespace(INGRESS_NAMESPACE)
        ports = kubernetes.core.v1.ConfigMap(
            TCP_SERVICES,
            metadata={"name": TCP_SERVICES, "namespace": namespace.metadata.name},
            # Our operator adds its keys and takes them away; here it is made, and nothing more.
            opts=self._options(ignore_changes=["data"]),
        )
        return self._release(
            INGRESS_NAMESPACE,
            namespace=namespace,
            version=self._args.settings.charts.ingress_nginx,
            repository="https://kubernetes.github.io/ingress-nginx",
            values=_ingress_values(self._args.settings.ingress, self._args.load_balancer),
            after=[*after, ports],
        )

    def _release(  # noqa: PLR0913 - these are the parts of a Helm release
        self,
        name: str,
        *,
        values: dict[str, Any],
        namespace: str | Namespace | None = None,
        chart: str | None = None,
        version: str | None = None,
        repository: str | None = None,
        after: list[pulumi.Resource] | None = None,
    ) -> kubernetes.helm.v3.Release:
        """A chart in a namespace of its own. Not helm.v4.Chart: hooks and `helm list` work with releases only."""
        if namespace is None or isinstance(namespace, str):
            namespace = self._namespace(namespace or name)
        return kubernetes.helm.v3.Release(
            name,
            kubernetes.helm.v3.ReleaseArgs(
                name=name,
                chart=chart or name,
                version=version,
                repository_opts=kubernetes.helm.v3.RepositoryOptsArgs(repo=repository) if repository else None,
                namespace=namespace.metadata.name,
                values=values,
                atomic=True,
                timeout=_TIMEOUT,
            ),
            opts=self._options(depends_on=after),
        )

    def _namespace(self, name: str) -> Namespace:
        return kubernetes.core.v1.Namespace(name, metadata={"name": name}, opts=self._options())

    def _options(self, **more: Any) -> ResourceOptions:
        return ResourceOptions(parent=self, provider=self._args.provider, **more)


def azure_load_balancer(resource_group: Input[str], address: Input[str]) -> dict[str, Input[str]]:
    """Annotations by which Azure's load balancer takes a public address, by its name and its resource group's."""
    return {
        "service.beta.kubernetes.io/azure-load-balancer-resource-group": resource_group,
        "service.beta.kubernetes.io/azure-pip-name": address,
        # Otherwise the load balancer asks for `/` and takes the controller out.
        "service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path": "/healthz",
        # In minutes, up to 100; its default of 4 closes MQTT connections between two keep-alives.
        "service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout": "30",
    }


def _named(database: KeycloakDatabase) -> DatabaseAccess:
    return DatabaseAccess(
        hosts=list(database.hosts),
        name=database.name,
        username=database.username,
        password=configuration.secret(database.password),
        certificate_authority=database.certificate_authority or None,
    )


def _operator_values(settings: PlatformSettings) -> dict[str, Any]:
    return {
        **settings.operator.model_dump(by_alias=True),
        # Lets the operator write MQTT's ports into the ConfigMap and the Service of ingress-nginx.
        "ingressNginx": {
            "enabled": True,
            "namespace": INGRESS_NAMESPACE,
            "tcpServicesConfigMap": TCP_SERVICES,
            "controllerService": f"{INGRESS_NAMESPACE}-controller",
        },
        "podMonitor": {"enabled": True},
    }


def _ingress_values(settings: Ingress, load_balancer: Mapping[str, Input[str]]) -> dict[str, Any]:
    return {
        "controller": {
            "replicaCount": settings.replicas,
            "extraArgs": {"tcp-services-configmap": f"$(POD_NAMESPACE)/{TCP_SERVICES}"},
            "service": {
                "type": settings.service_type,
                "annotations": {**settings.annotations, **load_balancer},
                "externalTrafficPolicy": "Local",
            },
            # FROST-Server closes a connection that nobody uses after 20 s; a POST that is sent in that moment fails.
            "config": {"upstream-keepalive-timeout": "15"},
            "metrics": {"enabled": True, "serviceMonitor": {"enabled": True}},
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "controller"}},
                }
            ],
        }
    }
