"""Settings of the city layer: its tenants, each with a namespace, people, services and connectors."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from sensorthings_operator.api.base import DNS_LABEL, ObjectName, Quantity
from sensorthings_operator.api.parse import InvalidSpec, parse_connector, parse_service
from sensorthings_operator.api.realm import realm_name, secret_name
from sensorthings_stacks.settings.base import Settings, misplaced
from sensorthings_stacks.settings.database import Password
from sensorthings_stacks.settings.target import ExistingDatabase, Targeted, needs

LETS_ENCRYPT: Final = "https://acme-v02.api.letsencrypt.org/directory"
_CERTIFICATE: Final[dict[str, Any]] = {"issuerRef": {"kind": "ClusterIssuer", "name": "stand-in"}}
_DATABASE: Final[dict[str, Any]] = {
    "type": "External",
    "external": {
        "primary": {"host": "stand-in"},
        "credentialsSecretRef": {"name": "stand-in"},
        "tls": {"mode": "verify-full", "caSecretRef": {"name": "stand-in"}},
    },
}
"""Parts of the spec that the layer sets; these stand in for them while the rest is checked."""


class Service(Settings):
    """One SensorThings service."""

    name: ObjectName
    """Name of the SensorThingsService."""
    spec: dict[str, Any]
    """Its spec, without certificate. Without database, it is the one service that has the city's database."""

    @property
    def uses_the_citys_database(self) -> bool:
        """Whether its data lie in the city's own database."""
        return "database" not in self.spec

    @model_validator(mode="after")
    def _leaves_ours(self) -> Self:
        if "certificate" in self.spec:
            raise ValueError("the city layer sets certificate of the spec itself: remove it")
        return self

    @model_validator(mode="after")
    def _is_a_spec(self) -> Self:
        try:
            parse_service(
                {"spec": {"database": _DATABASE, **self.spec, "certificate": _CERTIFICATE}}, unknown_fields="refuse"
            )
        except InvalidSpec as invalid:
            raise ValueError(str(invalid)) from None
        return self


class Connector(Settings):
    """What feeds a service."""

    name: ObjectName
    """Name of the Connector."""
    spec: dict[str, Any]
    """Its spec."""

    @model_validator(mode="after")
    def _is_a_spec(self) -> Self:
        try:
            parse_connector({"spec": self.spec}, unknown_fields="refuse")
        except InvalidSpec as invalid:
            raise ValueError(str(invalid)) from None
        return self

    @property
    def service(self) -> str | None:
        """Name of the service that it feeds, where that is in its own namespace."""
        reference = self.spec["serviceRef"]
        return None if reference.get("namespace") else str(reference["name"])


Group = Annotated[str, Field(min_length=1, max_length=253)]
"""A group as the cluster knows it. On Azure: the object id of a group of Entra."""


class People(Settings):
    """Who may do what in a tenant's namespace."""

    viewers: Annotated[list[Group], Field(max_length=20)] = Field(default_factory=list)
    """Groups that see everything but Secrets."""
    editors: Annotated[list[Group], Field(max_length=20)] = Field(default_factory=list)
    """Groups that change services and connectors, too, and put Secrets there, which they can't read."""


class Quota(Settings):
    """What a tenant's pods may take of the cluster."""

    cpu: Quantity = "16"
    """Processors that its containers ask for, together."""
    memory: Quantity = "64Gi"
    """Memory that they ask for, together."""
    storage: Quantity = "500Gi"
    """Volumes, together."""
    pods: Annotated[int, Field(ge=1, le=10000)] = 100
    """Number of pods."""
    container_memory: Quantity = "16Gi"
    """What one container may have of memory at most; also the limit of those that name none."""


