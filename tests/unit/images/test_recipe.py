"""The hash of an image changes with everything that goes into it, and with nothing else."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcluster.errors import LocalClusterError
from localcluster.images.recipe import Recipe, files_below, hash_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def make(folder: Path) -> Recipe:
    containerfile = folder / "Containerfile"
    containerfile.write_text("FROM scratch\n")
    (folder / "input").write_text("a")
    return Recipe(
        name="thing",
        tag="1",
        containerfile=containerfile,
        title="Thing",
        description="A thing.",
        licenses="Apache-2.0",
        origin="maven:g:a:1",
        arguments={"VERSION": "1.*"},
        packages=("thing",),
        inputs=(folder / "input",),
    )


def test_the_same_recipe_has_the_same_hash(tmp_path: Path) -> None:
    assert make(tmp_path).fingerprint == make(tmp_path).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"tag": "2"},
        {"title": "Other"},
        {"licenses": "MIT"},
        {"origin": "maven:g:a:2"},
        {"arguments": {"VERSION": "2.*"}},
        {"packages": ("thing", "more")},
        {"inputs": ()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_field_changes_the_hash(tmp_path: Path, change: dict[str, Any]) -> None:
    recipe = make(tmp_path)
    assert dataclasses.replace(recipe, **change).fingerprint != recipe.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "Containerfile").write_text("FROM scratch\nUSER 1:1\n"),
        lambda folder: (folder / "input").write_text("b"),
        lambda folder: (folder / "input").chmod(0o755),
    ],
    ids=["Containerfile", "content", "mode"],
)
def test_a_changed_file_changes_the_hash(tmp_path: Path, change: Callable[[Path], object]) -> None:
    before = make(tmp_path).fingerprint
    after = make(tmp_path)
    change(tmp_path)
    assert after.fingerprint != before


def test_a_changed_base_changes_the_hash(tmp_path: Path) -> None:
    recipe = make(tmp_path)
    on_one = dataclasses.replace(recipe, base=dataclasses.replace(recipe, name="base"))
    on_other = dataclasses.replace(recipe, base=dataclasses.replace(recipe, name="base", tag="2"))
    assert len({recipe.fingerprint, on_one.fingerprint, on_other.fingerprint}) == 3


@given(st.lists(st.text(max_size=3), max_size=4), st.lists(st.text(max_size=3), max_size=4))
def test_texts_are_told_apart_wherever_they_are_cut(one: list[str], other: list[str]) -> None:
    assert (hash_of(one, ()) == hash_of(other, ())) == (one == other)


def test_moving_a_file_changes_the_hash_and_bytecode_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    (folder / "a").mkdir(parents=True)
    (folder / "b").mkdir()
    (folder / "a" / "module.py").write_text("x")
    before = hash_of((), [folder])
    (folder / "a" / "__pycache__").mkdir()
    (folder / "a" / "__pycache__" / "module.pyc").write_text("compiled")
    assert hash_of((), [folder]) == before
    assert files_below(folder) == [folder / "a" / "module.py"]
    (folder / "a" / "module.py").rename(folder / "b" / "module.py")
    assert hash_of((), [folder]) != before


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalClusterError, match=r"There is no .*gone"):
        hash_of((), [tmp_path / "gone"])


def test_labels_say_where_it_came_from(tmp_path: Path) -> None:
    labels = make(tmp_path).labels
    assert labels["org.opencontainers.image.version"] == "1"
    assert labels["city.sensorthings.origin"] == "maven:g:a:1"
    assert "org.opencontainers.image.source" not in labels  # it has none: no empty label
