"""What the API server would say of a manifest, without one: defaults, types, and the CEL rules of the CRDs' schemas.

Called by ``sensorthings render`` and by tests. The rules are those of ``x-kubernetes-validations``, evaluated by
the CEL project's own runtime; nothing is written twice. Rules on changes
(``oldSelf``) have no meaning for a single manifest.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cel_expr_python import cel  # type: ignore[import-untyped]
from cel_expr_python.ext import ext_strings  # type: ignore[import-untyped]

from sensorthings_operator.api import crd
from sensorthings_operator.api.base import API_VERSION
from sensorthings_operator.api.connector import KIND as CONNECTOR
from sensorthings_operator.api.parse import (
    InvalidSpec,
    Problem,
    member_path,
    parse_connector,
    parse_service,
    quoted,
)
from sensorthings_operator.api.sensorthingsservice import KIND as SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sensorthings_operator.api.connector import Connector
    from sensorthings_operator.api.sensorthingsservice import SensorThingsService

_PARSERS: Final[Mapping[str, Callable[..., SensorThingsService | Connector]]] = {
    SERVICE: parse_service,
    CONNECTOR: parse_connector,
}
_RESOURCES: Final = {resource.kind: resource for resource in crd.RESOURCES}


def is_ours(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest is of a kind that this project defines, in whatever version."""
    group = str(manifest.get("apiVersion", "")).partition("/")[0]
    return group == API_VERSION.partition("/")[0]


def validated(manifest: Mapping[str, Any]) -> SensorThingsService | Connector:
    """The typed object of a manifest, with defaults applied.

    Raises:
        InvalidSpec: The API server would refuse the manifest, or it has unknown fields.
    """
    kind, version = manifest.get("kind"), manifest.get("apiVersion")
    if kind not in _RESOURCES or version != API_VERSION:
        path, given, known = (
            ("apiVersion", version, [API_VERSION]) if kind in _RESOURCES else ("kind", kind, _RESOURCES)
        )
        raise InvalidSpec((Problem(path, quoted(given), f"must be one of {', '.join(known)}"),))
    schema = crd.schema(_RESOURCES[kind])
    complete = apply_defaults(schema, manifest)
    unnamed = _unnamed(complete)
    try:
        parsed = _PARSERS[kind](complete, unknown_fields="refuse")
    except InvalidSpec as error:
        raise InvalidSpec((*unnamed, *error.problems)) from None
    problems = unnamed or tuple(violations(schema, complete))
    if problems:
        raise InvalidSpec(problems)
    return parsed


def _unnamed(manifest: Mapping[str, Any]) -> tuple[Problem, ...]:
    metadata = manifest.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("name"), str):
        return ()
    return (Problem("metadata.name", None, "is required: text"),)


def apply_defaults(schema: Mapping[str, Any], value: Any) -> Any:
    """A copy with the schema's defaults, as the API server applies them: null stands for a field that is absent."""
    if isinstance(value, list):
        return [apply_defaults(schema.get("items", {}), item) for item in value]
    if not isinstance(value, dict):
        return value
    members, others = schema.get("properties", {}), schema.get("additionalProperties")
    complete = {
        key: apply_defaults(members.get(key, others or {}), member)
        for key, member in value.items()
        if member is not None or not (key in members or others)
    }
    for key, member in members.items():
        if "default" in member and key not in complete:
            complete[key] = apply_defaults(member, deepcopy(member["default"]))
    return complete


def violations(schema: Mapping[str, Any], value: Any, path: str = "") -> Iterator[Problem]:
    """Where a value breaks the rules, sets and list-maps of its schema. Its types must be those of the schema."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" not in rule["rule"]:
            yield from _broken(rule, value, path)
    yield from _duplicates(schema, value, path)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from violations(schema.get("items", {}), item, member_path(path, index))
    elif isinstance(value, dict):
        members, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        for key, member in value.items():
            yield from violations(members.get(key, others), member, member_path(path, key))


def _duplicates(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[Problem]:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in {"map", "set"}:
        return
    keys: Sequence[str] = schema.get("x-kubernetes-list-map-keys", ())
    seen: list[object] = []
    for index, item in enumerate(value):
        identity = {key: item.get(key) for key in keys} if kind == "map" else item
        if identity in seen:
            allowed = f"each {' and '.join(keys)} may stand in the list once" if keys else "may stand in the list once"
            yield Problem(member_path(path, index), quoted(item), f"stands in the list already: {allowed}")
        seen.append(identity)


@cache
def _environment() -> cel.Env:
    return cel.NewEnv(variables={"self": cel.Type.DYN}, extensions=[ext_strings.ExtStrings()])


@cache
def _compiled(expression: str) -> cel.Expression:
    return _environment().compile(expression)


def _evaluated(expression: str, value: Any) -> Any:
    """The result of an expression over ``self``. Raises ArithmeticError where the expression has none."""
    result = _compiled(expression).eval(data={"self": value})
    if result.type() == cel.Type.ERROR:
        raise ArithmeticError(result.value())
    return result.plain_value()


def _broken(rule: Mapping[str, str], value: Any, path: str) -> Iterator[Problem]:
    try:
        if _evaluated(rule["rule"], value):
            return
    except ArithmeticError as error:
        yield Problem(path, None, f"{rule['message']} (the rule could not be evaluated: {error})")
        return
    members = rule.get("fieldPath", "").removeprefix(".").split(".") if "fieldPath" in rule else []
    yield Problem(member_path(path, *members), _given(value, members), _message(rule, value))


def _given(value: Any, members: Sequence[str]) -> str | None:
    """The value that a rule's fieldPath leads to; None where there is none, and where the rule is of a whole object."""
    for member in members:
        if not isinstance(value, dict) or member not in value:
            return None
        value = value[member]
    return quoted(value) if members else None


def _message(rule: Mapping[str, str], value: Any) -> str:
    if "messageExpression" not in rule:
        return rule["message"]
    try:
        return str(_evaluated(rule["messageExpression"], value))
    except ArithmeticError:
        return rule["message"]
