"""The policy pack: silent about every city's resources, and loud about each planted fault. As a pack, too, by gRPC."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from sensorthings_stacks.policies.resource import Resource as Seen
from sensorthings_stacks.policies.rules import RULES
from tests.stacks.programs import STACKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stacks.programs import Resource, Run

CITIES = ("layers", "munich", "smalltown")


def _seen(resource: Resource) -> Seen:
    """As the rules see it: with the tags that the program's transform adds."""
    tags = {} if resource.tags is None else {"tags": resource.tags}
    return Seen(resource.type, {**resource.plain, **tags}, resource.protect, tuple(resource.ignore_changes))


def _problems(seen: Seen) -> dict[str, list[str]]:
    return {name: found for name, rule in RULES.items() if (found := list(rule(seen)))}


@pytest.mark.parametrize("city", CITIES)
def test_every_citys_resources_are_as_they_must_be(request: pytest.FixtureRequest, city: str) -> None:
    runs: dict[str, Run] = request.getfixturevalue(city)
    resources = [resource for run in runs.values() for resource in run.resources]
    assert len(resources) > 20
    assert {each.urn: found for each in resources if (found := _problems(_seen(each)))} == {}


def _set(inputs: Any, path: str, value: Any) -> None:
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        inputs = inputs[part]
    inputs[last] = value


_OPEN_RULE = {
    "name": "all",
    "access": "Allow",
    "direction": "Inbound",
    "sourceAddressPrefix": "Internet",
    "destinationPortRange": "5000-6000",
}
FAULTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("no-public-database", "database", "network:NetworkInterface", {"ipConfigurations.0.publicIPAddress": {"id": "x"}}),
    ("no-public-database", "network", "network:NetworkSecurityGroup", {"securityRules.0": _OPEN_RULE}),
    ("no-public-database", "network", "network:NetworkSecurityGroup", {"securityRules.0.sourceAddressPrefix": "*"}),
    (
        "no-public-database",
        "network",
        "network:NetworkSecurityGroup",
        {"securityRules.0.sourceAddressPrefix": "0.0.0.0/0"},
    ),
    (
        "no-public-database",
        "network",
        "network:NetworkSecurityGroup",
        {"securityRules.0.sourceAddressPrefix": "8.8.0.0/16", "securityRules.0.destinationPortRange": "*"},
    ),
    ("no-public-database", "database", "compute:Disk", {"publicNetworkAccess": "Enabled"}),
    ("no-public-database", "database", "compute:Disk", {"networkAccessPolicy": "AllowAll"}),
    ("no-public-database", "database", "storage:StorageAccount", {"allowBlobPublicAccess": True}),
    ("encrypted", "database", "storage:StorageAccount", {"minimumTlsVersion": "TLS1_0"}),
    ("no-public-database", "database", "keyvault:Vault", {"properties.networkAcls.defaultAction": "Allow"}),
    (
        "no-public-database",
        "platform",
        "core/v1:Service",
        {"spec.type": "LoadBalancer", "spec.ports": [{"port": 5432}]},
    ),
    ("encrypted", "database", "compute:VirtualMachine", {"securityProfile.encryptionAtHost": False}),
    ("encrypted", "cluster", "ManagedCluster", {"agentPoolProfiles.0.enableEncryptionAtHost": False}),
    ("encrypted", "cluster", "AgentPool", {"enableEncryptionAtHost": None}),
    ("encrypted", "platform", "networking.k8s.io/v1:Ingress", {"spec.tls": []}),
    ("encrypted", "city", ":SensorThingsService", {"spec.database.external.tls": {"mode": "disable"}}),
    ("encrypted", "city", ":SensorThingsService", {"spec.certificate": None}),
    ("no-plain-secret", "platform", "core/v1:ConfigMap", {"data": {"DB_PASSWORD": "hunter2"}}),
    ("no-plain-secret", "platform", "v3:Release", {"values": {"grafana": {"adminPassword": "hunter2"}}}),
    (
        "no-plain-secret",
        "platform",
        "apps/v1:Deployment",
        {"spec.template.spec.containers.0.env": [{"name": "KC_DB_PASSWORD", "value": "hunter2"}]},
    ),
    ("no-plain-secret", "database", "compute:VirtualMachine", {"osProfile.customData": "password: hunter2-is-long"}),
    ("no-plain-secret", "database", "compute:VirtualMachine", {"osProfile.adminPassword": "hunter2"}),
    ("tagged", "database", "compute:Disk", {"tags": {"city": "hamburg", "layer": "database"}}),
    ("tagged", "network", "network:VirtualNetwork", {"tags": {}}),
]


