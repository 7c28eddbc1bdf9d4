"""Objects that a schema allows (its CEL rules aside), drawn from the same schemas as the CRDs."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from sensorthings_operator.api import crd

_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)


def specs(resource: crd.Resource) -> st.SearchStrategy[dict[str, Any]]:
    """Values of ``spec``."""
    return _objects(crd.schema(resource)["properties"]["spec"])


def values(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema allows."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(0, 2**40) | st.from_regex(schema["pattern"], fullmatch=True).filter(_fits(schema))
    kinds = {
        "boolean": _booleans,
        "integer": _integers,
        "number": _numbers,
        "string": _strings,
        "array": _lists,
        "object": _objects,
    }
    return kinds[schema["type"]](schema)


def _booleans(_: Mapping[str, Any]) -> st.SearchStrategy[bool]:
    return st.booleans()


def _integers(schema: Mapping[str, Any]) -> st.SearchStrategy[int]:
    return st.integers(schema.get("minimum"), schema.get("maximum"))


def _numbers(schema: Mapping[str, Any]) -> st.SearchStrategy[float]:
    return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False)


def _strings(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True).filter(_fits(schema))
    return _TEXT.filter(_fits(schema))


def _fits(schema: Mapping[str, Any]) -> Any:
    return lambda text: schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text))


def _lists(schema: Mapping[str, Any]) -> st.SearchStrategy[list[Any]]:
    keys = schema.get("x-kubernetes-list-map-keys")
    unique = (lambda item: tuple(item[key] for key in keys)) if keys else repr
    return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=3, unique_by=unique)


def _objects(schema: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if "additionalProperties" in schema:
        return st.dictionaries(_TEXT, values(schema["additionalProperties"]), max_size=3)
    required = set(schema.get("required", ()))
    drawn = {name: values(member) for name, member in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: strategy for name, strategy in drawn.items() if name in required},
        optional={name: strategy for name, strategy in drawn.items() if name not in required},
    )
