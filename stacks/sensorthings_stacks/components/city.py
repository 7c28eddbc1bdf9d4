"""The city's tenants, the issuer of all its certificates, and the realm of its people. City layer."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import ResourceOptions

from sensorthings_stacks.components.realm import Realm, RealmArgs
from sensorthings_stacks.components.tenant import SKIP_AWAIT, Tenant, TenantArgs
from sensorthings_stacks.components.web import CLASS, ISSUER

if TYPE_CHECKING:
    from sensorthings_stacks.components.database_access import DatabaseAccess
    from sensorthings_stacks.settings.city import CitySettings


@dataclass(frozen=True)
class CityArgs:
    """Arguments of a City."""

    provider: kubernetes.Provider
    """Access to the cluster."""
    database: DatabaseAccess
    """The city's database."""
    settings: CitySettings
    """What the city configured."""


class City(pulumi.ComponentResource):
    """The issuer of certificates, the realm, and each tenant with what is theirs."""

    def __init__(self, name: str, args: CityArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:city:City", name, None, opts)
        self._args = args
        issuer = self._issuer()
        if args.settings.realm is not None:
            # The platform's Keycloak has a certificate only once there is an issuer.
            Realm(
                name,
                RealmArgs(provider=args.provider, settings=args.settings.realm, after=[issuer]),
                ResourceOptions(parent=self),
            )
        for tenant in args.settings.tenants:
            Tenant(
                tenant.namespace,
                TenantArgs(provider=args.provider, database=args.database, issuer=issuer, settings=tenant),
                ResourceOptions(parent=self),
            )
        self.register_outputs({})

    def _issuer(self) -> kubernetes.apiextensions.CustomResource:
        settings = self._args.settings
        # Not NodePort, its default: a tenant's quota has none, and the ingress controller reaches pods by themselves.
        solver = {"http01": {"ingress": {"ingressClassName": CLASS, "serviceType": "ClusterIP"}}}
        account: dict[str, Any] = {
            "server": settings.acme_server,
            "email": settings.certificate_email,
            "privateKeySecretRef": {"name": "acme-account"},
        }
        if settings.acme_authority:
            account["caBundle"] = base64.b64encode(settings.acme_authority.encode()).decode()
        return kubernetes.apiextensions.CustomResource(
            ISSUER,
            api_version="cert-manager.io/v1",
            kind="ClusterIssuer",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=ISSUER, annotations=SKIP_AWAIT),
            spec={"acme": {**account, "solvers": [solver]}},
            opts=ResourceOptions(parent=self, provider=self._args.provider),
        )
