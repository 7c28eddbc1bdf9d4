"""Files out of published Go modules: what a project ships beside its code, such as its custom resource definitions.

Nothing of it is committed here. A module is fetched by Go once; what an add-on makes of it lies in the cache folder, so
that a later `up` asks neither Go nor the network.
"""

from __future__ import annotations

import inspect
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcluster import parts
from localcluster.commands import run
from localcluster.errors import LocalClusterError
from localcluster.plan import cache_folder
from localcluster.rendering import digest

if TYPE_CHECKING:
    from collections.abc import Callable

_PARTS = Path(__file__).parent / "parts"


@dataclass(frozen=True, slots=True)
class Module:
    """One version of a Go module.

    Args:
        path: Its import path.
        version: With the leading v.
        checksum: As in go.sum: `h1:` and the hash of its files.
    """

    path: str
    version: str
    checksum: str


def version_in(part: str, path: str) -> str:
    """The version of a module that a part requires. Raises LocalClusterError when it requires none."""
    return parts.version_of(path, (_PARTS / part / "go.mod").read_text())


def required_by(part: str, path: str) -> Module:
    """The module as the go.mod and go.sum of a part pin it. Raises LocalClusterError when they do not."""
    version = version_in(part, path)
    go_sum = _PARTS / part / "go.sum"
    match = re.search(rf"^{re.escape(path)} {re.escape(version)} (h1:\S+)$", go_sum.read_text(), re.MULTILINE)
    if match is None:
        raise LocalClusterError(f"{go_sum} lacks {path} {version}.", "Restore it from the repository.")
    return Module(path, version, match[1])


def fetch(module: Module) -> Path:
    """The folder with the module's files, read-only, in Go's module cache.

    Raises:
        LocalClusterError: It cannot be had, or is not what the checksum says.
    """
    # The checksum is pinned, as go.sum would pin it: the checksum database is not asked.
    environment = {"GOFLAGS": "", "GOTOOLCHAIN": "local", "GONOSUMDB": module.path}
    remedy = "Is a Go module proxy reachable (see `go env GOPROXY`)?"
    with tempfile.TemporaryDirectory() as outside_any_module:
        command: list[str | Path] = [parts.go(), "mod", "download", "-json", f"{module.path}@{module.version}"]
        answer = json.loads(run(command, folder=Path(outside_any_module), env=environment, remedy=remedy))
    if answer["Sum"] != module.checksum:
        raise LocalClusterError(
            f"{module.path} {module.version} has the checksum {answer['Sum']}, not {module.checksum}.",
            "Somebody changed it on its way: see where `go env GOPROXY` leads.",
        )
    return Path(answer["Dir"])


def extract(name: str, module: Module, make: Callable[[Path], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Manifests made of a module's files, out of the cache folder where they were made before.

    Args:
        name: Of the file in the cache folder.
        module: Where they come from.
        make: Makes them of the module's folder.
    """
    # The file that `make` stands in: who changes what is made shall not get what was made before.
    recipe = Path(inspect.getfile(make)).read_text()
    file = cache_folder() / "manifests" / f"{name}-{digest(f'{module} {recipe}')}.json"
    if file.exists():
        cached: list[dict[str, Any]] = json.loads(file.read_text())
        return cached
    made = make(fetch(module))
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(made))
    draft.replace(file)
    return made