class Tenant(Settings):
    """A department or company with services of its own."""

    namespace: Annotated[str, Field(pattern=DNS_LABEL, max_length=63)]
    """Its namespace."""
    people: People = People()
    """Who may do what in it."""
    quota: Quota = Quota()
    """What its pods may take of the cluster."""
    services: Annotated[list[Service], Field(max_length=50)] = Field(default_factory=list)
    """Its SensorThings services."""
    connectors: Annotated[list[Connector], Field(max_length=200)] = Field(default_factory=list)
    """What feeds them."""

    @model_validator(mode="after")
    def _names_are_its_own(self) -> Self:
        for kind, named in (("services", self.services), ("connectors", self.connectors)):
            twice = [name for name, count in Counter(each.name for each in named).items() if count > 1]
            if twice:
                raise ValueError(f"{kind}: {', '.join(twice)} stands there twice: every name must be its own")
        return self

    @model_validator(mode="after")
    def _feeds_what_is_there(self) -> Self:
        known = {service.name for service in self.services}
        for connector in self.connectors:
            if connector.service is not None and connector.service not in known:
                raise ValueError(
                    f"connector {connector.name} feeds {connector.service}, which is no service of this tenant: "
                    f"its services are {', '.join(sorted(known)) or 'none'}"
                )
        return self


class Realm(Settings):
    """A realm of Keycloak, with a client with which the operator makes those of services."""

    name: Annotated[str, AfterValidator(realm_name)]
    """Its name."""
    url: Annotated[str, Field(pattern=r"^https://[^\s/:]+(:[0-9]+)?(/[^\s]*)?$", max_length=1024)]
    """Keycloak's address, as people and services reach it."""
    administrator: Annotated[str, Field(min_length=1, max_length=255)] = "admin"
    """An administrator of Keycloak's realm master, without a second factor."""
    administrator_password: Password
    """Their password."""
    certificate_authority: Annotated[str, Field(max_length=65536)] = ""
    """PEM of the authority that signed Keycloak's certificate, where the world does not trust it by itself."""

    @property
    def secret_name(self) -> str:
        """Name of the Secret that the operator logs in with, as `sensorthings realm` names it."""
        return secret_name(self.name)


class CitySettings(Targeted):
    """The city's tenants."""

    database: ExistingDatabase | None = None
    """The database of target existing."""
    certificate_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]
    """Where the certificate authority writes when a certificate is about to expire."""
    acme_server: Annotated[str, Field(pattern=r"^https://[^\s]+$", max_length=1024)] = LETS_ENCRYPT
    """Directory of the authority that signs the city's certificates by ACME."""
    acme_authority: Annotated[str, Field(max_length=65536)] = ""
    """PEM of what signed that directory's own certificate, for an authority that the world does not trust by itself,
    such as one of the city's own network."""
    realm: Realm | None = None
    """The realm in which services have their clients. Where it is absent, none is made."""
    tenants: Annotated[list[Tenant], Field(min_length=1, max_length=50)]
    """The tenants."""

    @model_validator(mode="after")
    def _names_its_database(self) -> Self:
        needs(self, "database")
        return self

    @model_validator(mode="after")
    def _shares_no_database(self) -> Self:
        users = [
            f"{tenant.namespace}/{service.name}"
            for tenant in self.tenants
            for service in tenant.services
            if service.uses_the_citys_database
        ]
        if len(users) > 1:
            raise misplaced(
                "tenants",
                f"{' and '.join(users)} would write into the same tables: the city's database holds one service. "
                "Give the others a database of their own in their spec, such as database: {type: Managed}",
            )
        return self

    @model_validator(mode="after")
    def _hosts_and_namespaces_are_one_tenants(self) -> Self:
        namespaces = Counter(tenant.namespace for tenant in self.tenants)
        hosts = Counter(service.spec["host"] for tenant in self.tenants for service in tenant.services)
        for what, counted in (("namespace", namespaces), ("host", hosts)):
            twice = [name for name, count in counted.items() if count > 1]
            if twice:
                raise misplaced(
                    "tenants", f"the {what} {', '.join(twice)} stands there twice: each must be one tenant's"
                )
        return self
