"""What every service of the city needs on its cluster: ingress, certificates, monitoring, our operator. Platform layer.

Its custom resources' definitions come with it, so objects of those kinds belong to a later layer: a definition and an
object of it in one program fail at the first preview.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Output, ResourceOptions

from sensorthings_stacks.machines.cluster import EXPORTER_PORT, PATRONI_PORT

if TYPE_CHECKING:
    from pulumi import Input
    from pulumi_kubernetes.core.v1 import Namespace

    from sensorthings_stacks.settings.platform import PlatformSettings

TCP_SERVICES: Final = "tcp-services"
"""The ConfigMap in which our operator gives ingress-nginx the ports of MQTT."""
_TIMEOUT: Final = 600
"""Seconds until a release counts as failed."""


@dataclass(frozen=True)
class PlatformArgs:
    """Arguments of a Platform."""

    provider: kubernetes.Provider
    """Access to the cluster."""
    resource_group: Input[str]
    """Name of the resource group that the public address is in."""
    ingress_address: Input[str]
    """Name of the public address."""
    database_hosts: Input[list[str]]
    """Names of the two database machines, whose metrics Prometheus reads."""
    database_authority: Input[str]
    """Certificate with which they are verified."""
    operator_chart: str
    """Folder of our operator's Helm chart, relative to the project: the same on every machine."""
    settings: PlatformSettings
    """What the city configured."""


class Platform(pulumi.ComponentResource):
    """ingress-nginx, cert-manager, Prometheus with Grafana, and the SensorThings operator."""

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
        monitoring = self._release(
            "kube-prometheus-stack",
            namespace="monitoring",
            version=charts.prometheus_stack,
            repository="https://prometheus-community.github.io/helm-charts",
            values=_monitoring(args.database_hosts, args.database_authority),
        )
        ingress = self._ingress(after=[monitoring])
        self._release(
            "sensorthings-operator",
            namespace="sensorthings-system",
            chart=args.operator_chart,
            values=args.settings.operator.model_dump(by_alias=True),
            after=[certificates, monitoring, ingress],
        )
        self.register_outputs({})

    def _ingress(self, after: list[pulumi.Resource]) -> kubernetes.helm.v3.Release:
        namespace = self._namespace("ingress-nginx")
        ports = kubernetes.core.v1.ConfigMap(
            TCP_SERVICES,
            metadata={"name": TCP_SERVICES, "namespace": namespace.metadata.name},
            # Our operator adds its keys and takes them away; here it is made, and nothing more.
            opts=self._options(ignore_changes=["data"]),
        )
        return self._release(
            "ingress-nginx",
            namespace=namespace,
            version=self._args.settings.charts.ingress_nginx,
            repository="https://kubernetes.github.io/ingress-nginx",
            values=_ingress_values(self._args.resource_group, self._args.ingress_address),
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


def _monitoring(hosts: Input[list[str]], authority: Input[str]) -> dict[str, Any]:
    return {
        "prometheus": {
            "prometheusSpec": {
                # Monitors and rules of every namespace, not only of this release.
                "podMonitorSelectorNilUsesHelmValues": False,
                "serviceMonitorSelectorNilUsesHelmValues": False,
                "ruleSelectorNilUsesHelmValues": False,
                "additionalScrapeConfigs": [
                    _outside(job, port, hosts, authority)
                    for job, port in (("postgresql", EXPORTER_PORT), ("patroni", PATRONI_PORT))
                ],
            }
        },
        "grafana": {"sidecar": {"dashboards": {"enabled": True, "searchNamespace": "ALL"}}},
    }


def _outside(job: str, port: int, hosts: Input[list[str]], authority: Input[str]) -> dict[str, Any]:
    """What Prometheus reads outside the cluster."""
    targets = Output.from_input(hosts).apply(lambda names: [f"{name}:{port}" for name in names])
    return {
        "job_name": job,
        "scheme": "https",
        "tls_config": {"ca": authority},
        "static_configs": [{"targets": targets}],
    }


def _ingress_values(resource_group: Input[str], address: Input[str]) -> dict[str, Any]:
    annotations = {
        "service.beta.kubernetes.io/azure-load-balancer-resource-group": resource_group,
        "service.beta.kubernetes.io/azure-pip-name": address,
        # Otherwise the load balancer asks for `/` and takes the controller out.
        "service.beta.kubernetes.io/azure-load-balancer-health-probe-request-path": "/healthz",
        # In minutes, up to 100; its default of 4 closes MQTT connections between two keep-alives.
        "service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout": "30",
    }
    return {
        "controller": {
            "replicaCount": 3,
            "extraArgs": {"tcp-services-configmap": f"$(POD_NAMESPACE)/{TCP_SERVICES}"},
            "service": {"annotations": annotations, "externalTrafficPolicy": "Local"},
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
