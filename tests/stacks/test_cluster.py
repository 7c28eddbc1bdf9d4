"""The cluster layer: three zones, pools that can change without replacing the cluster, nobody from everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sensorthings_stacks import roles
from tests.stacks import programs
from tests.stacks.programs import ProgramError, configuration, execute, is_secret, reference

if TYPE_CHECKING:
    from tests.stacks.programs import Run

ZONES = ["1", "2", "3"]


def _pools(cluster: Run) -> list[dict[str, Any]]:
    (system,) = cluster.the("ManagedCluster").inputs["agentPoolProfiles"]
    return [system, cluster.the("AgentPool").inputs]


def test_pools_span_three_zones_and_scale(cluster: Run) -> None:
    system, user = _pools(cluster)
    for pool in (system, user):
        assert pool["availabilityZones"] == ZONES
        assert pool["enableAutoScaling"] is True
        assert pool["enableEncryptionAtHost"] is True
        assert pool["minCount"] == 3
    assert (system["mode"], system["maxCount"], system["vmSize"]) == ("System", 6, "Standard_D4ds_v5")
    assert (user["mode"], user["maxCount"], user["vmSize"]) == ("User", 12, "Standard_D8ds_v5")
    assert system["nodeTaints"] == ["CriticalAddonsOnly=true:NoSchedule"]


def test_nothing_that_changes_by_itself_shows_as_a_difference(cluster: Run) -> None:
    assert cluster.the("ManagedCluster").ignore_changes == ["agentPoolProfiles[0].count"]
    assert cluster.the("AgentPool").ignore_changes == ["count"]


def test_the_cluster_is_protected_and_waits_for_its_rights(cluster: Run) -> None:
    managed = cluster.the("ManagedCluster")
    assert managed.protect
    (rights,) = [each for each in cluster.of_type("RoleAssignment") if each.name == "hamburg-network"]
    assert rights.urn in managed.dependencies


def test_networking_is_an_overlay_with_policies(cluster: Run) -> None:
    profile = cluster.the("ManagedCluster").inputs["networkProfile"]
    assert profile["networkPlugin"] == "azure"
    assert profile["networkPluginMode"] == "overlay"
    assert profile["networkDataplane"] == profile["networkPolicy"] == "cilium"
    assert (profile["podCidr"], profile["serviceCidr"], profile["dnsServiceIP"]) == (
        "10.244.0.0/16",
        "10.96.0.0/16",
        "10.96.0.10",
    )


def test_only_people_of_entra_and_named_addresses_get_in(cluster: Run) -> None:
    inputs = cluster.the("ManagedCluster").inputs
    assert inputs["disableLocalAccounts"] is True
    assert inputs["aadProfile"]["enableAzureRBAC"] is True
    assert inputs["aadProfile"]["adminGroupObjectIDs"] == ["00000000-0000-4000-8000-000000000001"]
    # The second is the NAT gateway's, with which the nodes themselves come.
    assert inputs["apiServerAccessProfile"]["authorizedIPRanges"] == ["203.0.113.0/24", "198.51.100.7/32"]


def test_workloads_have_identities_of_their_own(cluster: Run) -> None:
    inputs = cluster.the("ManagedCluster").inputs
    assert inputs["oidcIssuerProfile"] == {"enabled": True}
    assert inputs["securityProfile"]["workloadIdentity"] == {"enabled": True}


def test_patches_come_in_the_maintenance_window(cluster: Run) -> None:
    assert cluster.the("ManagedCluster").inputs["autoUpgradeProfile"] == {
        "upgradeChannel": "patch",
        "nodeOSUpgradeChannel": "SecurityPatch",
    }
    windows = {each.inputs["configName"]: each.inputs for each in cluster.of_type("MaintenanceConfiguration")}
    assert set(windows) == {"aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule"}
    for window in windows.values():
        assert window["maintenanceWindow"]["schedule"]["weekly"] == {"dayOfWeek": "Sunday", "intervalWeeks": 1}


def test_nodes_fetch_connectors_images_without_a_password(cluster: Run) -> None:
    registry = cluster.the("containerregistry:Registry")
    assert registry.protect
    assert (registry.inputs["adminUserEnabled"], registry.inputs["anonymousPullEnabled"]) == (False, False)
    (right,) = [each for each in cluster.of_type("RoleAssignment") if each.inputs["principalId"] == "nodes-hamburg"]
    assert right.inputs["roleDefinitionId"] == roles.ACR_PULL
    assert right.inputs["scope"].endswith("/Registry/hamburg")


def test_azures_own_monitoring_is_off_unless_a_city_names_where_it_writes_to(cluster: Run, network: Run) -> None:
    assert "addonProfiles" not in cluster.the("ManagedCluster").inputs
    workspace = "/subscriptions/one/resourceGroups/two/providers/Microsoft.OperationalInsights/workspaces/three"
    config = {**configuration("cluster"), "sensorthings-cluster:containerInsights": workspace}
    run = execute("cluster", config, reference("network", network))
    insights = run.the("ManagedCluster").inputs["addonProfiles"]["omsagent"]
    assert insights["enabled"] is True
    assert insights["config"]["logAnalyticsWorkspaceResourceID"] == workspace
    with pytest.raises(ProgramError, match="containerInsights"):
        execute("cluster", {**config, "sensorthings-cluster:containerInsights": "ours"}, reference("network", network))


def test_access_to_the_cluster_is_a_secret(cluster: Run) -> None:
    assert is_secret(cluster.outputs["kubeconfig"])


def test_a_private_cluster_has_no_public_api(network: Run) -> None:
    config = programs.configuration("cluster") | {"sensorthings-cluster:apiServer": {"access": "Private"}}
    managed = programs.execute("cluster", config, programs.reference("network", network)).the("ManagedCluster")
    assert managed.inputs["apiServerAccessProfile"] == {"enablePrivateCluster": True, "disableRunCommand": True}


def test_a_wrong_configuration_stops_before_anything_is_created() -> None:
    config = programs.configuration("cluster") | {"sensorthings-cluster:systemPool": {"minNodes": 9, "maxNodes": 4}}
    # There are no outputs of the network layer: the program does not even get to read them.
    with pytest.raises(programs.ProgramError, match=r"systemPool: minNodes \(9\) must not be greater than maxNodes"):
        programs.execute("cluster", config, {})
