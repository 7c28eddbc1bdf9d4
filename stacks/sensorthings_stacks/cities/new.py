"""The files of a new city, from what somebody answered. Pure: text by layer. Addresses are apart from others'."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.api.manifests import yaml_text
from sensorthings_operator.api.realm import secret_name
from sensorthings_stacks.cities.projects import Project, of_target
from sensorthings_stacks.settings.city import LETS_ENCRYPT
from sensorthings_stacks.settings.network import NetworkSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sensorthings_stacks.cities.city import City
    from sensorthings_stacks.settings.target import Target

CHARTS: Final = {"ingressNginx": "4.12.1", "certManager": "1.21.2", "prometheusStack": "75.15.1"}
"""Versions for which the layers' values were written."""
FROST: Final = "2.8.0"
KEYCLOAK: Final = "quay.io/keycloak/keycloak:26.4"
"""The image for which the platform's options were written."""
_FIRST: Final = 20
_NAMED: Final = (
    "# The cluster is always named: a resource without a provider of its own would go wherever kubectl points."
)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What somebody says of a new city."""

    name: str
    """Its name."""
    target: Target
    """Where it runs."""
    host: str
    """Host name of its first service."""
    email: str
    """Where the certificate authority writes."""
    tenant: str
    """Namespace of its first tenant."""
    location: str = ""
    """Region of Azure."""
    dns_zone: str = ""
    """The DNS zone to make."""
    network: IPv4Network | None = None
    """The virtual network; its subnets are cut out of it."""
    kubernetes_version: str = ""
    """Minor version of Kubernetes."""
    administrators: Sequence[str] = ()
    """Object ids of the Entra groups that administer the cluster."""
    authorized_ranges: Sequence[str] = ()
    """Who reaches the Kubernetes API; nobody from outside where it is empty."""
    administrator_key: str = ""
    """Public SSH key."""
    context: str = ""
    """Context of the existing cluster."""
    kubeconfig: str = ""
    """Its file."""
    database_hosts: Sequence[str] = field(default_factory=tuple)
    """Machines of the existing database."""
    acme_server: str = LETS_ENCRYPT
    """Directory of the certificate authority."""
    keycloak_host: str = ""
    """Host name of the Keycloak in which the city has a realm; without one, users have passwords of the service's own.
    The platform installs it where the name is of the DNS zone to make; else it is there."""

    @property
    def installs_keycloak(self) -> bool:
        """Whether the platform has a Keycloak of its own."""
        return bool(self.dns_zone) and self.keycloak_host.endswith(f".{self.dns_zone}")


def free_network(others: Iterable[City]) -> IPv4Network:
    """The first 10.N.0.0/16 that no other city has for anything.

    Raises:
        ValueError: There is none left.
    """
    settings = (city.layer(NetworkSettings) for city in others)
    plans = [each.addresses for each in settings if each is not None]
    taken = [given for plan in plans for given in (plan.network, plan.pods, plan.services)]
    # Those that every city has for pods and services, also the new one.
    taken += [IPv4Network("10.244.0.0/16"), IPv4Network("10.96.0.0/16")]
    for second in range(_FIRST, 256):
        candidate = IPv4Network(f"10.{second}.0.0/16")
        if not any(candidate.overlaps(each) for each in taken):
            return candidate
    raise ValueError("no 10.N.0.0/16 is free of the other cities' ranges: name a network by --network")


def documents(answers: Answers) -> dict[str, str]:
    """The text of each layer's file."""
    return {project.layer: _document(project, answers) for project in of_target(answers.target)}


def _document(project: Project, answers: Answers) -> str:
    values = {f"{project.name}:{key}": value for key, value in _VALUES[project.layer](answers).items()}
    shared: dict[str, Any] = (
        {"azure-native:location": answers.location}
        if project.on_azure
        else {"pulumi:disable-default-providers": ["kubernetes"]}
    )
    text = yaml_text({"config": {**shared, **values}})
    return text if project.on_azure else text.replace("config:\n", f"config:\n  {_NAMED}\n", 1)


