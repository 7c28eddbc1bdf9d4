"""The images: which there are, and what each is made of. `archives` reads this table."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

from localcluster.errors import LocalClusterError
from localcluster.images import pinned, prepare, programs, services
from localcluster.images.recipe import Recipe, files_below

_FOLDER = Path(__file__).parent
_ROOT = _FOLDER.parents[1]
_FROST = _FOLDER / "frost"
_FROST_SOURCE = "https://github.com/FraunhoferIOSB/FROST-Server"
_FROST_COORDINATES = f"de.fraunhofer.iosb.ilt.FROST-Server:FROST-Server.MQTT:{pinned.FROST}:jar:jar-with-dependencies"
_PROJECT = "sensorthings-operator"


def _debian() -> Recipe:
    return Recipe(
        name="debian",
        tag=f"{pinned.DEBIAN_SUITE}-{pinned.DEBIAN_SERIAL}",
        containerfile=_FOLDER / "debian" / "Containerfile",
        title="Debian",
        description="Debian's essential packages, made by mmdebstrap; below the other images.",
        licenses="GPL-2.0-or-later AND LGPL-2.1-or-later AND MIT AND BSD-3-Clause",
        source="https://www.debian.org/distrib/packages",
        inputs=(_FOLDER / "debian" / "dpkg.cfg", _FOLDER / "debian" / "packages"),
        prepare=prepare.debian_root,
    )


def _jre(debian: Recipe) -> Recipe:
    return Recipe(
        name="jre",
        tag="17",
        containerfile=_FOLDER / "jre" / "Containerfile",
        title="OpenJDK 17 runtime",
        description="Debian with OpenJDK's headless runtime; below the FROST images.",
        licenses="GPL-2.0-only WITH Classpath-exception-2.0",
        source="https://tracker.debian.org/pkg/openjdk-17",
        base=debian,
        arguments={"OPENJDK": pinned.OPENJDK},
        packages=("openjdk-17-jre-headless",),
    )


def _frost_http(jre: Recipe) -> Recipe:
    return Recipe(
        name="frost-http",
        tag=f"{pinned.FROST}-dev",
        containerfile=_FROST / "http.Containerfile",
        title=f"Development image of FROST Core {pinned.FROST}",
        description=(
            f"An HTTP server of sensorthings-operator over the public API of FROST Core {pinned.FROST};"
            " not the upstream HTTP module. For development and tests."
        ),
        licenses="Apache-2.0 AND LGPL-3.0-only",
        source=_FROST_SOURCE,
        origin=f"maven:{_FROST_COORDINATES} maven:org.apache.tomcat.embed:tomcat-embed-core:{pinned.TOMCAT}",
        base=jre,
        packages=("openjdk-17-jre-headless",),
        inputs=(_FROST / "pom.xml", _FROST / "src", _FROST / "logback.xml", _FROST / "archive-classes.sh"),
        copies=(_FROST / "logback.xml", _FROST / "archive-classes.sh"),
        prepare=prepare.frost_http,
    )


def _frost_mqtt(jre: Recipe) -> Recipe:
    return Recipe(
        name="frost-mqtt",
        tag=pinned.FROST,
        containerfile=_FROST / "mqtt.Containerfile",
        title="FROST-Server.MQTT",
        description="The MQTT module of FROST-Server as its authors publish it.",
        licenses="LGPL-3.0-only",
        source=_FROST_SOURCE,
        origin=f"maven:{_FROST_COORDINATES}",
        base=jre,
        packages=("openjdk-17-jre-headless",),
        inputs=(_FROST / "pom.xml", _FROST / "logback.xml", _FROST / "archive-classes.sh"),
        copies=(_FROST / "logback.xml", _FROST / "archive-classes.sh"),
        prepare=prepare.frost_mqtt,
    )


def _mosquitto(debian: Recipe) -> Recipe:
    configuration = _FOLDER / "mosquitto" / "mosquitto.conf"
    return Recipe(
        name="mosquitto",
        tag=pinned.MOSQUITTO.removesuffix("-*"),
        containerfile=_FOLDER / "mosquitto" / "Containerfile",
        title="Eclipse Mosquitto",
        description="Debian's mosquitto, with the paths and the user of docker.io/library/eclipse-mosquitto.",
        licenses="EPL-2.0 OR BSD-3-Clause",
        source="https://tracker.debian.org/pkg/mosquitto",
        base=debian,
        arguments={"MOSQUITTO": pinned.MOSQUITTO},
        packages=("mosquitto", "mosquitto-clients"),
        inputs=(configuration,),
        copies=(configuration,),
    )


def _postgresql(debian: Recipe) -> Recipe:
    return Recipe(
        name="postgresql",
        tag=f"{pinned.POSTGRESQL.removesuffix('.*')}-{pinned.POSTGIS.removesuffix('.*')}",
        containerfile=_FOLDER / "postgresql" / "Containerfile",
        title="PostgreSQL with PostGIS, Patroni and pgBackRest",
        description=(
            "Debian's PostgreSQL, PostGIS and pgBackRest, and Patroni as its authors publish it, with the user of"
            " docker.io/postgis/postgis and no entry point."
        ),
        licenses="PostgreSQL AND GPL-2.0-or-later AND MIT",
        source="https://tracker.debian.org/pkg/postgresql-15",
        base=debian,
        arguments={
            "POSTGRESQL": pinned.POSTGRESQL,
            "POSTGIS": pinned.POSTGIS,
            "PYTHON": pinned.PYTHON,
            "PGBACKREST": pinned.PGBACKREST,
        },
        packages=("postgresql-15", "postgresql-15-postgis-3", "pgbackrest"),
        inputs=(_FOLDER / "postgresql" / "requirements.txt",),
        prepare=prepare.postgresql,
    )


def _pause() -> Recipe:
    folder = _FOLDER / "pause"
    return Recipe(
        name="pause",
        tag=pinned.PAUSE,
        containerfile=folder / "Containerfile",
        title="pause",
        description="Holds a pod's namespaces open and ends at once when told to.",
        licenses="Apache-2.0",
        origin=f"{_PROJECT}: localcluster/images/pause",
        inputs=(folder / "main.go", folder / "go.mod"),
        prepare=prepare.pause,
    )


def _operator(debian: Recipe) -> Recipe:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    package = _ROOT / "operator" / "sensorthings_operator"
    sources = tuple(file for file in files_below(package) if (package / "cli") not in file.parents)
    return Recipe(
        name="operator",
        tag=str(project["version"]),
        containerfile=_FOLDER / "operator" / "Containerfile",
        title="sensorthings-operator",
        description=str(project["description"]),
        licenses="Apache-2.0",
        origin=f"{_PROJECT}: operator/sensorthings_operator uv.lock",
        base=debian,
        arguments={"PYTHON": pinned.PYTHON},
        packages=("python3.11",),
        inputs=(_ROOT / "uv.lock", _ROOT / "pyproject.toml", *sources),
        prepare=prepare.operator,
    )


def _mqtt_gate() -> Recipe:
    source = _ROOT / "gate"
    return Recipe(
        name="mqtt-gate",
        tag=_project_version(),
        containerfile=_FOLDER / "mqtt-gate" / "Containerfile",
        title="The MQTT gate of sensorthings-operator",
        description="Stands in front of FROST-Server's MQTT module: one CONNECT, no wills, tokens that end.",
        licenses="Apache-2.0",
        origin=f"{_PROJECT}: gate",
        inputs=(source / "go.mod", source / "go.sum", *_compiled(source)),
        prepare=prepare.mqtt_gate,
    )


def _portal() -> Recipe:
    source = _ROOT / "portal"
    page = source / "page"
    return Recipe(
        name="portal",
        tag=_project_version(),
        containerfile=_FOLDER / "portal" / "Containerfile",
        title="The live map page of sensorthings-operator",
        description="Serves a page that shows a service's Things on a map; with Leaflet and MQTT.js as npm has them.",
        licenses="Apache-2.0 AND BSD-2-Clause AND MIT",
        origin=f"{_PROJECT}: portal",
        inputs=(source / "go.mod", *_compiled(source, "*.go"), *(page / name for name in prepare.PAGE)),
        prepare=prepare.portal,
    )


def _compiled(source: Path, pattern: str = "**/*.go") -> tuple[Path, ...]:
    return tuple(sorted(file for file in source.glob(pattern) if not file.name.endswith("_test.go")))


def _project_version() -> str:
    return str(tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"])


@cache
def images() -> dict[str, Recipe]:
    """The images that pods use, by their short names, in the order of building."""
    debian = _debian()
    jre = _jre(debian)
    recipes = (
        _pause(),
        programs.coredns(),
        _postgresql(debian),
        _mosquitto(debian),
        _frost_mqtt(jre),
        _frost_http(jre),
        _operator(debian),
        _mqtt_gate(),
        _portal(),
        programs.metrics_server(),
        programs.cert_manager(),
        programs.cert_manager_acmesolver(),
        services.ingress_nginx(debian),
        services.envoy(debian),
        programs.envoy_gateway(),
        programs.pebble(),
        services.keycloak(jre),
        services.prometheus(debian),
        services.node_red(debian),
    )
    return {recipe.name: recipe for recipe in recipes}


def find(name: str) -> Recipe:
    """The image with a short name ("mosquitto") or a full one ("localhost/sensorthings/mosquitto:2.0.11").

    Raises:
        LocalClusterError: There is none.
    """
    short = re.sub(r"^.*/|:.*$", "", name)
    recipe = images().get(short)
    if recipe is None or name not in {short, recipe.reference}:
        known = ", ".join(recipe.reference for recipe in images().values())
        raise LocalClusterError(f"There is no image {name}.", f"There are: {known}.")
    return recipe
