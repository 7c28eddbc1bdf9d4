"""Offline validation says what the API server says; ``tests/apiserver/test_crds.py`` asks it the same table."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from cel_expr_python import cel  # type: ignore[import-untyped]
from cel_expr_python.ext import ext_strings  # type: ignore[import-untyped]
from hypothesis import example, given
from hypothesis import strategies as st

from sensorthings_operator.api import crd
from sensorthings_operator.api.parse import InvalidSpec, Problem
from sensorthings_operator.api.settings import OWNED_PREFIXES, OWNED_SETTINGS, is_owned
from sensorthings_operator.cli.validate import apply_defaults, validated, violations
from tests.unit.api.examples import CONNECTOR, SERVICE, SMALL_SERVICE, Manifest, patched
from tests.unit.api.wrong import WRONG, Wrong


def problems(manifest: Manifest) -> tuple[Problem, ...]:
    with pytest.raises(InvalidSpec) as refused:
        validated(manifest)
    return refused.value.problems


@pytest.mark.parametrize(
    "manifest", [SERVICE, SMALL_SERVICE, CONNECTOR], ids=lambda manifest: manifest["metadata"]["name"]
)
def test_right_manifests_pass(manifest: Manifest) -> None:
    validated(manifest)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_wrong_manifests_are_refused_with_path_and_what_is_allowed(wrong: Wrong) -> None:
    found = problems(wrong.manifest)
    said = [problem.message for problem in found if problem.path == wrong.path]
    assert any(all(words in message for words in wrong.offline) for message in said), list(map(str, found))


def test_the_table_is_long_and_each_name_stands_once() -> None:
    assert len({wrong.name for wrong in WRONG}) == len(WRONG) >= 30


def _rules(schema: Any) -> Iterator[Mapping[str, str]]:
    if isinstance(schema, dict):
        yield from schema.get("x-kubernetes-validations", ())
        for member in schema.values():
            yield from _rules(member)


@pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda resource: resource.kind)
def test_every_rule_is_read_by_the_offline_runtime(resource: crd.Resource) -> None:
    variables = {"self": cel.Type.DYN, "oldSelf": cel.Type.DYN}
    environment = cel.NewEnv(variables=variables, extensions=[ext_strings.ExtStrings()])
    for rule in _rules(crd.schema(resource)):
        environment.compile(rule["rule"])
        environment.compile(rule.get("messageExpression", "''"))


_SETTINGS_SCHEMA = crd.schema(crd.SERVICE)["properties"]["spec"]["properties"]["http"]["properties"]["settings"]
_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}([.][A-Za-z0-9]{1,8}){0,2}", fullmatch=True)


@given(st.sampled_from(OWNED_SETTINGS) | st.sampled_from(OWNED_PREFIXES).map(lambda prefix: f"{prefix}x") | _NAMES)
@example("auth.provider")
@example("authority.x")
@example("persistence.dbx")
def test_the_rule_and_the_function_agree_on_owned_settings(name: str) -> None:
    found = [str(problem) for problem in violations(_SETTINGS_SCHEMA, {name: "x"}, "settings")]
    assert bool(found) == is_owned(name)
    assert all(f"the operator sets {name} " in message for message in found)


@pytest.mark.parametrize(
    ("patch", "path", "says"),
    [
        ({"kind": "SensorThingsServices"}, "kind", "must be one of SensorThingsService, Connector"),
        ({"apiVersion": "sensorthings.city/v1"}, "apiVersion", "must be one of sensorthings.city/v1alpha1"),
        ({"metadata": {"name": None}}, "metadata.name", "is required"),
        ({"metadata": "lights"}, "metadata.name", "is required"),
    ],
)
def test_the_identity_of_a_manifest_is_looked_at(patch: Manifest, path: str, says: str) -> None:
    (problem,) = problems(patched(SERVICE, patch))
    assert problem.path == path
    assert says in problem.message


def test_null_stands_for_a_field_that_is_absent() -> None:
    schema = crd.schema(crd.SERVICE)
    spec = apply_defaults(schema, patched(SERVICE, {"spec": {"paused": None, "mqtt": {"replicas": None}}}))["spec"]
    assert (spec["paused"], "replicas" in spec["mqtt"]) == (False, False)


def test_applying_defaults_leaves_the_manifest_and_the_schema_alone() -> None:
    before, manifest = repr((SMALL_SERVICE, crd.schema(crd.SERVICE))), SMALL_SERVICE
    apply_defaults(crd.schema(crd.SERVICE), manifest)["spec"]["bus"]["type"] = "changed"
    assert repr((SMALL_SERVICE, crd.schema(crd.SERVICE))) == before


def test_a_rule_that_has_no_result_is_a_problem_and_not_a_crash() -> None:
    schema = {"type": "object", "x-kubernetes-validations": [{"rule": "self.a == 1", "message": "a must be 1"}]}
    (problem,) = violations(schema, {}, "spec")
    assert problem.path == "spec"
    assert problem.message.startswith("a must be 1 (the rule could not be evaluated")
