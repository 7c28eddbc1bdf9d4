"""What holds for all layers: components and parents, tags, protection, joined outputs, providers."""

from __future__ import annotations

import inspect
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
import yaml
from pydantic.alias_generators import to_camel

from sensorthings_stacks import layers as joined
from sensorthings_stacks.tags import tagged
from tests.stacks.programs import LAYERS, STACKS, project

if TYPE_CHECKING:
    from tests.stacks.programs import Resource, Run


def _all(layers: dict[str, Run]) -> list[Resource]:
    return [resource for run in layers.values() for resource in run.resources]


@pytest.mark.parametrize("layer", LAYERS)
def test_everything_belongs_to_a_component(layers: dict[str, Run], layer: str) -> None:
    at_the_top = {
        resource.type for resource in layers[layer].resources if "sensorthings:" not in resource.urn.split("::")[2]
    }
    assert at_the_top <= {
        "azure-native:resources:ResourceGroup",
        "pulumi:providers:kubernetes",
        "pulumi:pulumi:StackReference",
    }


def test_azures_resources_are_tagged_where_their_type_has_tags(layers: dict[str, Run]) -> None:
    resources = [each for each in _all(layers) if each.type.startswith("azure-native:")]
    for resource in resources:
        _, module, kind = resource.type.split(":")
        known = inspect.signature(getattr(import_module(f"pulumi_azure_native.{module}"), kind)._internal_init)
        if "tags" in known.parameters:
            assert resource.tags is not None, f"{resource.type} takes tags and has none"
            assert resource.tags["city"] == "hamburg"
            assert resource.tags["managed-by"] == "pulumi"
        else:
            assert resource.tags is None, f"{resource.type} knows no tags"


def test_a_resources_own_tags_stay() -> None:
    properties = tagged("azure-native:compute:Disk", {"tags": {"city": "bremen"}}, {"city": "hamburg", "layer": "x"})
    assert properties["tags"] == {"city": "bremen", "layer": "x"}


def test_whatever_holds_data_is_protected(layers: dict[str, Run]) -> None:
    holding = ("compute:Disk", "compute:VirtualMachine", "keyvault:Vault", "ManagedCluster", "VirtualNetwork")
    found = [resource for resource in _all(layers) if resource.type.endswith(holding)]
    assert {resource.type.split(":")[-1] for resource in found} == {kind.split(":")[-1] for kind in holding}
    assert [resource.urn for resource in found if not resource.protect] == []
    kept = [each for each in _all(layers) if each.type.endswith(("compute:Disk", "StorageAccount", "BlobContainer"))]
    assert len(kept) == 4
    assert [resource.urn for resource in kept if not (resource.protect and resource.retain_on_delete)] == []


@pytest.mark.parametrize("outputs", [joined.NetworkOutputs, joined.ClusterOutputs, joined.DatabaseOutputs])
def test_a_layer_exports_what_another_one_reads_and_nothing_else(
    layers: dict[str, Run], outputs: type[joined.Layer]
) -> None:
    layer = outputs.project.removeprefix("sensorthings-")
    names = [field.name for field in fields(outputs)]
    assert set(layers[layer].outputs) == {to_camel(name) for name in names}
    others = "".join((STACKS / other / "__main__.py").read_text() for other in LAYERS if other != layer)
    unread = [name for name in names if f"{layer}.{name}" not in others and f".of_this_city().{name}" not in others]
    assert unread == []


@pytest.mark.parametrize("layer", ["platform", "city"])
def test_no_cluster_is_used_by_default(layer: str) -> None:
    for path in sorted((STACKS / layer).glob("Pulumi.*.yaml")):
        config = yaml.safe_load(path.read_text())["config"]
        assert config["pulumi:disable-default-providers"] == ["kubernetes"], path


@pytest.mark.parametrize("layer", LAYERS)
def test_projects_are_named_after_their_layer(layer: str) -> None:
    assert project(layer)["name"] == f"sensorthings-{layer}"
