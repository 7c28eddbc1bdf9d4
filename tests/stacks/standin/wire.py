"""Values as they go over Pulumi's wire: secrets, unknown values and references within plain JSON."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import struct_pb2

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
"""Key by which a special value is told from a map. This and the next are Pulumi's own constants."""
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
REFERENCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for text that is not known yet."""


def secret(value: Any) -> dict[str, Any]:
    """A value, marked as secret."""
    return {SIGNATURE: SECRET, "value": value}


def is_secret(value: Any) -> bool:
    """Whether a value is marked as secret."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def normal(value: Any) -> Any:
    """A value with secrets and unknown values in one form each, references as ids, and whole numbers."""
    if isinstance(value, dict):
        match value.get(SIGNATURE):
            case signature if signature == SECRET:
                return secret(opened(normal(value["value"])))
            case signature if signature == OUTPUT:
                inner = normal(value["value"]) if "value" in value else UNKNOWN
                return secret(opened(inner)) if value.get("secret") else inner
            case signature if signature == REFERENCE:
                return value.get("id") or value["urn"]
        return {key: normal(member) for key, member in value.items()}
    if isinstance(value, list):
        return [normal(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def opened(value: Any) -> Any:
    """A value with its secrets laid open."""
    if is_secret(value):
        return opened(value["value"])
    if isinstance(value, dict):
        return {key: opened(member) for key, member in value.items()}
    return [opened(member) for member in value] if isinstance(value, list) else value


def sealed(value: Any, like: Any) -> Any:
    """A value with secrets where another one has them: what a cloud answers to a question that held some."""
    if is_secret(like):
        return secret(opened(value))
    if isinstance(value, dict) and isinstance(like, dict):
        return {key: sealed(member, like.get(key)) for key, member in value.items()}
    if isinstance(value, list) and isinstance(like, list) and len(value) == len(like):
        return [sealed(member, other) for member, other in zip(value, like, strict=True)]
    return value


def has_unknown(value: Any) -> bool:
    """Whether something of a value is not known yet."""
    if isinstance(value, dict):
        return any(map(has_unknown, value.values()))
    if isinstance(value, list):
        return any(map(has_unknown, value))
    return bool(value == UNKNOWN)


def struct(value: dict[str, Any]) -> struct_pb2.Struct:
    """The message of an object."""
    message = struct_pb2.Struct()
    message.update(value)
    return message


def at(value: Any, path: str) -> Any:
    """A member by its path, such as ``agentPoolProfiles[0].count``; None where something on the way is not there."""
    for part in path.replace("[", ".").replace("]", "").split("."):
        value = opened(value) if is_secret(value) else value
        if isinstance(value, list):
            value = value[int(part)] if part.isdigit() and int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value


def put(value: Any, path: str, member: Any) -> None:
    """Set a member by its path, where the way to it is there. A secret on the way is gone through."""
    *way, last = path.replace("[", ".").replace("]", "").split(".")
    for part in way:
        value = value["value"] if is_secret(value) else value
        value = value[int(part)] if isinstance(value, list) else value.get(part)
        if value is None:
            return
    value = value["value"] if is_secret(value) else value
    if isinstance(value, list):
        value[int(last)] = member
    elif isinstance(value, dict) and last in value:
        value[last] = member
