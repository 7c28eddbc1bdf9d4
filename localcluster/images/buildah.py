"""buildah, with a storage of its own, run so that it cannot leave anything behind.

Every call gets mount and process namespaces of its own: whatever it mounts or starts ends with it, also when it is
killed. `archives` uses this.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcluster.commands import run
from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ISOLATED = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")
_LABEL_PACKAGES = "city.sensorthings.debian-packages"


@dataclass(frozen=True, slots=True)
class Storage:
    """Layers and images in a folder; only one process at a time may use it."""

    folder: Path

    def reset(self) -> None:
        """Remove what an interrupted build left: its running state and its working containers."""
        shutil.rmtree(self._running, ignore_errors=True)
        if self.folder.is_dir():
            self._buildah("rm", "--all")

    def has(self, reference: str, labels: Mapping[str, str]) -> bool:
        """Whether the storage holds an image of that name with these labels."""
        filters = [f"reference={reference}", *(f"label={key}={value}" for key, value in labels.items())]
        options = [part for each in filters for part in ("--filter", each)]
        return bool(self._buildah("images", "--quiet", *options).strip())

    def build(self, context: Path, containerfile: Path, arguments: Mapping[str, str]) -> str:
        """Build an image and return its id. Raises LocalClusterError with the end of the output when a step fails."""
        given = [part for item in sorted(arguments.items()) for part in ("--build-arg", "=".join(item))]
        with tempfile.NamedTemporaryFile(mode="r") as image:
            options = ["--layers", "--network", "host", "--pull-never", "--iidfile", image.name]
            self._buildah("build", *options, *given, "--file", str(containerfile), str(context))
            return image.read().strip()

    def label(self, image: str, reference: str, labels: Mapping[str, str], packages: tuple[str, ...]) -> None:
        """Name an image, and write labels on it: those given, and the revisions of Debian packages in it."""
        container = self._buildah("from", "--pull-never", image).strip()
        written = dict(labels)
        if packages:
            listing = self._buildah("run", container, "--", "dpkg-query", "--show", *packages)
            written |= package_labels(listing)
        options = [part for item in sorted(written.items()) for part in ("--label", "=".join(item))]
        self._buildah("config", *options, container)
        self._buildah("commit", "--quiet", "--rm", container, reference)

    def save(self, reference: str, archive: Path) -> None:
        """Write an image into a docker-archive file. The file must not exist yet."""
        self._buildah("push", "--quiet", reference, f"docker-archive:{archive}:{reference}")

    def prune(self) -> None:
        """Remove layers that no named image stands on."""
        self._buildah("rmi", "--prune")

    @property
    def _running(self) -> Path:
        return self.folder.with_name(self.folder.name + "-run")

    def _buildah(self, *arguments: str) -> str:
        if shutil.which("buildah") is None:
            raise LocalClusterError("There is no buildah on the PATH.", "Install it: apt-get install buildah")
        folders = ["--root", str(self.folder), "--runroot", str(self._running)]
        environment = {"BUILDAH_ISOLATION": "chroot"}
        remedy = f"It needs root. If the storage is damaged, remove it: {self.folder}"
        return run([*_ISOLATED, "buildah", *folders, *arguments], env=environment, remedy=remedy)


def package_labels(listing: str) -> dict[str, str]:
    """Labels from the lines of `dpkg-query --show` (name, tabulator, version)."""
    versions = dict(line.split("\t") for line in listing.splitlines() if line)
    return {_LABEL_PACKAGES: " ".join(f"{name}={version}" for name, version in versions.items())}
