"""The rules. Each stands for a sentence that a city must be able to rely on, whoever changed the programs."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, Final

from sensorthings_stacks.policies.resource import Resource, Rule, at, texts
from sensorthings_stacks.tags import REQUIRED, UNTAGGED

if TYPE_CHECKING:
    from collections.abc import Iterator

_POSTGRESQL: Final = 5432
_DISK: Final = "azure-native:compute:Disk"
_MACHINE: Final = "azure-native:compute:VirtualMachine"
_CLUSTER: Final = "azure-native:containerservice:ManagedCluster"
_POOL: Final = "azure-native:containerservice:AgentPool"
_VAULT: Final = "azure-native:keyvault:Vault"
_REGISTRY: Final = "azure-native:containerregistry:Registry"
_STORAGE: Final = "azure-native:storage:StorageAccount"
_SERVICE: Final = "SensorThingsService"
_STAYING: Final = {
    _CLUSTER: "the cluster, with its default pool",
    _DISK: "a database's disk",
    _MACHINE: "a database's machine",
    _VAULT: "the vault with the passwords",
    _STORAGE: "the database's backups",
    _REGISTRY: "the connectors' images",
    "azure-native:network:VirtualNetwork": "the network",
    "azure-native:resources:ResourceGroup": "the resource group",
    "keycloak:index/realm:Realm": "the realm, with people's accounts",
    "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition": "a kind of Kubernetes, with every object of it",
}
_CHANGES_BY_ITSELF: Final = {
    _CLUSTER: "agentPoolProfiles[0].count",
    _POOL: "count",
    _MACHINE: "osProfile.customData",
}
"""What the autoscaler changes, and what replaces a machine although it counts at the first start only."""
_TELLING: Final = re.compile(r"passw(or)?d|secret|token|api_?key|private_?key|credential", re.IGNORECASE)
_NAMES_ONE: Final = re.compile(r"(name|key|ref|existingsecret|url|file|path|enabled|days)$", re.IGNORECASE)
_PRIVATE_KEY: Final = "PRIVATE KEY-----"
_ASSIGNMENT: Final = re.compile(
    r"""^\s*(export\s+)?["']?[\w.-]*(passw(or)?d|secret)["']?\s*[=:]\s*["']?[^\s"'$(){}<>/]{8,}["']?\s*$""",
    re.IGNORECASE,
)
"""A line that gives a password a value: no variable, no path, no call of anything."""


def no_public_database(resource: Resource) -> Iterator[str]:
    """Nothing of the database is reached from the internet."""
    if resource.type in _CLOSED:
        yield from _CLOSED[resource.type](resource)


def stays(resource: Resource) -> Iterator[str]:
    """No plan replaces or deletes the cluster, its default pool, or what holds data."""
    what = _STAYING.get(resource.type)
    if what is not None and not resource.protect:
        yield f"{what} is not protected: a plan could replace or delete it. Add protect=True"
    path = _CHANGES_BY_ITSELF.get(resource.type)
    if path is not None and resource.get(path.split("[", maxsplit=1)[0]) is not None and path not in resource.ignored:
        yield f"{path} changes by itself, or replaces what must stay: add it to ignore_changes"


def encrypted(resource: Resource) -> Iterator[str]:
    """What is stored and what is sent is encrypted."""
    kind = _SERVICE if resource.type.endswith(f":{_SERVICE}") else resource.type
    if kind in _ENCRYPTED:
        yield from _ENCRYPTED[kind](resource)


def tagged(resource: Resource) -> Iterator[str]:
    """What costs money on Azure says whose it is."""
    if resource.type.startswith("azure-native:") and resource.type not in UNTAGGED:
        given = resource.get("tags") or {}
        absent = [name for name in REQUIRED if not given.get(name)]
        if absent:
            yield f"it lacks the tags {', '.join(absent)}: call tags.tag_everything before anything is made"


def no_plain_secret(resource: Resource) -> Iterator[str]:
    """No secret stands where everybody who looks at the cluster, a machine or Helm's values reads it."""
    match resource.type:
        case "kubernetes:core/v1:ConfigMap":
            yield from (f"{key} of a ConfigMap: put it into a Secret" for key in _telling(resource.get("data")))
        case "kubernetes:helm.sh/v3:Release":
            yield from (f"{path} of Helm's values: name a Secret there" for path in _telling(resource.get("values")))
        case "azure-native:compute:VirtualMachine":
            if any(_is_telling_script(line) for line in _decoded(resource.get("osProfile.customData")).splitlines()):
                yield "user-data holds a secret, which everybody on the machine reads: fetch it from the vault"
            if resource.get("osProfile.adminPassword"):
                yield "a machine with a password: give it an SSH key"
        case _ if resource.type.startswith("kubernetes:") and not resource.type.endswith(":Secret"):
            yield from _plain_variables(resource.properties)


def _interface(resource: Resource) -> Iterator[str]:
    if any(at(each, "publicIPAddress") for each in resource.items("ipConfigurations")):
        yield "a machine has a public address: take publicIPAddress away, machines are reached by the network"


def _security_group(resource: Resource) -> Iterator[str]:
    for rule in resource.items("securityRules"):
        if _lets_the_internet_in(rule):
            yield f"the rule {rule.get('name')} lets the internet at PostgreSQL: name a private range"


