"""Helm takes both charts, and refuses values that are wrong, by their keys."""

import json
from typing import Any, Final

import pytest
import yaml

from sensorthings_operator.api import crd
from sensorthings_operator.api.base import FQDN
from tests.unit.release.helm import CRDS, OPERATOR, ROOT, linted, rendered

_WRONG: Final = yaml.safe_load((ROOT / "tests" / "unit" / "release" / "wrong_values.yaml").read_text())
_SCHEMA: Final = json.loads((OPERATOR / "values.schema.json").read_text())


def test_lint_has_nothing_to_say() -> None:
    said = linted(OPERATOR, CRDS)
    assert said.returncode == 0, said.stdout
    assert "2 chart(s) linted, 0 chart(s) failed" in said.stdout
    assert "WARNING" not in said.stdout


@pytest.mark.parametrize("case", _WRONG, ids=lambda case: json.dumps(case["given"]))
def test_wrong_values_are_refused_by_their_key(case: dict[str, Any]) -> None:
    said = rendered(OPERATOR, case["given"])
    assert said.returncode != 0
    (line,) = (line for line in said.stderr.splitlines() if line.startswith(f"- at '{case['at']}'"))
    assert case["says"] in line


def test_each_value_has_a_case_that_is_wrong() -> None:
    given = {key for case in _WRONG for key in case["given"]}
    assert given >= _SCHEMA["properties"].keys() - {"global"}


def test_each_value_is_in_the_schema_and_the_other_way_round() -> None:
    assert yaml.safe_load((OPERATOR / "values.yaml").read_text()).keys() == _SCHEMA["properties"].keys() - {"global"}


def test_hosts_of_the_door_are_those_that_the_operator_takes() -> None:
    hosts = _SCHEMA["properties"]["tokenService"]["properties"]["door"]["properties"]["hosts"]
    assert hosts["items"]["pattern"] == FQDN


def test_the_chart_of_the_definitions_has_no_values() -> None:
    said = rendered(CRDS, {"keep": False})
    assert said.returncode != 0
    assert "additional properties 'keep' not allowed" in said.stderr


def test_the_definitions_are_those_of_the_types_and_are_kept() -> None:
    made = {each["metadata"]["name"]: each for each in yaml.safe_load_all(rendered(CRDS, {}).stdout) if each}
    assert made.keys() == {resource.name for resource in crd.RESOURCES}
    for resource in crd.RESOURCES:
        annotations = made[resource.name]["metadata"].pop("annotations")
        assert annotations == {"helm.sh/resource-policy": "keep"}
        assert made[resource.name] == crd.manifest(resource)


def test_both_charts_are_of_one_version() -> None:
    operator, definitions = (yaml.safe_load((chart / "Chart.yaml").read_text()) for chart in (OPERATOR, CRDS))
    for key in ("version", "appVersion", "kubeVersion"):
        assert operator[key] == definitions[key]
