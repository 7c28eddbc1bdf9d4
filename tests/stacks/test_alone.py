"""Each component can be used alone: with its typed arguments and nothing else of the stacks."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.stacks import alone
from tests.stacks.programs import STACKS

COMPONENTS = alone.found()


@pytest.fixture(scope="module")
def runs() -> dict[str, Any]:
    """What came of each."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.stacks.alone"],
        cwd=STACKS.parent,
        env={**os.environ, "PYTHONPATH": str(STACKS), "PYTHONWARNINGS": "error::UserWarning"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_all_of_them_are_found() -> None:
    written = [
        line
        for path in (STACKS / "sensorthings_stacks").rglob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith("class ") and "ComponentResource)" in line
    ]
    assert len(written) == len(COMPONENTS) >= 15


@pytest.mark.parametrize("name", COMPONENTS)
def test_its_arguments_are_typed_and_frozen(name: str) -> None:
    arguments = alone.arguments_of(COMPONENTS[name])
    assert dataclasses.is_dataclass(arguments)
    fields = dataclasses.fields(arguments)
    assert fields
    assert all(field.type for field in fields)
    one = object.__new__(arguments)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(one, fields[0].name, "another")


@pytest.mark.parametrize("name", COMPONENTS)
def test_it_comes_up_alone(runs: dict[str, Any], name: str) -> None:
    run = runs[name]
    assert "error" not in run, run["error"]
    assert len(run["resources"]) > 2, "it makes nothing"
    assert _strangers(run) == []


def test_what_belongs_to_nobody_or_to_another_is_found() -> None:
    made = {
        "it": "stack",
        "child": "it",
        "its-child": "child",
        "nobodys": "stack",
        "another": "stack",
        "others": "another",
    }
    resources = [{"urn": urn, "parent": parent, "name": urn} for urn, parent in made.items()]
    assert _strangers({"urn": "it", "resources": resources}) == ["nobodys", "another", "others"]


def _strangers(run: dict[str, Any]) -> list[str]:
    """What a component made, and what does not belong to it."""
    parents = {each["urn"]: each["parent"] for each in run["resources"]}
    made = [each["urn"] for each in run["resources"] if each["urn"] != run["urn"] and each["name"] != "somebodys"]
    return [urn for urn in made if run["urn"] not in _line(urn, parents)]


def _line(urn: str, parents: dict[str, str]) -> list[str]:
    """The parents of a resource, up to the top."""
    line = [parents[urn]]
    while line[-1] in parents:
        line.append(parents[line[-1]])
    return line


@pytest.mark.parametrize("name", COMPONENTS)
def test_what_it_says_that_it_tells_is_known_when_it_is_up(runs: dict[str, Any], name: str) -> None:
    told = runs[name].get("outputs", {})
    assert set(told) == set(inspect.get_annotations(COMPONENTS[name]))
    for output, value in told.items():
        assert _texts(value), f"{output} is {value!r}"
        assert all(_texts(value)), f"{output} is {value!r}"


def _texts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [text for member in value.values() for text in _texts(member)]
    if isinstance(value, list):
        return [text for member in value for text in _texts(member)]
    return [value]
