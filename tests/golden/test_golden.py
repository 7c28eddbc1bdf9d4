"""A change of what is made of a manifest shows as a change of a file.

``make generate`` writes the files, people read the difference.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sensorthings_operator.cli.validate import validated
from tests.golden.cases import FOLDER, NAMES, rendered, source

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", NAMES)
def test_children_are_as_expected(name: str, update_golden: bool) -> None:
    expected = FOLDER / name / "expected.yaml"
    if update_golden:
        expected.write_text(rendered(name))
    assert rendered(name) == expected.read_text(), "make generate writes what is made now: read the difference"


@pytest.mark.parametrize("name", NAMES)
def test_the_manifests_are_such_as_the_api_server_takes(name: str) -> None:
    validated(yaml.safe_load(source(name).read_text()))


def test_no_expected_file_is_left_over() -> None:
    assert sorted(path.parent.name for path in FOLDER.glob("*/expected.yaml")) == NAMES


def test_the_same_bytes_in_interpreters_that_hash_differently() -> None:
    program = "from tests.golden.cases import *; print(*(rendered(name) for name in NAMES), sep='', end='')"
    for seed in ("1", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        other = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, check=True, timeout=60
        )
        assert other.stdout.decode() == "".join(map(rendered, NAMES))
