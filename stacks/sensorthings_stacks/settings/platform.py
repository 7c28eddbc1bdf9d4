"""Settings of the platform layer: the versions of what stands on the cluster beside our operator, and its settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from sensorthings_operator.api.base import DNS_LABEL, Hostname, PublicHostname
from sensorthings_stacks.settings.base import ChartVersion, Settings, misplaced
from sensorthings_stacks.settings.database import Password
from sensorthings_stacks.settings.target import Targeted


class Charts(Settings):
    """Versions of the Helm charts."""

    ingress_nginx: ChartVersion
    """ingress-nginx."""
    cert_manager: ChartVersion
    """cert-manager."""
    prometheus_stack: ChartVersion
    """kube-prometheus-stack: Prometheus, Alertmanager, Grafana."""


class Ingress(Settings):
    """ingress-nginx: the way in."""

    replicas: Annotated[int, Field(ge=1, le=50)] = 3
    """Number of its pods."""
    service_type: Literal["LoadBalancer", "NodePort"] = "LoadBalancer"
    """LoadBalancer: the cluster gives it an address. NodePort: something before the nodes leads to them."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Annotations of its Service, by which a cluster's load balancer is told what to do."""


class KeycloakDatabase(Settings):
    """The PostgreSQL database in which Keycloak keeps realms and users."""

    hosts: Annotated[list[Hostname], Field(min_length=1, max_length=9)]
    """Names of its machines, the primary first."""
    name: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$", max_length=63)] = "keycloak"
    """Name of the database. It must be there."""
    username: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$", max_length=63)] = "keycloak"
    """Role that owns it."""
    password: Password
    """Its password."""
    certificate_authority: Annotated[str, Field(max_length=65536)] = ""
    """PEM of the authority that signed its machines' certificates. Where it is empty, connections are encrypted, and
    nothing is verified."""


class Keycloak(Settings):
    """Keycloak: says who may read and write."""

    host: PublicHostname
    """Its host name."""
    image: Annotated[str, Field(pattern=r"^[^\s:]+(:[0-9]+)?[^\s:]*:[^\s:]+$", max_length=255)]
    """Its image, with a tag."""
    replicas: Annotated[int, Field(ge=1, le=20)] = 2
    """Number of its pods."""
    administrator_password: Password
    """Password of the first administrator, admin. Counts at the first start only."""
    database: KeycloakDatabase | None = None
    """Where it keeps realms and users. Where it is absent, that is the database for Keycloak of the database layer."""


class GrafanaLogin(Settings):
    """Login to Grafana by a realm of Keycloak."""

    realm: Annotated[str, Field(pattern=DNS_LABEL, max_length=63)]
    """The realm. It must hold the client, with the address of Grafana followed by /login/generic_oauth as redirect."""
    client_id: Annotated[str, Field(min_length=1, max_length=255)] = "grafana"
    """The client."""
    client_secret: Password
    """Its secret."""


class Grafana(Settings):
    """Grafana: shows the dashboards."""

    host: PublicHostname
    """Its host name."""
    administrator_password: Password
    """Password of its administrator, admin."""
    login: GrafanaLogin | None = None
    """Login by Keycloak. Where it is absent, there is the administrator alone."""


class OperatorImage(Settings):
    """Where the operator's image lies."""

    repository: Annotated[str, Field(min_length=1, max_length=255)] = "ghcr.io/sensorthings-city/operator"
    """Repository of the image."""
    tag: str = ""
    """Tag of the image; the chart's own version where it is empty."""


class KeycloakRealm(Settings):
    """A realm that services may name."""

    url: Annotated[str, Field(pattern=r"^https://[^\s/]+", max_length=1024)]
    """Keycloak's address."""
    realm: Annotated[str, Field(min_length=1, max_length=255)]
    """Its name in Keycloak."""
    secret_name: Annotated[str, Field(pattern=DNS_LABEL, max_length=253)]
    """Secret in the operator's namespace that `sensorthings realm` prints."""


class OperatorSettings(Settings):
    """The SensorThings operator."""

    image: OperatorImage = OperatorImage()
    """Its image."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Its settings, as docs/settings.md lists them."""
    keycloak_realms: dict[str, KeycloakRealm] = Field(default_factory=dict)
    """Realms by the name that services give them."""


class PlatformSettings(Targeted):
    """What every service of the city needs."""

    charts: Charts
    """Versions of the Helm charts."""
    ingress: Ingress = Ingress()
    """ingress-nginx."""
    keycloak: Keycloak | None = None
    """Keycloak. Where it is absent, none is installed."""
    grafana: Grafana | None = None
    """Grafana. Where it is absent, none is installed."""
    operator: OperatorSettings = OperatorSettings()
    """The SensorThings operator."""

    @model_validator(mode="after")
    def _keeps_realms_somewhere(self) -> Self:
        if self.target == "existing" and self.keycloak is not None and self.keycloak.database is None:
            raise misplaced("keycloak", "database is required where target is existing: no layer would make it")
        return self

    @model_validator(mode="after")
    def _logs_in_somewhere(self) -> Self:
        if self.grafana is not None and self.grafana.login is not None and self.keycloak is None:
            raise misplaced("grafana", "login is by this layer's Keycloak: configure keycloak, or leave login away")
        return self

    @model_validator(mode="after")
    def _hosts_are_apart(self) -> Self:
        if self.keycloak is not None and self.grafana is not None and self.keycloak.host == self.grafana.host:
            raise misplaced("grafana", f"host {self.grafana.host} is Keycloak's: each has a name of its own")
        return self
