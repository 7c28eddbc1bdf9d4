"""What no plan may do to a city, whatever its configuration says. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sensorthings_operator.cli.city.pulumi import Step

_DESTRUCTIVE: Final = frozenset(
    {"replace", "create-replacement", "delete-replaced", "delete", "discard", "discard-replaced"}
)
"""Pulumi's words for what takes a resource away, also to make another one in its place."""
_GUARDED: Final = {
    "azure-native:containerservice:ManagedCluster": "the cluster, with its default pool",
    "azure-native:compute:Disk": "a database disk",
    "azure-native:containerregistry:Registry": "the connectors' images",
    "azure-native:keyvault:Vault": "the vault with the passwords",
    "azure-native:storage:StorageAccount": "the database's backups",
    "azure-native:storage:BlobContainer": "the database's backups",
    "azure-native:network:VirtualNetwork": "the network",
    "azure-native:resources:ResourceGroup": "the resource group, with everything in it",
    "keycloak:index/realm:Realm": "the realm, with people's accounts",
    "kubernetes:core/v1:Namespace": "a namespace, with everything in it",
    "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition": "a kind, with every object of it",
}


_CLUSTER: Final = "azure-native:containerservice:ManagedCluster"
_DEFAULT_POOL: Final = re.compile(
    r"agentPoolProfiles\[0\]\.(name|vmSize|osDiskType|osType|vnetSubnetID|availabilityZones)\b"
)
"""What AKS changes of a pool by making another one, and refuses for the one that is the cluster's first."""


def refusals(steps: Iterable[Step]) -> list[str]:
    """The steps that would take data, or the cluster, away: each with what it would do."""
    told = []
    for step in steps:
        what = _GUARDED.get(_type_of(step.urn))
        if what is not None and step.operation in _DESTRUCTIVE:
            told.append(f"{step.operation} of {_name_of(step.urn)}: {what}")
        elif _type_of(step.urn) == _CLUSTER:
            told += [
                f"{step.operation} of {_name_of(step.urn)}: {path} can't change without another default pool"
                for path in step.changed
                if _DEFAULT_POOL.match(path)
            ]
    return list(dict.fromkeys(told))


def _name_of(urn: str) -> str:
    return urn.rsplit("::", maxsplit=1)[-1]


def _type_of(urn: str) -> str:
    """The resource's own type: the last of those that its URN names."""
    parts = urn.split("::")
    kind = parts[2].split("$")[-1] if len(parts) > 2 else ""
    # A type of a given version of the API has it in its name.
    head, *rest = kind.split(":")
    return ":".join([head, rest[0].split("/")[0], *rest[1:]]) if head == "azure-native" and rest else kind
