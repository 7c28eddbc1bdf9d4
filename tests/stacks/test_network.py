"""The network layer: one way in, one way out, and a database subnet that only the cluster reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sensorthings_stacks.policies.resource import Resource
from sensorthings_stacks.policies.rules import RULES
from tests.stacks import programs
from tests.stacks.azure_types import problems

if TYPE_CHECKING:
    from tests.stacks.programs import Run


def test_machines_have_one_way_out_with_a_fixed_address(network: Run) -> None:
    subnets = network.of_type("network:Subnet")
    assert len(subnets) == 2
    for subnet in subnets:
        assert subnet.inputs["natGateway"] == {"id": "/id/NatGateway/hamburg-egress"}
        assert subnet.inputs["defaultOutboundAccess"] is False


def test_the_database_subnet_takes_what_the_cluster_and_the_machines_need_and_nothing_else(network: Run) -> None:
    rules = sorted(network.the("NetworkSecurityGroup").inputs["securityRules"], key=lambda rule: rule["priority"])
    allowed = {rule["sourceAddressPrefix"]: rule["destinationPortRanges"] for rule in rules[:-1]}
    assert allowed == {
        "10.20.0.0/20": ["5432", "8008", "9187"],
        "10.20.16.0/24": ["5432", "8008", "2379", "2380"],
        "AzureLoadBalancer": ["8008"],
    }
    assert {rule["access"] for rule in rules[:-1]} == {"Allow"}
    last = rules[-1]
    assert (last["access"], last["direction"], last["protocol"], last["sourceAddressPrefix"]) == (
        "Deny",
        "Inbound",
        "*",
        "*",
    )


def test_public_addresses_survive_the_loss_of_a_zone(network: Run) -> None:
    for address in network.of_type("PublicIPAddress"):
        assert address.inputs["zones"] == ["1", "2", "3"]
        assert address.inputs["publicIPAllocationMethod"] == "Static"


def test_names_follow_the_public_address(network: Run) -> None:
    records = {record.inputs["relativeRecordSetName"]: record.inputs for record in network.of_type("dns:RecordSet")}
    assert set(records) == {"iot", "id", "grafana"}
    for inputs in records.values():
        assert inputs["targetResource"] == {"id": "/id/PublicIPAddress/hamburg-ingress"}


def test_azure_changes_one_subnet_at_a_time(network: Run) -> None:
    first, second = sorted(network.of_type("network:Subnet"), key=lambda subnet: subnet.name)
    assert first.urn in second.dependencies


def test_what_others_depend_on_is_protected(network: Run) -> None:
    protected = {resource.type.split(":")[-1] for resource in network.resources if resource.protect}
    assert protected == {"ResourceGroup", "VirtualNetwork", "PublicIPAddress", "Zone"}


def test_administrators_have_a_way_in_where_the_city_gives_it_a_range(network: Run) -> None:
    assert network.of_type("BastionHost") == []
    key = "sensorthings-network:addresses"
    config = programs.configuration("network")
    addresses = {**config[key], "bastion": "10.20.17.0/26"}
    run = programs.execute("network", {**config, key: addresses}, {})
    host = run.the("network:BastionHost")
    assert (host.inputs["enableTunneling"], host.inputs["sku"]) == (True, {"name": "Standard"})
    (subnet,) = [each for each in run.of_type("network:Subnet") if each.inputs.get("subnetName")]
    assert (subnet.inputs["subnetName"], subnet.inputs["addressPrefix"]) == ("AzureBastionSubnet", "10.20.17.0/26")
    assert problems(host.type, host.plain) == problems(subnet.type, subnet.plain) == []
    assert problems(host.type, {**host.plain, "enableTunneling": "yes"}) != []
    rules = run.the("NetworkSecurityGroup").inputs["securityRules"]
    (ssh,) = [rule for rule in rules if "22" in rule.get("destinationPortRanges", ())]
    assert ssh["sourceAddressPrefix"] == "10.20.17.0/26"
    assert not any("22" in rule.get("destinationPortRanges", ()) for rule in _rules(network))
    for resource in run.resources:
        seen = Resource(resource.type, {**resource.plain, "tags": resource.tags or {}}, resource.protect)
        assert [told for name in ("no-public-database", "tagged") for told in RULES[name](seen)] == []


@pytest.mark.parametrize(
    ("bastion", "told"),
    [
        ("10.20.17.0/27", r"bastion \(10.20.17.0/27\) is too small: a /26 at least"),
        ("10.20.16.0/26", r"database \(10.20.16.0/24\) and bastion \(10.20.16.0/26\) overlap"),
        ("10.30.0.0/26", r"bastion \(10.30.0.0/26\) must lie within network"),
    ],
)
def test_a_range_that_bastion_can_not_have_is_refused(bastion: str, told: str) -> None:
    key = "sensorthings-network:addresses"
    config = programs.configuration("network")
    with pytest.raises(programs.ProgramError, match=told):
        programs.execute("network", {**config, key: {**config[key], "bastion": bastion}}, {})


def _rules(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run.the("NetworkSecurityGroup").inputs["securityRules"]
    return found