@pytest.mark.parametrize(("rule", "layer", "kind", "changes"), FAULTS, ids=lambda value: str(value)[:30])
def test_a_planted_fault_is_caught(
    layers: dict[str, Run], rule: str, layer: str, kind: str, changes: dict[str, Any]
) -> None:
    seen = _seen(min(layers[layer].of_type(kind), key=lambda each: each.name))
    properties = copy.deepcopy(dict(seen.properties))
    for path, value in changes.items():
        _set(properties, path, value)
    found = _problems(Seen(seen.type, properties, seen.protect, seen.ignored))
    assert set(found) == {rule}


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        ("cluster", "ManagedCluster"),
        ("cluster", "containerregistry:Registry"),
        ("database", "compute:Disk"),
        ("database", "compute:VirtualMachine"),
        ("database", "keyvault:Vault"),
        ("database", "storage:StorageAccount"),
        ("network", "network:VirtualNetwork"),
        ("network", "resources:ResourceGroup"),
        ("platform", ":CustomResourceDefinition"),
    ],
)
def test_what_holds_data_must_be_protected(layers: dict[str, Run], layer: str, kind: str) -> None:
    seen = _seen(layers[layer].of_type(kind)[0])
    assert set(_problems(Seen(seen.type, seen.properties, protect=False, ignored=seen.ignored))) == {"stays"}


@pytest.mark.parametrize(("layer", "kind"), [("cluster", "ManagedCluster"), ("cluster", "AgentPool")])
def test_what_the_autoscaler_changes_must_be_ignored(layers: dict[str, Run], layer: str, kind: str) -> None:
    seen = _seen(layers[layer].of_type(kind)[0])
    assert set(_problems(Seen(seen.type, seen.properties, seen.protect))) == {"stays"}


@pytest.fixture(scope="module")
def analyzer() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """The pack as Pulumi's engine starts it: a process that answers by gRPC."""
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(STACKS / "policy")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)  # type: ignore[no-untyped-call]
        process.kill()


def _request(resource: Resource, **changes: Any) -> analyzer_pb2.AnalyzeRequest:
    properties = struct_pb2.Struct()
    properties.update({**_seen(resource).properties, **changes})
    options = analyzer_pb2.AnalyzerResourceOptions(protect=resource.protect, ignoreChanges=resource.ignore_changes)
    return analyzer_pb2.AnalyzeRequest(
        type=resource.type, properties=properties, urn=resource.urn, name=resource.name, options=options
    )


def test_the_pack_answers_pulumis_engine(layers: dict[str, Run], analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    info = analyzer.GetAnalyzerInfo(empty_pb2.Empty())
    assert {policy.name for policy in info.policies} == set(RULES)
    disk = layers["database"].of_type("compute:Disk")[0]
    assert list(analyzer.Analyze(_request(disk)).diagnostics) == []
    (found,) = analyzer.Analyze(_request(disk, publicNetworkAccess="Enabled")).diagnostics
    assert found.policyName == "no-public-database"
    assert found.enforcementLevel == analyzer_pb2.MANDATORY
    assert "publicNetworkAccess must be Disabled" in found.message
