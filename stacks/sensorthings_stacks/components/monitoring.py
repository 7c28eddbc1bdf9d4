"""Values of kube-prometheus-stack: Prometheus over all namespaces, Grafana with a host and logins of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pulumi import Output

from sensorthings_stacks.components.web import CLASS, ISSUED, certificate
from sensorthings_stacks.machines.cluster import EXPORTER_PORT, PATRONI_PORT

if TYPE_CHECKING:
    from pulumi import Input

    from sensorthings_stacks.settings.platform import Grafana, PlatformSettings

NAMESPACE: Final = "monitoring"
GRAFANA: Final = "grafana-logins"
"""Secret with Grafana's administrator and its client's secret in Keycloak."""
USER, PASSWORD, CLIENT_SECRET = "username", "password", "client-secret"


@dataclass(frozen=True)
class DatabaseMachines:
    """The machines of a city's database, whose metrics Prometheus reads outside the cluster."""

    hosts: Input[list[str]]
    """Their names."""
    authority: Input[str]
    """Certificate with which they are verified."""


def values(settings: PlatformSettings, machines: DatabaseMachines | None) -> dict[str, Any]:
    """The chart's values."""
    grafana = settings.grafana
    prometheus = {"prometheusSpec": _prometheus(machines)}
    if grafana is None:
        # The chart's own administrator has a password that everybody can read up.
        return {"prometheus": prometheus, "grafana": {"enabled": False}}
    return {"prometheus": prometheus, "grafana": _grafana(grafana, settings)}


def _prometheus(machines: DatabaseMachines | None) -> dict[str, Any]:
    # Monitors and rules of every namespace, not only of this release.
    everybodys = {
        "podMonitorSelectorNilUsesHelmValues": False,
        "serviceMonitorSelectorNilUsesHelmValues": False,
        "ruleSelectorNilUsesHelmValues": False,
    }
    if machines is None:
        return everybodys
    outside = [
        _outside(job, port, machines) for job, port in (("postgresql", EXPORTER_PORT), ("patroni", PATRONI_PORT))
    ]
    return {**everybodys, "additionalScrapeConfigs": outside}


def _outside(job: str, port: int, machines: DatabaseMachines) -> dict[str, Any]:
    targets = Output.from_input(machines.hosts).apply(lambda names: [f"{name}:{port}" for name in names])
    return {
        "job_name": job,
        "scheme": "https",
        "tls_config": {"ca": machines.authority},
        "static_configs": [{"targets": targets}],
    }


def _grafana(grafana: Grafana, settings: PlatformSettings) -> dict[str, Any]:
    login = grafana.login
    shared: dict[str, Any] = {
        "sidecar": {"dashboards": {"enabled": True, "searchNamespace": "ALL"}},
        "admin": {"existingSecret": GRAFANA, "userKey": USER, "passwordKey": PASSWORD},
        "ingress": {
            "enabled": True,
            "ingressClassName": CLASS,
            "annotations": ISSUED,
            "hosts": [grafana.host],
            "tls": certificate(grafana.host, "grafana-tls"),
        },
    }
    server = {"server": {"root_url": f"https://{grafana.host}"}}
    if login is None or settings.keycloak is None:
        return {**shared, "grafana.ini": server}
    realm = f"https://{settings.keycloak.host}/realms/{login.realm}/protocol/openid-connect"
    oauth = {
        "enabled": True,
        "name": "Keycloak",
        "client_id": login.client_id,
        "scopes": "openid profile email",
        "auth_url": f"{realm}/auth",
        "token_url": f"{realm}/token",
        "api_url": f"{realm}/userinfo",
        "use_pkce": True,
        # Roles of the client in Keycloak; who has none sees, and changes nothing.
        "role_attribute_path": f"contains(resource_access.{login.client_id}.roles[*], 'admin') && 'Admin' || 'Viewer'",
    }
    secret = {"secretKeyRef": {"name": GRAFANA, "key": CLIENT_SECRET}}
    return {
        **shared,
        "grafana.ini": {**server, "auth.generic_oauth": oauth},
        "envValueFrom": {"GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET": secret},
    }
