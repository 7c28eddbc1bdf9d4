"""Only what has changed is built, an interrupted build leaves nothing in the way, and bases are built once."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import pytest

from localcluster.images import archives, catalogue
from localcluster.images.buildah import Storage, package_labels
from localcluster.images.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class FakeStorage:
    """What buildah would do, in memory; `steps` is what it was asked for."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self._images: dict[str, Mapping[str, str]] = {}
        self.fails_at = ""

    def reset(self) -> None:
        self.steps.append("reset")

    def has(self, reference: str, labels: Mapping[str, str]) -> bool:
        return labels.items() <= self._images.get(reference, {}).items() and reference in self._images

    def build(self, context: Path, containerfile: Path, arguments: Mapping[str, str]) -> str:
        assert context.is_dir()
        self.steps.append(f"build {containerfile.parent.name} on {arguments.get('BASE', 'nothing')}")
        if containerfile.parent.name == self.fails_at:
            raise KeyboardInterrupt
        return "id"

    def label(self, image: str, reference: str, labels: Mapping[str, str], packages: tuple[str, ...]) -> None:
        assert image == "id"
        assert not packages
        self._images[reference] = labels

    def save(self, reference: str, archive: Path) -> None:
        archive.write_text(reference)

    def prune(self) -> None:
        self.steps.append("prune")

    def built(self) -> list[str]:
        done = [step.removeprefix("build ") for step in self.steps if step.startswith("build ")]
        self.steps.clear()
        return done


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeStorage:
    """A base, two images on it, and a cache folder of their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fake = FakeStorage()
    monkeypatch.setattr(archives, "Storage", lambda _: fake)
    base = _recipe(tmp_path, "base", None)
    recipes = {name: _recipe(tmp_path, name, base) for name in ("one", "two")}
    monkeypatch.setattr(catalogue, "images", lambda: recipes)
    return fake


def _recipe(folder: Path, name: str, base: Recipe | None) -> Recipe:
    (folder / name).mkdir()
    containerfile = folder / name / "Containerfile"
    containerfile.write_text("FROM scratch\n")
    return Recipe(name, "1", containerfile, title=name, description=name, licenses="MIT", base=base)


def _forget_hashes(tag: str = "1") -> None:
    recipes = catalogue.images()
    for name, recipe in recipes.items():
        base = dataclasses.replace(recipe.base) if recipe.base else None
        recipes[name] = dataclasses.replace(recipe, base=base, tag=tag if name == "one" else recipe.tag)


def test_a_base_is_built_once_and_nothing_twice(storage: FakeStorage) -> None:
    told: list[str] = []
    first = archives.build_all(told.append)
    base = "localhost/sensorthings/base:1"
    assert storage.built() == ["base on nothing", f"one on {base}", f"two on {base}"]
    assert any(text.startswith("one: built in") for text in told)
    assert [path.read_text() for path in first.values()] == list(first)
    assert archives.build_all(lambda _: pytest.fail("nothing is to be done")) == first
    assert storage.steps == []


def test_only_what_changed_is_built(storage: FakeStorage) -> None:
    before = archives.build_all(lambda _: None)
    storage.built()
    _forget_hashes(tag="2")
    after = archives.build_all(lambda _: None)
    assert storage.built() == ["one on localhost/sensorthings/base:1"]
    assert after["localhost/sensorthings/two:1"] == before["localhost/sensorthings/two:1"]


def test_a_changed_base_rebuilds_what_stands_on_it(storage: FakeStorage) -> None:
    archives.build_all(lambda _: None)
    storage.built()
    base = catalogue.images()["one"].base
    assert base
    base.containerfile.write_text("FROM scratch\nUSER 1:1\n")
    _forget_hashes()
    archives.build_all(lambda _: None)
    assert [step.split()[0] for step in storage.built()] == ["base", "one", "two"]


def test_an_interrupted_build_goes_on_where_it_was(storage: FakeStorage) -> None:
    storage.fails_at = "two"
    with pytest.raises(KeyboardInterrupt):
        archives.build_all(lambda _: None)
    assert storage.built()[-1].startswith("two")
    (archives.folder() / ".draft-left").mkdir()
    storage.fails_at = ""
    archives.build_all(lambda _: None)
    assert [step.split()[0] for step in storage.built()] == ["two"]
    assert not list(archives.folder().glob(".draft-*"))


def test_one_image_is_built_by_name(storage: FakeStorage) -> None:
    assert archives.build("two").read_text() == "localhost/sensorthings/two:1"
    assert [step.split()[0] for step in storage.built()] == ["base", "two"]


def test_only_what_is_asked_for_is_built(storage: FakeStorage) -> None:
    assert list(archives.build_all(lambda _: None, ["two"])) == ["localhost/sensorthings/two:1"]
    assert [step.split()[0] for step in storage.built()] == ["base", "two"]
    assert archives.build_all(lambda _: pytest.fail("nothing is to be done"), []) == {}
    full = archives.build_all(lambda _: None, ["localhost/sensorthings/one:1", "two"])
    assert [step.split()[0] for step in storage.built()] == ["one"]
    assert list(full) == ["localhost/sensorthings/one:1", "localhost/sensorthings/two:1"]


def test_old_archives_go(storage: FakeStorage) -> None:
    archives.build_all(lambda _: None)
    for age in range(1, 6):
        old = archives.folder() / f"one-{age}.tar"
        old.touch()
        os.utime(old, (age, age))
    _forget_hashes(tag="2")
    newest = archives.build("one")
    kept = sorted(archives.folder().glob("one-*.tar"))
    assert len(kept) == 3
    assert newest in kept
    assert archives.folder() / "one-5.tar" in kept
    assert storage.built()


def test_revisions_of_packages_become_a_label() -> None:
    listing = "mosquitto\t2.0.11-1.2+deb12u1\nmosquitto-clients\t2.0.11-1.2+deb12u1\n"
    (value,) = package_labels(listing).values()
    assert value == "mosquitto=2.0.11-1.2+deb12u1 mosquitto-clients=2.0.11-1.2+deb12u1"


def test_every_call_of_buildah_has_namespaces_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    called: list[list[str]] = []

    def record(argv: list[str], **_: object) -> str:
        called.append(argv)
        return ""

    monkeypatch.setattr("localcluster.images.buildah.run", record)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/buildah")
    assert not Storage(tmp_path / "storage").has("name:1", {"a": "b"})
    (argv,) = called
    assert argv[: argv.index("buildah")] == [
        "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=KILL", "--mount-proc",
    ]  # fmt: skip
    assert argv[-4:] == ["--filter", "reference=name:1", "--filter", "label=a=b"]
