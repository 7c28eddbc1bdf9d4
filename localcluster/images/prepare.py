"""Fetches and compiles what the images hold: root file system, jars, Go programs, Python packages.

Each function fills a build context. The catalogue names them; `archives` calls them when an image has changed.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from pathlib import Path

from localcluster import parts
from localcluster.commands import run
from localcluster.errors import LocalClusterError
from localcluster.images import pinned

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
_MAVEN_REMEDY = (
    "Are Maven, a JDK of at least 17 and a Maven repository there? apt-get install maven default-jdk-headless"
)


def debian_root(context: Path) -> None:
    """rootfs.tar: Debian's essential packages, certificates and tini, without documentation (about half a minute)."""
    folder = FOLDER / "debian"
    packages = ",".join((folder / "packages").read_text().split())
    options = ["--variant=minbase", f"--include={packages}", f"--dpkgopt={folder / 'dpkg.cfg'}"]
    remedy = "Is a Debian mirror reachable, and is this run as root?"
    run(["mmdebstrap", *options, pinned.DEBIAN_SUITE, context / "rootfs.tar"], remedy=remedy)


def frost_mqtt(context: Path) -> None:
    """frost-mqtt.jar: upstream's jar-with-dependencies from Maven Central."""
    with tempfile.TemporaryDirectory() as folder:
        _maven(Path(folder), "dependency:copy-dependencies", "-DincludeArtifactIds=FROST-Server.MQTT")
        (jar,) = Path(folder, "target", "lib").glob("FROST-Server.MQTT-*.jar")
        shutil.move(jar, context / "frost-mqtt.jar")


def frost_http(context: Path) -> None:
    """frost-http.jar and lib/: our servlet, and the jars it stands on."""
    with tempfile.TemporaryDirectory() as folder:
        _maven(Path(folder), "package")
        target = Path(folder, "target")
        shutil.move(target / "frost-http.jar", context)
        shutil.move(target / "lib", context)


def _maven(folder: Path, *goals: str) -> None:
    """Run Maven on a copy of our project, so that nothing is left in the checkout."""
    shutil.copytree(FOLDER / "frost", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("target"))
    versions = [f"-Dfrost.version={pinned.FROST}", f"-Dtomcat.version={pinned.TOMCAT}"]
    run(["mvn", "--batch-mode", "--quiet", *versions, *goals], folder=folder, remedy=_MAVEN_REMEDY)


def pause(context: Path) -> None:
    """The pause program, statically linked."""
    flags = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w"]
    environment = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    command = [str(parts.go()), "build", *flags, "-o", str(context / "pause"), "."]
    run(command, folder=FOLDER / "pause", env=environment, remedy="It needs Go 1.26 and no module.")


def coredns(context: Path) -> None:
    """The statically linked coredns of the cluster's parts."""
    shutil.copy2(parts.ensure(parts.COREDNS) / "coredns", context)


def operator(context: Path) -> None:
    """The operator's package without its command line, and its locked run-time dependencies for Debian's Python."""
    package = ROOT / "operator" / "sensorthings_operator"
    passed_over = shutil.ignore_patterns("__pycache__")

    def ignore(folder: str, names: list[str]) -> set[str]:
        return passed_over(folder, names) | ({"cli"} if Path(folder) == package else set())

    shutil.copytree(package, context / package.name, ignore=ignore)
    _dependencies(context / "dependencies")


def _dependencies(target: Path) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise LocalClusterError("There is no uv on the PATH.", "Install it: pip install uv")
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        only = ["--frozen", "--no-default-groups", "--no-emit-project", "--no-annotate", "--no-header"]
        run([uv, "export", "--quiet", "--project", ROOT, *only, "--output-file", requirements])
        python = pinned.PYTHON.removesuffix(".*")
        fitting = ["--python-version", python, "--python-platform", f"{platform.machine()}-manylinux_2_28"]
        options = [
            "--target",
            str(target),
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--link-mode",
            "copy",
            *fitting,
        ]
        remedy = "Is a Python package index reachable?"
        run([uv, "pip", "install", "--quiet", *options, "--requirement", requirements], remedy=remedy)
    shutil.rmtree(target / "bin", ignore_errors=True)
