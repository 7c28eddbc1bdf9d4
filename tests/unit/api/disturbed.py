"""Manifests with mistakes at random places: what people type, and what nobody would think of."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from sensorthings_operator.api import crd
from tests.unit.api.examples import CONNECTOR, SERVICE, SMALL_SERVICE, patched
from tests.unit.api.strategies import specs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.api.examples import Manifest

_WRONG: Final[list[Any]] = [
    *(None, True, -1, 0, 1, 65536, 2**31, 2**63 - 1, 1.5, "", " ", "A b", "no", "-", "a..b", "10", "1Gi", "0.5"),
    *("x" * 300, "${x}", "ä", "\n", [], [[]], [None], {}, {"": ""}, {"name": 1}, {"type": "None"}, [{"host": "a"}]),
]
_CHOICES: Final[list[dict[str, Any]]] = [
    {"paused": True},
    {"hibernated": True},
    {"deletionPolicy": "Orphan"},
    {"http": {"settings": {"defaultTop": "50"}}},
    {"http": {"replicas": 3}},
    {"bus": {"type": "External", "external": {"host": "bus.city.example"}}},
    {"bus": {"mosquitto": {"storage": {"size": "2Gi"}}}},
    {"monitoring": {"podMonitor": True}},
    {"imagePullSecrets": [{"name": "registry"}, {"name": "other"}]},
    {"mqtt": {"resources": {"requests": {"cpu": "250m", "memory": "1Gi"}}}},
]
_REMOVED: Final = "(removed)"
_ADDED: Final = "(added)"


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from _paths(member, (*path, name))


@st.composite
def _mistaken(draw: st.DrawFn, spec: Any) -> Any:
    """A spec with up to three changes that are mistakes as a rule."""
    wrong = deepcopy(spec)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(_paths(wrong))))
        if not path:
            continue
        owner = wrong
        for name in path[:-1]:
            owner = owner[name]
        value = draw(st.sampled_from([*_WRONG, _REMOVED, _ADDED]))
        if value is _REMOVED:
            del owner[path[-1]]
        elif value is _ADDED and isinstance(owner, dict):
            owner["unheardOf"] = 1
        else:
            owner[path[-1]] = deepcopy(value)
    return wrong


@st.composite
def _varied(draw: st.DrawFn) -> Manifest:
    """A right service: one of the examples with choices that anybody may make."""
    manifest = draw(st.sampled_from([SERVICE, SMALL_SERVICE]))
    for choice in draw(st.lists(st.sampled_from(_CHOICES), max_size=4)):
        manifest = patched(manifest, {"spec": choice})
    varied: Manifest = patched(manifest, {"spec": {"mqtt": {"replicas": draw(st.integers(0, 500))}}})
    return varied


def manifests() -> st.SearchStrategy[Manifest]:
    """Services and connectors, right and wrong ones."""
    whole = _varied() | st.just(CONNECTOR)
    drawn = specs(crd.SERVICE).map(lambda spec: {**SMALL_SERVICE, "spec": spec})
    wrong = (whole | drawn).flatmap(
        lambda manifest: _mistaken(manifest["spec"]).map(lambda spec: {**manifest, "spec": spec})
    )
    return _varied() | wrong
