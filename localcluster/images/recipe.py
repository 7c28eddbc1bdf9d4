"""What an image is made of, and the hash of it. The catalogue lists recipes; the build asks whether one has changed."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Prepare = Callable[[Path], None]

REPOSITORY = "localhost/sensorthings"
_FORMAT = "1"  # raise it when the way of building changes what comes out
_PASSED_OVER = {"__pycache__", "target"}
_ROOT = Path(__file__).parents[2]


def files_below(path: Path) -> list[Path]:
    """The files of a folder (or the file itself), sorted, without what compilers leave there."""
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and not _PASSED_OVER & set(file.parts))


def hash_of(texts: Iterable[str], paths: Iterable[Path]) -> str:
    """SHA-256 (hexadecimal, 16 digits) over texts and over the names, modes and contents of files and folders.

    Raises:
        LocalClusterError: One of the paths is not there.
    """
    digest = hashlib.sha256()

    def add(content: bytes) -> None:
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)

    for text in texts:
        add(text.encode())
    for path in paths:
        if not path.exists():
            raise LocalClusterError(f"There is no {path}.", "Restore it from the repository.")
        for file in files_below(path):
            add(file.relative_to(_ROOT if file.is_relative_to(_ROOT) else path.parent).as_posix().encode())
            add(b"x" if file.stat().st_mode & 0o100 else b"-")
            add(file.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Recipe:
    """One image: a Containerfile, what stands beside it, and what is said about it."""

    name: str
    tag: str
    containerfile: Path
    title: str
    description: str
    licenses: str  # an SPDX expression
    source: str = ""  # where the source of what is inside can be read, a URL
    origin: str = ""  # where it was taken from: maven:GROUP:ARTIFACT:VERSION, go:MODULE@VERSION ...
    base: Recipe | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)  # build arguments
    packages: tuple[str, ...] = ()  # Debian packages whose revisions go on the image as a label
    inputs: tuple[Path, ...] = ()  # files and folders that go into it, besides the Containerfile
    copies: tuple[Path, ...] = ()  # those inputs that are copied into the build context as they are
    prepare: Prepare | None = None  # puts what has to be fetched or compiled into the build context

    @property
    def reference(self) -> str:
        """The full name of the image."""
        return f"{REPOSITORY}/{self.name}:{self.tag}"

    @cached_property
    def fingerprint(self) -> str:
        """A hash of everything that goes into the image: equal exactly when a build would give the same image."""
        texts = [_FORMAT, platform.machine(), self.reference, *map(repr, sorted(self.labels.items()))]
        texts += map(repr, sorted(self.arguments.items()))
        texts += [*self.packages, self.base.fingerprint if self.base else ""]
        return hash_of(texts, (self.containerfile, *self.inputs))

    @property
    def labels(self) -> dict[str, str]:
        """OCI annotations that are known before the build."""
        oci = "org.opencontainers.image"
        labels = {
            f"{oci}.title": self.title,
            f"{oci}.description": self.description,
            f"{oci}.version": self.tag,
            f"{oci}.licenses": self.licenses,
            f"{oci}.source": self.source,
            f"{oci}.base.name": self.base.reference if self.base else "",
            "city.sensorthings.origin": self.origin,
        }
        return {key: value for key, value in labels.items() if value}
