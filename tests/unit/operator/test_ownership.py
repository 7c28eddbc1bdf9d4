"""Drift is what went from our entry of managedFields: nothing is missed, nothing is made up."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.apply.ownership import applied_fields, lost_fields, owns_annotation, stands, who_took
from tests.unit.operator.fields import MANIFESTS, Applied, leaves, without


@given(MANIFESTS)
def test_nothing_is_lost_while_all_is_owned(applied: Applied) -> None:
    assert lost_fields(applied.value, applied.fields) == []


@given(MANIFESTS, st.data())
def test_whatever_is_taken_is_reported_with_its_path(applied: Applied, data: st.DataObject) -> None:
    taken = data.draw(st.sampled_from(sorted(leaves(applied.fields))))
    left = without(applied.fields, taken)
    assert lost_fields(applied.value, left) == [_path(applied.value, _gone(left, taken))]


def _gone(left: dict[str, Any], taken: tuple[str, ...]) -> tuple[str, ...]:
    """As far as the way to what was taken still stands, and one step more: a branch without a leaf goes too."""
    for depth, key in enumerate(taken, start=1):
        if key not in left:
            return taken[:depth]
        left = left[key]
    return taken


def _path(value: Any, keys: tuple[str, ...]) -> str:
    """The path in the manifest of what ``fieldsV1`` calls by these keys."""
    path = ""
    for key in keys:
        if key.startswith("f:"):
            path, value = f"{path}.{key[2:]}" if path else key[2:], value[key[2:]]
            continue
        sought = json.loads(key[2:])
        index = next(i for i, item in enumerate(value) if item == sought or _is_item(item, sought))
        path, value = f"{path}[{index}]", value[index]
    return path


def _is_item(item: Any, sought: Any) -> bool:
    return isinstance(item, dict) and isinstance(sought, dict) and sought.items() <= item.items()


@given(MANIFESTS, MANIFESTS, st.data())
def test_what_stands_is_what_lost_nothing(applied: Applied, other: Applied, data: st.DataObject) -> None:
    taken = data.draw(st.sampled_from(sorted(leaves(applied.fields))))
    for fields in (applied.fields, without(applied.fields, taken), other.fields):
        assert stands(applied.value, orjson.dumps(fields)) == (lost_fields(applied.value, fields) == [])


@given(MANIFESTS, MANIFESTS)
def test_what_others_add_is_theirs(applied: Applied, other: Applied) -> None:
    """Our entry does not change by it; and what we own beyond the manifest is no loss."""
    assert lost_fields(applied.value, {**other.fields, **applied.fields}) == []


@given(MANIFESTS)
def test_identity_is_not_looked_for(applied: Applied) -> None:
    identity = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b", "uid": "c"}}
    assert lost_fields({**applied.value, **identity}, {**applied.fields, "f:metadata": {}}) == []


PORTS = {"spec": {"ports": [{"port": 80, "protocol": "TCP", "name": "http"}]}}
PORT_80 = 'k:{"port":80,"protocol":"TCP"}'
OWNED_PORT: dict[str, Any] = {".": {}, "f:name": {}, "f:port": {}, "f:protocol": {}}


@pytest.mark.parametrize(
    ("fields", "lost"),
    [
        ({"f:spec": {"f:ports": {PORT_80: OWNED_PORT}}}, []),
        ({"f:spec": {"f:ports": {PORT_80: {".": {}, "f:port": {}, "f:protocol": {}}}}}, ["spec.ports[0].name"]),
        ({"f:spec": {"f:ports": {'k:{"port":81,"protocol":"TCP"}': OWNED_PORT}}}, ["spec.ports[0]"]),
        ({"f:spec": {"f:type": {}}}, ["spec.ports"]),
        ({"f:metadata": {}}, ["spec"]),
        ({}, ["spec"]),
    ],
)
def test_a_list_by_key(fields: dict[str, Any], lost: list[str]) -> None:
    assert lost_fields(PORTS, fields) == lost


def test_a_set() -> None:
    manifest = {"metadata": {"finalizers": ["a/b", "c/d"]}}
    fields: dict[str, Any] = {"f:metadata": {"f:finalizers": {'v:"a/b"': {}}}}
    assert lost_fields(manifest, fields) == ["metadata.finalizers[1]"]


def test_an_empty_map_is_owned_like_a_value_and_an_empty_list_is_not_tracked() -> None:
    manifest: dict[str, Any] = {"spec": {"emptyDir": {}, "items": []}}
    assert lost_fields(manifest, {"f:spec": {"f:emptyDir": {}}}) == []
    assert lost_fields(manifest, {"f:spec": {"f:hostPath": {}}}) == ["spec.emptyDir"]


def test_our_entry_is_the_one_of_our_applies_without_subresources() -> None:
    def entry(manager: str, operation: str, name: str, **more: str) -> dict[str, Any]:
        return {"manager": manager, "operation": operation, "fieldsV1": {f"f:{name}": {}}, **more}

    metadata = {
        "managedFields": [
            entry("somebody", "Apply", "theirs"),
            entry("us", "Update", "update"),
            entry("us", "Apply", "status", subresource="status"),
            entry("us", "Apply", "ours"),
        ]
    }
    assert applied_fields(metadata, "us") == {"f:ours": {}}
    assert applied_fields(metadata, "nobody") is None
    assert applied_fields({}, "us") is None


def _entry(manager: str, fields: dict[str, Any], operation: str = "Update") -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def test_nobody_is_blamed_who_owns_something_else_near_by() -> None:
    manifest = {"metadata": {"annotations": {"a": "1"}}, "spec": {"template": {"image": "i", "name": "n"}}}
    metadata = {
        "managedFields": [
            _entry(
                "us", {"f:metadata": {"f:annotations": {"f:a": {}}}, "f:spec": {"f:template": {"f:name": {}}}}, "Apply"
            ),
            _entry("controller", {"f:metadata": {"f:annotations": {"f:revision": {}}}, "f:status": {}}),
            _entry("rival", {"f:spec": {"f:template": {"f:image": {}}}}),
            _entry("neighbour", {"f:spec": {"f:template": {"f:name": {}}}}),
        ]
    }
    assert who_took(manifest, metadata, "us") == (["spec.template.image"], ["rival"])


def test_who_owns_a_part_of_what_went_as_a_whole_took_it() -> None:
    manifest = {"data": {"a": "1", "b": "2"}}
    metadata = {"managedFields": [_entry("us", {"f:kind": {}}, "Apply"), _entry("rival", {"f:data": {"f:a": {}}})]}
    assert who_took(manifest, metadata, "us") == (["data"], ["rival"])


@given(MANIFESTS, st.data())
def test_who_owns_all_of_it_is_the_one_who_took_it(applied: Applied, data: st.DataObject) -> None:
    taken = data.draw(st.sampled_from(sorted(leaves(applied.fields))))
    left = without(applied.fields, taken)
    metadata = {
        "managedFields": [_entry("us", left, "Apply"), _entry("rival", dict(applied.fields)), _entry("else", {})]
    }
    lost, took = who_took(applied.value, metadata, "us")
    assert lost
    assert took == ["rival"]


def test_an_annotation_is_owned_or_not() -> None:
    fields = b'{"f:metadata":{"f:annotations":{"f:a/b":{}}}}'
    assert owns_annotation(fields, "a/b")
    assert not owns_annotation(fields, "a/c")
    assert not owns_annotation(b'{"f:metadata":{"f:labels":{}}}', "a/b")
    assert not owns_annotation(b"{}", "a/b")