def _closed_disk(resource: Resource) -> Iterator[str]:
    if resource.get("publicNetworkAccess") != "Disabled" or resource.get("networkAccessPolicy") != "DenyAll":
        yield "a disk can be exported: publicNetworkAccess must be Disabled, networkAccessPolicy DenyAll"


def _closed_vault(resource: Resource) -> Iterator[str]:
    if resource.get("properties.networkAcls.defaultAction") != "Deny":
        yield "the vault is open to every network: networkAcls.defaultAction must be Deny"


def _closed_storage(resource: Resource) -> Iterator[str]:
    if resource.get("allowBlobPublicAccess") is not False:
        yield "backups could be made public: allowBlobPublicAccess must be false"


def _closed_service(resource: Resource) -> Iterator[str]:
    ports = [at(each, "port") for each in resource.items("spec.ports")]
    if resource.get("spec.type") in {"LoadBalancer", "NodePort"} and _POSTGRESQL in ports:
        yield "a Service opens PostgreSQL outside the cluster: its type must be ClusterIP"


_CLOSED: Final[Mapping[str, Rule]] = {
    "azure-native:network:NetworkInterface": _interface,
    "azure-native:network:NetworkSecurityGroup": _security_group,
    _DISK: _closed_disk,
    _VAULT: _closed_vault,
    _STORAGE: _closed_storage,
    "kubernetes:core/v1:Service": _closed_service,
}


def _encrypted_machine(resource: Resource) -> Iterator[str]:
    if resource.get("securityProfile.encryptionAtHost") is not True:
        yield "securityProfile.encryptionAtHost must be true"


def _encrypted_pools(resource: Resource) -> Iterator[str]:
    pools = [resource.properties] if resource.type == _POOL else resource.items("agentPoolProfiles")
    if not all(at(pool, "enableEncryptionAtHost") is True for pool in pools):
        yield "enableEncryptionAtHost of every pool must be true"


def _encrypted_storage(resource: Resource) -> Iterator[str]:
    if resource.get("enableHttpsTrafficOnly") is not True or resource.get("minimumTlsVersion") != "TLS1_2":
        yield "enableHttpsTrafficOnly must be true and minimumTlsVersion TLS1_2"


def _encrypted_ingress(resource: Resource) -> Iterator[str]:
    if not resource.items("spec.tls"):
        yield "an Ingress without TLS: give it spec.tls"


def _encrypted_service(resource: Resource) -> Iterator[str]:
    if resource.get("spec.database.external.tls.mode") == "disable":
        yield "connections to the database are in the open: tls.mode require, or better verify-full"
    if resource.get("spec.exposure.type") != "None" and not resource.get("spec.certificate"):
        yield "the service is exposed without a certificate"


_ENCRYPTED: Final[Mapping[str, Rule]] = {
    _MACHINE: _encrypted_machine,
    _CLUSTER: _encrypted_pools,
    _POOL: _encrypted_pools,
    _STORAGE: _encrypted_storage,
    "kubernetes:networking.k8s.io/v1:Ingress": _encrypted_ingress,
    _SERVICE: _encrypted_service,
}


def _lets_the_internet_in(rule: Mapping[str, Any]) -> bool:
    allows = rule.get("access") == "Allow" and rule.get("direction") == "Inbound"
    ports = [rule.get("destinationPortRange"), *(rule.get("destinationPortRanges") or ())]
    sources = [rule.get("sourceAddressPrefix"), *(rule.get("sourceAddressPrefixes") or ())]
    return allows and any(map(_covers_postgresql, ports)) and any(map(_is_public, sources))


def _covers_postgresql(ports: object) -> bool:
    if not isinstance(ports, str):
        return False
    if ports == "*":
        return True
    first, _, last = ports.partition("-")
    return first.isdigit() and int(first) <= _POSTGRESQL <= int(last or first)


def _is_public(source: object) -> bool:
    if not isinstance(source, str):
        return False
    try:
        return not IPv4Network(source, strict=False).is_private
    except ValueError:
        # Azure's words for everybody. Others, such as VirtualNetwork, are of the network's own.
        return source in {"*", "Internet"}


def _telling(value: Any) -> list[str]:
    """Paths whose last part is the name of a secret, and that hold a text of their own."""
    found = ((path, path.rsplit(".", 1)[-1], text) for path, text in texts(value))
    return [path for path, key, text in found if text and _TELLING.search(key) and not _NAMES_ONE.search(key)]


def _plain_variables(value: Any) -> Iterator[str]:
    """Environment variables of containers, wherever they stand."""
    if isinstance(value, Mapping):
        name = value.get("name")
        if isinstance(name, str) and value.get("value") and _TELLING.search(name) and not _NAMES_ONE.search(name):
            yield f"the variable {name} is in the open: take it from a Secret by valueFrom"
        for member in value.values():
            yield from _plain_variables(member)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for member in value:
            yield from _plain_variables(member)


def _decoded(text: object) -> str:
    if not isinstance(text, str):
        return ""
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return text


def _is_telling_script(line: str) -> bool:
    """Whether a line of a script gives a password a value, other than by asking for it."""
    return _PRIVATE_KEY in line or _ASSIGNMENT.search(line) is not None


RULES: Final[Mapping[str, Rule]] = {
    "no-public-database": no_public_database,
    "stays": stays,
    "encrypted": encrypted,
    "tagged": tagged,
    "no-plain-secret": no_plain_secret,
}
"""The rules by name."""
