"""What is committed is what the types generate, and the reference leaves no field out."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sensorthings_operator.api import crd
from sensorthings_operator.api.__main__ import generated, main

ROOT = Path(__file__).parents[3]


def test_crds_and_reference_are_what_the_types_generate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", f"--root={ROOT}"]) == 0, capsys.readouterr().err


def test_a_changed_a_missing_and_a_foreign_file_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--root={tmp_path}"]) == 0
    assert main(["--check", f"--root={tmp_path}"]) == 0
    changed, missing = tmp_path / "crds" / f"{crd.SERVICE.name}.yaml", tmp_path / "docs" / "api-reference.md"
    changed.write_text(changed.read_text().replace("maximum: 65535", "maximum: 65536"))
    missing.unlink()
    (tmp_path / "crds" / "other.yaml").touch()
    capsys.readouterr()
    assert main(["--check", f"--root={tmp_path}"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == [
        f"crds/{crd.SERVICE.name}.yaml",
        "docs/api-reference.md",
        "crds/other.yaml",
    ]


def test_the_files_are_the_definitions() -> None:
    files = generated()
    for resource in crd.RESOURCES:
        assert yaml.safe_load(files[f"crds/{resource.name}.yaml"]) == crd.manifest(resource)


def _fields(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Section and name of every field below an object."""
    for name, member in schema["properties"].items():
        yield path, name
        below = member.get("items", member)
        if "properties" in below:
            yield from _fields(below, f"{path}.{name}[]" if "items" in member else f"{path}.{name}")


@pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda resource: resource.kind)
def test_the_reference_has_every_field_and_every_rule(resource: crd.Resource) -> None:
    text = generated()["docs/api-reference.md"].split(f"## {resource.kind}\n", maxsplit=1)[1].split("\n## ")[0]
    sections = {section.split("\n", 1)[0]: section for section in text.split("\n### ")[1:]}
    for part in ("spec", "status"):
        schema = crd.schema(resource)["properties"][part]
        for section, name in _fields(schema, part):
            assert f"\n| `{name}` |" in sections[section], f"{section}.{name}"
    assert not [rule for rule in _rules(crd.schema(resource)) if rule["message"] not in text]


def _rules(schema: Any) -> Iterator[Mapping[str, str]]:
    if isinstance(schema, dict):
        yield from schema.get("x-kubernetes-validations", ())
        for member in schema.values():
            yield from _rules(member)
