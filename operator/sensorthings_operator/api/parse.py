"""From an object of the API to its type, with problems that a person can act on.

The reconcile ignores unknown fields: the API server has pruned what the installed CRD does not know, and a newer CRD
may know more than this operator. The command line refuses them, so that a typing error is told. Types are read as
strictly as the API server reads them.
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sensorthings_operator.api import crd
from sensorthings_operator.api.allowed import allowed
from sensorthings_operator.api.base import Model
from sensorthings_operator.api.connector import Connector
from sensorthings_operator.api.sensorthingsservice import SensorThingsService

UnknownFields = Literal["ignore", "refuse"]
_Resource = TypeVar("_Resource", bound=Model)

_CLIP: Final = 80  # characters of a value that is quoted
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONFIDENTIAL: Final = frozenset({"settings", "value", "args", "command"})
"""Fields below which people may have written a password: only the type of their values is quoted."""
_IDENTITY: Final = frozenset({"apiVersion", "kind", "metadata"})
"""Fields of every object of Kubernetes, which the types leave to it."""


@dataclass(frozen=True)
class Problem:
    """Something wrong with a manifest."""

    path: str
    """Where, such as ``spec.database.external.replicas[0].port``; empty for the object as a whole."""
    given: str | None
    """What is there, clipped; None where nothing is there, or where it is not to be repeated."""
    message: str
    """What is wrong and what is allowed."""

    def __str__(self) -> str:
        given = f" (given: {self.given})" if self.given is not None else ""
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.message}{given}"


class InvalidSpec(ValueError):  # noqa: N818 - the word of the field, as in a condition's reason
    """An object that is not what its type asks for."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def member_path(path: str, *members: str | int) -> str:
    """The path of a member: ``.name`` for a field, ``[…]`` for an index or for a key that is no identifier."""
    for member in members:
        if isinstance(member, int) or not _IDENTIFIER.fullmatch(member):
            path = f"{path}[{member}]"
        else:
            path = f"{path}.{member}" if path else member
    return path


def quoted(value: object) -> str:
    """A value as it stands in a message: short, and no more than its type where it is composed."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _CLIP else f"{text[:_CLIP]}…"


def parse_service(obj: Mapping[str, Any], *, unknown_fields: UnknownFields) -> SensorThingsService:
    """Read a SensorThingsService.

    Defaults apply. CEL rules are not looked at: the API server has, and the command line does it in ``cli.validate``.

    Raises:
        InvalidSpec: Something is missing, of the wrong type, not allowed, or (with ``refuse``) unknown.
    """
    return _parse(SensorThingsService, crd.SERVICE, obj, unknown_fields)


def parse_connector(obj: Mapping[str, Any], *, unknown_fields: UnknownFields) -> Connector:
    """Read a Connector; as ``parse_service``."""
    return _parse(Connector, crd.CONNECTOR, obj, unknown_fields)


def _parse(
    model: type[_Resource], resource: crd.Resource, obj: Mapping[str, Any], unknown_fields: UnknownFields
) -> _Resource:
    fields = {key: value for key, value in obj.items() if key not in _IDENTITY}
    extra: Literal["ignore", "forbid"] = "ignore" if unknown_fields == "ignore" else "forbid"
    try:
        return model.model_validate(fields, strict=True, extra=extra, by_alias=True, by_name=False)
    except ValidationError as error:
        # Only what is wrong is held against the schema: it takes a fraction of a second to make, once.
        schema = crd.schema(resource)
        raise InvalidSpec(tuple(_problem(each, schema) for each in error.errors(include_url=False))) from None


def _problem(error: ErrorDetails, schema: Mapping[str, Any]) -> Problem:
    location = tuple(part for part in error["loc"] if part != "[key]")
    nodes = list(_nodes(schema, location))
    path = member_path("", *location)
    match error["type"]:
        case "extra_forbidden":
            return Problem(path, None, _unknown(str(location[-1]), nodes[-2]))
        case "missing":
            description = nodes[-1].get("description", "").rstrip(".")
            return Problem(path, None, f"is required: {allowed(nodes[-1])} ({description})")
        case "invalid_key":
            return Problem(path, None, "is not the name of a field: names are text")
        case _:
            return Problem(path, _given(error["input"], location), f"must be {allowed(nodes[-1])}")


def _nodes(schema: Mapping[str, Any], location: tuple[str | int, ...]) -> Iterator[Mapping[str, Any]]:
    """The schema of the root, of each member on the way, and of the location itself."""
    yield schema
    for part in location:
        if isinstance(part, int):
            schema = schema.get("items", {})
        else:
            schema = schema.get("properties", {}).get(part) or schema.get("additionalProperties", {})
        yield schema


def _given(value: object, location: tuple[str | int, ...]) -> str:
    if _CONFIDENTIAL.isdisjoint(location):
        return quoted(value)
    types = {str: "text", bool: "true or false", int: "a number", float: "a number", type(None): "null"}
    return types.get(type(value), "an object" if isinstance(value, Mapping) else "something else")


def _unknown(name: str, parent: Mapping[str, Any]) -> str:
    known = [key for key in parent.get("properties", {}) if key not in _IDENTITY]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"is not a field: {hint}fields here are {', '.join(known)}"
