"""Builds the images into docker-archive files in the user's cache folder, each only when something in it has changed.

`up` loads the archives into the node; the tests run what is in them.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster.images import catalogue
from localcluster.images.buildah import Storage
from localcluster.plan import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from localcluster.images.recipe import Recipe

    Progress = Callable[[str], None]

_KEPT = 3  # archives of one image: those of a few branches


def folder() -> Path:
    """Where archives and buildah's storage lie."""
    return cache_folder() / "images"


def archive_of(recipe: Recipe) -> Path:
    """The archive of an image as its recipe stands now; it may not have been built yet."""
    return folder() / f"{recipe.name}-{recipe.fingerprint}.tar"


def image_names() -> list[str]:
    """The full names of all images. Nothing is built."""
    return [recipe.reference for recipe in catalogue.images().values()]


def build_all(progress: Progress, names: Iterable[str] | None = None) -> dict[str, Path]:
    """The docker-archives of images by their full names, built where something has changed.

    Args:
        progress: Told what is being done, in a few words.
        names: Which, by their short or full names; without it every image.

    Raises:
        LocalClusterError: There is no such image, a tool is missing, something cannot be fetched, or a build fails.
    """
    wanted = catalogue.images().values() if names is None else map(catalogue.find, names)
    return _archives(list(wanted), progress)


def build(name: str, progress: Progress = lambda _: None) -> Path:
    """The docker-archive of one image, by its short or full name. Raises LocalClusterError like `build_all`."""
    recipe = catalogue.find(name)
    return _archives([recipe], progress)[recipe.reference]


def _archives(recipes: list[Recipe], progress: Progress) -> dict[str, Path]:
    if not all(archive_of(recipe).exists() for recipe in recipes):
        with _lock(progress):
            _build_missing(recipes, progress)
    return {recipe.reference: archive_of(recipe) for recipe in recipes}


@contextmanager
def _lock(progress: Progress) -> Iterator[None]:
    """Only one process builds images; the others wait for it."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / "build.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another build of images")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build_missing(recipes: list[Recipe], progress: Progress) -> None:
    """Build what has no archive yet. What an interrupted run left is removed first."""
    for draft in folder().glob(".draft-*"):
        shutil.rmtree(draft)
    storage = Storage(folder() / "storage")
    storage.reset()
    for recipe in recipes:
        if not archive_of(recipe).exists():
            _ensure_image(storage, recipe, progress)
            _save(storage, recipe, progress)
    storage.prune()


def _stamp(recipe: Recipe) -> dict[str, str]:
    """A label that tells whether what the storage holds under a name is what the recipe stands for now."""
    return {"city.sensorthings.fingerprint": recipe.fingerprint}


def _ensure_image(storage: Storage, recipe: Recipe, progress: Progress) -> None:
    arguments = dict(recipe.arguments)
    if recipe.base is not None:
        if not storage.has(recipe.base.reference, _stamp(recipe.base)):
            _ensure_image(storage, recipe.base, progress)
        arguments["BASE"] = recipe.base.reference
    started = time.monotonic()
    progress(f"{recipe.name}: fetching and compiling")
    with _draft() as context:
        for path in recipe.copies:
            shutil.copy2(path, context)
        if recipe.prepare is not None:
            recipe.prepare(context)
        progress(f"{recipe.name}: building")
        image = storage.build(context, recipe.containerfile, arguments)
    storage.label(image, recipe.reference, {**recipe.labels, **_stamp(recipe)}, recipe.packages)
    progress(f"{recipe.name}: built in {time.monotonic() - started:.0f} s")


def _save(storage: Storage, recipe: Recipe, progress: Progress) -> None:
    progress(f"{recipe.name}: writing its archive")
    with _draft() as draft:
        storage.save(recipe.reference, draft / "image.tar")
        (draft / "image.tar").replace(archive_of(recipe))
    archives = sorted(folder().glob(f"{recipe.name}-*.tar"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in archives[_KEPT:]:
        old.unlink()


@contextmanager
def _draft() -> Iterator[Path]:
    """A folder beside the archives, so that a finished file can be moved into place in one step."""
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder()))
    try:
        yield draft
    finally:
        shutil.rmtree(draft)
