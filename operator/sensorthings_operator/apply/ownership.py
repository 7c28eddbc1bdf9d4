"""Which fields of ours still stand, read from an object's ``managedFields`` alone.

Live objects are defaulted and canonicalised, so values are never compared: the API server takes a field out of our
entry when somebody else changes or removes it, and that is how drift is seen. Used by the children and the watches.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

_IDENTITY: Final = {"apiVersion", "kind"}
_METADATA_IDENTITY: Final = {"name", "namespace", "uid", "resourceVersion", "ownerReferences"}
"""The owner is compared by its uid, not by its field."""

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
    took = {e["manager"] for e in entries if set(lost) - set(lost_fields(manifest, e.get("fieldsV1", {})))}
    return lost, sorted(took)


def lost_fields(manifest: Mapping[str, Any], fields: FieldSet) -> list[str]:
    """Paths of the manifest that are not ours any more, such as ``spec.replicas``; empty where all of them stand."""
    top = {key: value for key, value in manifest.items() if key not in _IDENTITY}
    described = {k: v for k, v in top.pop("metadata", {}).items() if k not in _METADATA_IDENTITY}
    return _lost_in_map({**top, "metadata": described} if described else top, fields, "")


def _lost(value: Any, fields: FieldSet, path: str) -> list[str]:
    members = {key for key in fields if key != "."}
    if not members:
        # A scalar, an atomic list or map, or an empty one: owned as a whole.
        return []
    if isinstance(value, Mapping):
        return _lost_in_map(value, fields, path)
    if isinstance(value, list):
        return _lost_in_list(value, fields, path)
    return []


def _lost_in_map(value: Mapping[str, Any], fields: FieldSet, path: str) -> list[str]:
    lost = []
    for name, member in value.items():
        member_path = f"{path}.{name}" if path else name
        owned = fields.get(f"f:{name}")
        if owned is not None:
            lost += _lost(member, owned, member_path)
        elif member != []:
            # An empty map is owned like a value, an empty list is not tracked.
            lost.append(member_path)
    return lost


def _lost_in_list(value: list[Any], fields: FieldSet, path: str) -> list[str]:
    keyed = [(orjson.loads(key[2:]), owned) for key, owned in fields.items() if key.startswith("k:")]
    values = {orjson.dumps(orjson.loads(key[2:])) for key in fields if key.startswith("v:")}
    lost = []
    for index, item in enumerate(value):
        item_path = f"{path}[{index}]"
        if isinstance(item, Mapping):
            owned = next((owned for key, owned in keyed if key.items() <= item.items()), None)
            lost += [item_path] if owned is None else _lost(item, owned, item_path)
        elif orjson.dumps(item) not in values:
            lost.append(item_path)
    return lost
