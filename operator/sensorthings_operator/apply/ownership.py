"""Which fields of ours still stand, read from an object's ``managedFields`` alone.

Live objects are defaulted and canonicalised, so values are never compared: the API server takes a field out of our
entry when somebody else changes or removes it, and that is how drift is seen. Used by the children and the watches.
"""

import functools
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

import orjson

_IDENTITY: Final = {"apiVersion", "kind"}
_METADATA_IDENTITY: Final = {"name", "namespace", "uid", "resourceVersion", "ownerReferences"}
"""The owner is compared by its uid, not by its field."""

_FIELD_SETS: Final = 1024
"""How many distinct field sets are kept ready."""

FieldSet = Mapping[str, Any]
"""``fieldsV1``: keys are ``f:<name>``, ``k:<key fields as JSON>``, ``v:<value>`` and ``.`` for the thing itself."""


def applied_fields(metadata: Mapping[str, Any], field_manager: str) -> FieldSet | None:
    """What a field manager owns by server-side apply, without subresources; None where it owns nothing."""
    for entry in metadata.get("managedFields", ()):
        if entry["manager"] == field_manager and entry["operation"] == "Apply" and not entry.get("subresource"):
            fields: FieldSet = entry.get("fieldsV1", {})
            return fields
    return None


def without_updates(metadata: Mapping[str, Any], field_manager: str) -> list[Mapping[str, Any]]:
    """The ``managedFields`` without what a field manager owns other than by server-side apply or as a subresource."""
    return [
        entry
        for entry in metadata.get("managedFields", ())
        if entry["manager"] != field_manager or entry["operation"] == "Apply" or entry.get("subresource")
    ]


def who_took(
    manifest: Mapping[str, Any], metadata: Mapping[str, Any], field_manager: str
) -> tuple[list[str], list[str]]:
    """Paths of the manifest that a field manager does not own any more, and the field managers that own them now."""
    lost = lost_fields(manifest, applied_fields(metadata, field_manager) or {})
    entries = [entry for entry in metadata.get("managedFields", ()) if entry["manager"] != field_manager]
    took = {e["manager"] for e in entries if _owns_any(lost, lost_fields(manifest, e.get("fieldsV1", {})))}
    return lost, sorted(took)


def _owns_any(paths: Sequence[str], not_owned: Sequence[str]) -> bool:
    """Whether one of some paths is owned; a path that is not stands for all that lies within it."""
    return any(not any(_lies_within(path, other) for other in not_owned) for path in paths)


def _lies_within(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))


def owns_annotation(fields: bytes, name: str) -> bool:
    """Whether an annotation is ours by our entry of ``managedFields`` as JSON."""
    metadata = _owned_by_json(fields).members.get("metadata")
    annotations = None if metadata is None else metadata.members.get("annotations")
    return annotations is not None and name in annotations.members


def lost_fields(manifest: Mapping[str, Any], fields: FieldSet) -> list[str]:
    """Paths of the manifest that are not ours any more, such as ``spec.replicas``; empty where all of them stand."""
    return _lost_of_manifest(manifest, _owned(fields))


def stands(manifest: Mapping[str, Any], fields: bytes) -> bool:
    """Whether all fields of a manifest are ours by our entry of ``managedFields`` as JSON."""
    owned = _owned_by_json(fields)
    for name, value in manifest.items():
        if name not in _IDENTITY and not _stands_below(name, _described(name, value), owned):
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Owned:
    """A field set, made ready for looking up what a manifest holds."""

    members: Mapping[str, "_Owned"]
    items: Mapping[tuple[str, ...], Mapping[tuple[Any, ...], "_Owned"]]
    """Of a list of maps: by the names of its key fields, and then by their values."""
    values: Set[bytes]
    """Of a list that is a set: its members as JSON."""
    is_whole: bool
    """A scalar, an atomic list or map, or an empty one: owned as a whole."""


@functools.lru_cache(maxsize=_FIELD_SETS)
def _owned_by_json(fields: bytes) -> _Owned:
    """Field sets hardly differ between services: nearly every child has one that was seen before."""
    return _owned(orjson.loads(fields))


def _owned(fields: FieldSet) -> _Owned:
    members: dict[str, _Owned] = {}
    items: dict[tuple[str, ...], dict[tuple[Any, ...], _Owned]] = {}
    values = set()
    for field, below in fields.items():
        kind, _, name = field.partition(":")
        if kind == "f":
            members[name] = _owned(below)
        elif kind == "k":
            keys = orjson.loads(name)
            items.setdefault(tuple(keys), {})[tuple(keys.values())] = _owned(below)
        elif kind == "v":
            values.add(orjson.dumps(orjson.loads(name)))
    return _Owned(members, items, values, is_whole=not (members or items or values))


def _lost_of_manifest(manifest: Mapping[str, Any], owned: _Owned) -> list[str]:
    lost = []
    for name, value in manifest.items():
        if name not in _IDENTITY:
            lost += _lost_member(name, _described(name, value), owned, name)
    return lost


def _described(name: str, value: Any) -> Any:
    """A field of a manifest, but for what tells which object it is."""
    if name != "metadata":
        return value
    return {key: member for key, member in value.items() if key not in _METADATA_IDENTITY} or []


def _lost_member(name: str, value: Any, owned: _Owned, path: str) -> list[str]:
    member = owned.members.get(name)
    if member is not None:
        return _lost(value, member, path)
    # An empty map is owned like a value, an empty list is not tracked.
    return [] if value == [] else [path]


def _lost(value: Any, owned: _Owned, path: str) -> list[str]:
    if not isinstance(value, (dict, list)) or owned.is_whole:
        return []
    lost = []
    if isinstance(value, dict):
        for name, member in value.items():
            lost += _lost_member(name, member, owned, f"{path}.{name}")
    else:
        for index, item in enumerate(value):
            lost += _lost_item(item, owned, f"{path}[{index}]")
    return lost


def _stands(value: Any, owned: _Owned) -> bool:
    """Whether nothing is lost: for every child of every service at a start, so without the paths and much faster."""
    if owned.is_whole:
        return True
    if isinstance(value, dict):
        for name, member in value.items():
            if not _stands_below(name, member, owned):
                return False
    elif isinstance(value, list):
        for item in value:
            if not _item_stands(item, owned):
                return False
    return True


def _stands_below(name: str, value: Any, owned: _Owned) -> bool:
    below = owned.members.get(name)
    return value == [] if below is None else _stands(value, below)


def _item_stands(item: Any, owned: _Owned) -> bool:
    if not isinstance(item, dict):
        return orjson.dumps(item) in owned.values
    for names, by_values in owned.items.items():
        found = by_values.get(tuple([item.get(name) for name in names]))
        if found is not None:
            return _stands(item, found)
    return False


def _lost_item(item: Any, owned: _Owned, path: str) -> list[str]:
    if not isinstance(item, dict):
        return [] if orjson.dumps(item) in owned.values else [path]
    for names, by_values in owned.items.items():
        found = by_values.get(tuple(item.get(name) for name in names))
        if found is not None:
            return _lost(item, found, path)
    return [path]