def _network(answers: Answers) -> dict[str, Any]:
    network = answers.network or IPv4Network("10.20.0.0/16")
    cluster = next(network.subnets(new_prefix=max(network.prefixlen + 1, 20)))
    beyond = IPv4Network((int(cluster.broadcast_address) + 1, max(24, network.prefixlen + 2)))
    label = answers.host.removesuffix(f".{answers.dns_zone}")
    people = [answers.keycloak_host.removesuffix(f".{answers.dns_zone}")] if answers.installs_keycloak else []
    return {
        "dnsZone": answers.dns_zone,
        "hosts": [label if answers.host.endswith(f".{answers.dns_zone}") else "iot", *people],
        "addresses": {
            "network": str(network),
            "cluster": str(cluster),
            "database": str(beyond),
            "pods": "10.244.0.0/16",
            "services": "10.96.0.0/16",
        },
    }


def _cluster(answers: Answers) -> dict[str, Any]:
    ranges = list(answers.authorized_ranges)
    return {
        "kubernetesVersion": answers.kubernetes_version,
        "systemPool": {"vmSize": "Standard_D4ds_v5", "minNodes": 3, "maxNodes": 6},
        "userPool": {"vmSize": "Standard_D8ds_v5", "minNodes": 3, "maxNodes": 10},
        "administrators": list(answers.administrators),
        "apiServer": {"access": "Restricted", "authorizedRanges": ranges} if ranges else {"access": "Private"},
    }


def _database(answers: Answers) -> dict[str, Any]:
    keycloak: dict[str, Any] = {"keycloak": {}} if answers.installs_keycloak else {}
    return {
        "vmSize": "Standard_D4ds_v5",
        "diskGibibytes": 256,
        "administratorKey": answers.administrator_key,
        **keycloak,
    }


def _target(answers: Answers) -> dict[str, Any]:
    if answers.target == "azure":
        return {}
    kubeconfig = {"kubeconfig": answers.kubeconfig} if answers.kubeconfig else {}
    return {"target": "existing", "cluster": {"context": answers.context, **kubeconfig}}


def _platform(answers: Answers) -> dict[str, Any]:
    installed = {"keycloak": {"host": answers.keycloak_host, "image": KEYCLOAK}} if answers.installs_keycloak else {}
    url = f"https://{answers.keycloak_host}"
    known = {"url": url, "realm": answers.name, "secretName": secret_name(answers.name)}
    told = {"operator": {"keycloakRealms": {answers.name: known}}} if answers.keycloak_host else {}
    return {**_target(answers), "charts": CHARTS, **installed, **told}


def _city(answers: Answers) -> dict[str, Any]:
    database = {"database": {"hosts": list(answers.database_hosts)}} if answers.target == "existing" else {}
    authority = {} if answers.acme_server == LETS_ENCRYPT else {"acmeServer": answers.acme_server}
    realm = (
        {"realm": {"name": answers.name, "url": f"https://{answers.keycloak_host}"}} if answers.keycloak_host else {}
    )
    spec = {
        "host": answers.host,
        "version": FROST,
        "exposure": {"type": "IngressNginx"},
        "auth": _auth(answers),
    }
    services = [{"name": answers.name, "spec": spec}]
    return {
        **_target(answers),
        **database,
        "certificateEmail": answers.email,
        **authority,
        **realm,
        "tenants": [{"namespace": answers.tenant, "services": services}],
    }


def _auth(answers: Answers) -> dict[str, Any]:
    if answers.keycloak_host:
        return {"type": "Keycloak", "keycloak": {"realm": answers.name}}
    users = [{"name": "connector", "passwordSecretRef": {"name": "connector"}}]
    return {"type": "Basic", "basic": {"users": users}}


_VALUES: Final = {
    "network": _network,
    "cluster": _cluster,
    "database": _database,
    "platform": _platform,
    "city": _city,
}
