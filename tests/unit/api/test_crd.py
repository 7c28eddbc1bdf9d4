"""The CRDs are structural, say what their fields mean, and hold the defaults of the types."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sensorthings_operator.api import crd

every_resource = pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda resource: resource.kind)


def nodes(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema below one, with its path."""
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from nodes(member, f"{path}.{name}")
    for below in ("items", "additionalProperties"):
        if below in schema:
            yield from nodes(schema[below], f"{path}[]")


@every_resource
def test_schemas_hold_nothing_that_kubernetes_refuses(resource: crd.Resource) -> None:
    for path, node in nodes(crd.schema(resource)):
        assert isinstance(node, dict), path
        assert node.keys().isdisjoint({"$ref", "$defs", "title", "const", "oneOf", "allOf", "nullable"}), path
        if node.get("x-kubernetes-int-or-string"):
            assert node["anyOf"] == [{"type": "integer"}, {"type": "string"}], path
            assert "type" not in node, path
            assert "pattern" in node, path
        else:
            assert "anyOf" not in node, path
            assert isinstance(node["type"], str), path


@every_resource
def test_every_field_says_what_it_means(resource: crd.Resource) -> None:
    silent = [
        path
        for path, node in nodes(crd.schema(resource))
        if "description" not in node and not path.endswith("[]") and path != ".metadata"
    ]
    assert silent == []


@every_resource
def test_every_spec_string_list_and_map_has_a_bound(resource: crd.Resource) -> None:
    """CEL's cost is estimated from bounds; a field without one can make the API server refuse the whole CRD."""
    bounds = {"string": ("maxLength", "enum"), "array": ("maxItems",)}
    spec = crd.schema(resource)["properties"]["spec"]
    unbounded = [
        path
        for path, node in nodes(spec)
        if (node.get("type") in bounds and not any(bound in node for bound in bounds[node["type"]]))
        or ("additionalProperties" in node and "maxProperties" not in node)
    ]
    assert unbounded == []


def test_defaults_of_nested_objects_are_whole() -> None:
    spec = crd.schema(crd.SERVICE)["properties"]["spec"]["properties"]
    assert spec["bus"]["default"] == {"type": "Mosquitto"}
    assert spec["http"]["default"] == {"readReplicas": 0}
    assert spec["bus"]["properties"]["mosquitto"]["properties"]["storage"]["default"]["size"] == "1Gi"
    assert spec["database"]["properties"]["managed"]["properties"]["storage"]["default"]["size"] == "10Gi"
    assert "default" not in spec["host"]


def test_a_default_that_a_factory_makes_is_there() -> None:
    assert crd.schema(crd.CONNECTOR)["properties"]["spec"]["properties"]["roles"]["default"] == ["read", "create"]


def test_generations_are_64_bits_and_ports_are_32() -> None:
    properties = crd.schema(crd.SERVICE)["properties"]
    assert properties["status"]["properties"]["observedGeneration"]["format"] == "int64"
    assert properties["spec"]["properties"]["http"]["properties"]["replicas"]["format"] == "int32"


def test_kubectl_delete_all_spares_the_service() -> None:
    for resource in crd.RESOURCES:
        assert crd.manifest(resource)["spec"]["names"]["categories"] == ["sensorthings"]
