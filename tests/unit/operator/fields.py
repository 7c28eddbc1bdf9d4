"""Manifests and the ``fieldsV1`` that the API server keeps for who applied them, built side by side.

Lists are atomic, sets or maps by key, as a schema of Kubernetes would say; tests choose.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class Applied:
    """A value and the fields that are owned after it was applied."""

    value: Any
    fields: dict[str, Any]


_NAMES = st.text("abcdefgh./-", min_size=1, max_size=6)
_SCALARS = st.one_of(st.text(max_size=5), st.integers(-5, 5), st.booleans()).map(lambda value: Applied(value, {}))
_ATOMIC = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(lambda value: Applied(value, {}))
_EMPTY = st.just(Applied({}, {}))
_SETS = st.lists(st.text(max_size=4), min_size=1, max_size=4, unique=True).map(
    lambda items: Applied(items, {f"v:{json.dumps(item)}": {} for item in items})
)


def _maps(values: st.SearchStrategy[Applied]) -> st.SearchStrategy[Applied]:
    return st.dictionaries(_NAMES, values, min_size=1, max_size=4).map(_map)


def _map(members: dict[str, Applied]) -> Applied:
    return Applied(
        {name: member.value for name, member in members.items()},
        {f"f:{name}": member.fields for name, member in members.items()},
    )


def _keyed(values: st.SearchStrategy[Applied]) -> st.SearchStrategy[Applied]:
    """A list whose items are told apart by ``name`` and ``port``, as those of a Service."""
    items = st.dictionaries(
        st.tuples(_NAMES, st.integers(1, 9)), st.dictionaries(_NAMES, values, max_size=3), min_size=1, max_size=3
    )
    return items.map(_list)


def _list(items: dict[tuple[str, int], dict[str, Applied]]) -> Applied:
    made, fields = [], {}
    for (name, port), members in items.items():
        identity = {"name": name, "port": port}
        rest = {key: member for key, member in members.items() if key not in identity}
        whole = _map({**{key: Applied(value, {}) for key, value in identity.items()}, **rest})
        made.append(whole.value)
        fields[f"k:{json.dumps(identity)}"] = {".": {}, **whole.fields}
    return Applied(made, fields)


_VALUES = st.recursive(
    _SCALARS | _ATOMIC | _SETS | _EMPTY, lambda values: _maps(values) | _keyed(values), max_leaves=12
)
MANIFESTS = (
    st.dictionaries(st.sampled_from(["spec", "data", "type", "rules"]), _VALUES, min_size=1)
    .map(_map)
    .filter(lambda applied: any(leaves(applied.fields)))
)


def leaves(fields: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of what has nothing owned below it, but for what identifies an item."""
    for key, below in fields.items():
        if key == ".":
            continue
        if any(member != "." for member in below):
            yield from leaves(below, (*path, key))
        elif not (path and path[-1].startswith("k:") and key in ("f:name", "f:port")):
            yield (*path, key)


def without(fields: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The fields after somebody else took one: what is left empty goes too."""
    key, *rest = path
    copy = dict(fields)
    if rest:
        below = without(copy[key], tuple(rest))
        if below:
            copy[key] = below
        else:
            del copy[key]
    else:
        del copy[key]
    return copy
