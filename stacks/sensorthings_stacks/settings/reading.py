"""Reads a layer's settings from values as Pulumi keeps them: text, JSON where it is no string.

Problems name the key, what stands there and what is allowed, all at once. Used by the programs, by way of
``configuration``, and by ``sensorthings city``, which has none of Pulumi's packages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from sensorthings_operator.api.allowed import allowed
from sensorthings_operator.api.parse import member_path, quoted
from sensorthings_stacks.settings.base import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pydantic_core import ErrorDetails

    Schema = Mapping[str, Any]

_Layer = TypeVar("_Layer", bound=Settings)
_FORMATS: Final = {
    "ipv4network": "an IPv4 range in CIDR notation whose host bits are zero, such as 10.20.0.0/16",
    "uuid": "a UUID, such as 01234567-89ab-cdef-0123-456789abcdef",
}


@dataclass(frozen=True)
class Problem:
    """Something wrong with the configuration."""

    path: str
    """Where, such as ``userPool.minNodes``."""
    given: str | None
    """What stands there; None where nothing does, or where it is a secret."""
    message: str
    """What is wrong and what is allowed."""
    missing_secret: bool = False
    """Whether all that is wrong is that a secret is not there yet."""

    def __str__(self) -> str:
        given = f" (given: {self.given})" if self.given is not None else ""
        return f"{self.path}: {self.message}{given}"


class ConfigurationError(Exception):
    """A configuration that is not what the layer asks for."""

    def __init__(self, problems: Sequence[Problem], remedy: str) -> None:
        lines = (f"  {problem}" for problem in problems)
        super().__init__("\n".join(["The configuration of this stack can't be used:", *lines, remedy]))
        self.problems = tuple(problems)


def parse(layer: type[_Layer], value_of: Callable[[str], str | None], remedy: str = "") -> _Layer:
    """Settings from values as Pulumi keeps them.

    Args:
        layer: The settings to read.
        value_of: The value of a key, or None.
        remedy: Told where something is wrong: where people change it.

    Raises:
        ConfigurationError: Something is missing, unknown, of the wrong type or not allowed.
    """
    schema = _schema(layer)
    values: dict[str, Any] = {}
    broken: list[Problem] = []
    for key, member in schema["properties"].items():
        text, node = value_of(key), _resolved(member, schema)
        if text is None:
            continue
        try:
            values[key] = text if node.get("type") == "string" else json.loads(text)
        except ValueError:
            broken.append(
                Problem(key, None if _holds_secret(node, schema) else quoted(text), f"must be {_words(node)}")
            )
    if broken:
        raise ConfigurationError(broken, remedy)
    try:
        return layer.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise ConfigurationError([_problem(each, schema) for each in details], remedy) from None


@cache
def _schema(layer: type[Settings]) -> Schema:
    return layer.model_json_schema(by_alias=True)


def _resolved(node: Schema, root: Schema) -> Schema:
    """A node with what it refers to; of a key that may be left out, what it is where it is there."""
    if "anyOf" in node:
        (present,) = (each for each in node["anyOf"] if each.get("type") != "null")
        return {**_resolved(present, root), **{key: value for key, value in node.items() if key != "anyOf"}}
    if "$ref" in node:
        return {**root["$defs"][node["$ref"].removeprefix("#/$defs/")], **node}
    return node


def _holds_secret(node: Schema, root: Schema) -> bool:
    if node.get("format") == "password":
        return True
    inner = [*node.get("properties", {}).values(), *([node["items"]] if "items" in node else [])]
    return any(_holds_secret(_resolved(member, root), root) for member in inner)


def _member(node: Schema, part: str | int, root: Schema) -> Schema:
    inner = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
    return _resolved(inner, root)


def _words(node: Schema) -> str:
    if node.get("type") == "object":
        return f"an object with the keys {', '.join(node['properties'])}" if "properties" in node else "an object"
    return _FORMATS.get(node.get("format", "")) or allowed(node)


def _problem(error: ErrorDetails, root: Schema) -> Problem:
    nodes = [root]
    for part in error["loc"]:
        nodes.append(_member(nodes[-1], part, root))
    path, node = member_path(error.get("ctx", {}).get("key", ""), *error["loc"]), nodes[-1]
    given = None if _holds_secret(node, root) else quoted(error["input"])
    match error["type"]:
        case "missing":
            told = f"is required: {_words(node)}. {_meaning(node)}{_how(node, root, path)}"
            return Problem(path, None, told, missing_secret=_holds_secret(node, root))
        case "extra_forbidden":
            return Problem(path, None, f"is not a key: keys here are {', '.join(nodes[-2].get('properties', {}))}")
        case "misplaced":
            return Problem(path, None, error["msg"])
        case "value_error":
            return Problem(path, given, error["msg"].removeprefix("Value error, "))
        case _:
            return Problem(path, given, f"must be {_words(node)}")


def _meaning(node: Schema) -> str:
    return " ".join(node.get("description", "").split())


def _how(node: Schema, root: Schema, path: str) -> str:
    return f" Set it by `pulumi config set --secret --path {path}`" if _holds_secret(node, root) else ""


def keys(layer: type[Settings]) -> dict[str, str]:
    """The keys of a layer, each with the type that JSON Schema has for it."""
    schema = _schema(layer)
    return {key: str(_resolved(member, schema).get("type")) for key, member in schema["properties"].items()}


def empty(layer: type[Settings], path: str) -> dict[str, Any] | str:
    """What stands in for a secret that is not there yet, or for an object that holds one."""
    schema = _schema(layer)
    node = schema
    for part in path.split("."):
        node = _member(node, part, schema)
    return {} if node.get("type") == "object" else "a stand-in for the secret"
