"""Reading objects: what is allowed is read as it stands, what is not is told with its path."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorthings_operator.api import crd
from sensorthings_operator.api.parse import InvalidSpec, Problem, member_path, parse_connector, parse_service
from sensorthings_operator.cli.validate import apply_defaults
from tests.unit.api.examples import CONNECTOR, SERVICE, SMALL_SERVICE, Manifest, patched
from tests.unit.api.strategies import specs


def problems(manifest: Manifest, *, unknown_fields: Any = "refuse") -> tuple[Problem, ...]:
    with pytest.raises(InvalidSpec) as refused:
        parse_service(manifest, unknown_fields=unknown_fields)
    return refused.value.problems


# Whole manifests take longer to draw than hypothesis grants on a machine that compiles something else meanwhile.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(specs(crd.SERVICE))
def test_a_service_that_the_schema_allows_is_read_and_comes_back(spec: dict[str, Any]) -> None:
    service = parse_service({"spec": spec}, unknown_fields="refuse")
    written = service.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert parse_service(written, unknown_fields="refuse") == service


@unhurried
@given(specs(crd.SERVICE))
def test_the_defaults_of_the_schema_are_those_of_the_types(spec: dict[str, Any]) -> None:
    complete = apply_defaults(crd.schema(crd.SERVICE), {"spec": spec})
    assert parse_service(complete, unknown_fields="refuse") == parse_service({"spec": spec}, unknown_fields="refuse")
    assert apply_defaults(crd.schema(crd.SERVICE), complete) == complete


@unhurried
@given(specs(crd.CONNECTOR))
def test_a_connector_that_the_schema_allows_is_read_and_comes_back(spec: dict[str, Any]) -> None:
    connector = parse_connector({"spec": spec}, unknown_fields="refuse")
    written = connector.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert parse_connector(written, unknown_fields="refuse") == connector
    complete = apply_defaults(crd.schema(crd.CONNECTOR), {"spec": spec})
    assert parse_connector(complete, unknown_fields="refuse") == connector


Keys = tuple[str | int, ...]


def _places(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every member below a value, with the keys that lead to it."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield (*keys, key), member
        yield from _places(member, (*keys, key))


def _set(manifest: Manifest, keys: Keys, value: object) -> Manifest:
    changed = deepcopy(manifest)
    target: Any = changed
    for key in keys[:-1]:
        target = target[key]
    target[keys[-1]] = value
    return changed


_PLACES = [(keys, value) for keys, value in _places(SERVICE) if keys[0] == "spec"]


@given(st.sampled_from([keys for keys, value in _PLACES if not isinstance(value, dict | list)]))
def test_a_value_of_the_wrong_type_is_told_with_its_path(keys: Keys) -> None:
    (problem,) = problems(_set(SERVICE, keys, {"an": "object"}))
    assert problem.path == member_path("", *keys)
    assert "must be" in problem.message


_OBJECTS = [
    keys for keys, value in _PLACES if isinstance(value, dict) and not {"settings", "requests", "limits"} & set(keys)
]


@given(st.sampled_from(_OBJECTS), st.from_regex(r"[a-z]{1,8}X", fullmatch=True))
def test_an_unknown_field_is_refused_or_ignored(keys: Keys, name: str) -> None:
    manifest = _set(SERVICE, (*keys, name), "anything")
    (problem,) = problems(manifest)
    assert problem.path == member_path("", *keys, name)
    assert "fields here are" in problem.message
    assert parse_service(manifest, unknown_fields="ignore") == parse_service(SERVICE, unknown_fields="refuse")


def test_every_problem_is_told_at_once() -> None:
    wrong = patched(SERVICE, {"spec": {"host": "iot", "paused": 1, "mqtt": {"replicas": -1}}})
    assert {problem.path for problem in problems(wrong)} == {"spec.host", "spec.paused", "spec.mqtt.replicas"}


def test_python_names_of_fields_are_unknown() -> None:
    (problem,) = problems(patched(SERVICE, {"spec": {"root_path": "/x"}}))
    assert (problem.path, "did you mean rootPath?" in problem.message) == ("spec.root_path", True)


@pytest.mark.parametrize("value", ["true", 1, "yes"])
def test_nothing_is_taken_for_true_that_the_api_server_refuses(value: object) -> None:
    (problem,) = problems(patched(SERVICE, {"spec": {"paused": value}}))
    assert problem.message == "must be true or false"


def test_a_long_value_is_clipped() -> None:
    (problem,) = problems(patched(SERVICE, {"spec": {"host": "a" * 500}}))
    assert problem.given is not None
    assert len(problem.given) < 100


def test_values_that_may_be_passwords_are_not_repeated() -> None:
    wrong = patched(
        SERVICE, {"spec": {"http": {"settings": {"plugins.mine.password": ["hunter2"]}}, "password": "hunter2"}}
    )
    assert "hunter2" not in str(InvalidSpec(problems(wrong)))


def test_the_status_and_the_identity_of_the_object_are_read_past() -> None:
    manifest = patched(SMALL_SERVICE, {"metadata": {"labels": {"a": "b"}}, "status": {"observedGeneration": 3}})
    service = parse_service(manifest, unknown_fields="refuse")
    assert service.status is not None
    assert service.status.observed_generation == 3


def test_quantities_are_text_however_they_are_written() -> None:
    limits = parse_service(SERVICE, unknown_fields="refuse").spec.http.resources.limits
    assert limits == {"memory": "2147483648"}


@pytest.mark.parametrize("spec", [None, "text", [], 3])
def test_a_spec_that_is_no_object_is_told(spec: object) -> None:
    (problem,) = problems(SERVICE | {"spec": spec})
    assert (problem.path, problem.message) == ("spec", "must be an object")


def test_a_connector_is_read() -> None:
    connector = parse_connector(CONNECTOR, unknown_fields="refuse")
    assert connector.spec.roles == ["read", "create"]
