"""Every Azure resource of every layer against Microsoft's own types; planted faults show that the check can fail."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.stacks.azure_types import problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stacks.programs import Resource, Run

UNTYPED = {
    "azure-native:authorization:RoleAssignment",
    "azure-native:containerregistry:Registry",
    "azure-native:dns:RecordSet",
    "azure-native:dns:Zone",
    "azure-native:managedidentity:UserAssignedIdentity",
    "azure-native:resources:ResourceGroup",
}
"""Types for which Microsoft's packages have no typed dictionary."""


@pytest.mark.parametrize("layer", ["network", "cluster", "database"])
def test_microsofts_types_take_every_resource(layers: dict[str, Run], layer: str) -> None:
    found = {}
    for resource in layers[layer].resources:
        if resource.type.startswith("azure-native:"):
            found[resource.urn] = (resource.type, problems(resource.type, resource.plain))
    assert {type_ for type_, result in found.values() if result is None} <= UNTYPED
    assert {urn: result for urn, (_, result) in found.items() if result} == {}
    assert any(result == [] for _, result in found.values())


def _set(*path: str | int, value: Any) -> Callable[[Any], None]:
    def change(inputs: Any) -> None:
        for step in path[:-1]:
            inputs = inputs[step]
        inputs[path[-1]] = value

    return change


def _remove(*path: str | int) -> Callable[[Any], None]:
    def change(inputs: Any) -> None:
        for step in path[:-1]:
            inputs = inputs[step]
        del inputs[path[-1]]

    return change


FAULTS = [
    ("cluster", "ManagedCluster", _set("networkProfile", "netwrkPolicy", value="cilium"), "no such property"),
    ("cluster", "ManagedCluster", _set("networkProfile", "networkPluginMode", value="overlayy"), "is none of"),
    ("cluster", "ManagedCluster", _set("autoUpgradeProfile", "nodeOSUpgradeChannel", value="Never"), "is none of"),
    ("cluster", "ManagedCluster", _set("agentPoolProfiles", 0, "minCount", value="3"), "int is expected"),
    ("cluster", "ManagedCluster", _remove("agentPoolProfiles", 0, "name"), "needs name"),
    ("cluster", "AgentPool", _set("mode", value="Worker"), "is none of"),
    ("database", "VirtualMachine", _set("zones", value=[1]), "str is expected"),
    ("database", "VirtualMachine", _set("storageProfile", "dataDisks", 0, "caching", value="Nope"), "is none of"),
    ("database", "VirtualMachine", _remove("storageProfile", "dataDisks", 0, "createOption"), "needs createOption"),
    ("database", "Disk", _set("creationData", "createOption", value="New"), "is none of"),
    ("database", "Vault", _set("properties", "networkAcls", "defaultAction", value="Refuse"), "is none of"),
    ("database", "StorageAccount", _set("networkRuleSet", "defaultAction", value="Refuse"), "is none of"),
    ("database", "StorageAccount", _set("minimumTlsVersion", value="TLS0_9"), "is none of"),
    ("database", "LoadBalancer", _set("probes", 0, "protocol", value="Ping"), "is none of"),
    ("database", "LoadBalancer", _set("loadBalancingRules", 0, "frontendPort", value="5432"), "int is expected"),
    ("database", "BlobServiceProperties", _set("deleteRetentionPolicy", "days", value="14"), "int is expected"),
    ("network", "NetworkSecurityGroup", _set("securityRules", 0, "access", value="Maybe"), "is none of"),
    ("network", "Subnet", _set("natGateway", value="gateway"), "an object"),
]


@pytest.mark.parametrize(("layer", "kind", "fault", "message"), FAULTS)
def test_a_planted_fault_is_found(
    layers: dict[str, Run], layer: str, kind: str, fault: Callable[[Any], None], message: str
) -> None:
    resource: Resource = min(layers[layer].of_type(f":{kind}"), key=lambda each: each.name)
    inputs = copy.deepcopy(resource.plain)
    fault(inputs)
    found = problems(resource.type, inputs)
    assert found
    assert any(message in problem for problem in found), found
