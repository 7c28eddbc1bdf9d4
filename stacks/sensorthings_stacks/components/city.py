"""The city's SensorThings services, with their namespace, issuer and database credentials. City layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Output, ResourceOptions

from sensorthings_operator.api.base import API_VERSION
from sensorthings_operator.api.sensorthingsservice import KIND

if TYPE_CHECKING:
    from pulumi import Input

    from sensorthings_stacks.settings.city import CitySettings, Service

CREDENTIALS: Final = "database"
"""Secret with username and password of the database."""
AUTHORITY: Final = "database-authority"
"""Secret with the certificate with which the database's machines are verified."""
ISSUER: Final = "letsencrypt"
"""The issuer of the city's certificates."""
_ACME: Final = "https://acme-v02.api.letsencrypt.org/directory"
# The operator reports whether they are ready; waiting here would hold the whole city up for one service.
_SKIP_AWAIT: Final = {"pulumi.com/skipAwait": "true"}


@dataclass(frozen=True)
class DatabaseAccess:
    """How the services reach the city's database."""

    hosts: Input[list[str]]
    """Names of the two machines. Either may take writes."""
    name: Input[str]
    """Name of the database."""
    username: Input[str]
    """Role to log in with."""
    password: Input[str]
    """Its password: a secret."""
    authority: Input[str]
    """Certificate with which the machines are verified."""


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
    """A namespace with the city's SensorThings services."""

    def __init__(self, name: str, args: CityArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:city:City", name, None, opts)
        self._args = args
        self._namespace = kubernetes.core.v1.Namespace(
            args.settings.namespace,
            metadata={"name": args.settings.namespace},
            # Deleting it would delete every service in it.
            opts=self._options(protect=True),
        )
        needed: list[pulumi.Resource] = [self._credentials(), self._authority(), self._issuer()]
        for service in args.settings.services:
            self._service(service, needed)
        self.register_outputs({})

    def _credentials(self) -> kubernetes.core.v1.Secret:
        database = self._args.database
        return kubernetes.core.v1.Secret(
            CREDENTIALS,
            metadata=self._metadata(CREDENTIALS),
            string_data={"username": database.username, "password": database.password},
            opts=self._options(),
        )

    def _authority(self) -> kubernetes.core.v1.Secret:
        return kubernetes.core.v1.Secret(
            AUTHORITY,
            metadata=self._metadata(AUTHORITY),
            string_data={"ca.crt": self._args.database.authority},
            opts=self._options(),
        )

    def _issuer(self) -> kubernetes.apiextensions.CustomResource:
        email = self._args.settings.certificate_email
        solver = {"http01": {"ingress": {"ingressClassName": "nginx"}}}
        account = {"server": _ACME, "email": email, "privateKeySecretRef": {"name": "letsencrypt-account"}}
        return kubernetes.apiextensions.CustomResource(
            ISSUER,
            api_version="cert-manager.io/v1",
            kind="Issuer",
            metadata=self._metadata(ISSUER),
            spec={"acme": {**account, "solvers": [solver]}},
            opts=self._options(),
        )

    def _service(self, service: Service, needed: list[pulumi.Resource]) -> None:
        ours = {
            "database": self._database(),
            "certificate": {"issuerRef": {"kind": "Issuer", "name": ISSUER}},
        }
        kubernetes.apiextensions.CustomResource(
            service.name,
            api_version=API_VERSION,
            kind=KIND,
            metadata=self._metadata(service.name),
            spec={**service.spec, **ours},
            opts=self._options(depends_on=needed),
        )

    def _database(self) -> dict[str, Any]:
        database = self._args.database
        hosts = Output.from_input(database.hosts)
        return {
            "type": "External",
            "external": {
                "primary": {"host": hosts.apply(lambda names: names[0])},
                "replicas": hosts.apply(lambda names: [{"host": name} for name in names[1:]]),
                "name": database.name,
                "credentialsSecretRef": {"name": CREDENTIALS},
                "tls": {"mode": "verify-full", "caSecretRef": {"name": AUTHORITY}},
            },
        }

    def _metadata(self, name: str) -> kubernetes.meta.v1.ObjectMetaArgs:
        return kubernetes.meta.v1.ObjectMetaArgs(
            name=name, namespace=self._namespace.metadata.name, annotations=_SKIP_AWAIT
        )

    def _options(self, **more: Any) -> ResourceOptions:
        return ResourceOptions(parent=self, provider=self._args.provider, **more)
