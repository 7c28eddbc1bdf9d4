"""What every image promises: where it came from, who it runs as, and that it stops when told to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from localcluster.images import catalogue

if TYPE_CHECKING:
    from tests.e2e.images.containers import Runtime

# What each says when it is asked for its version.
VERSIONS = {
    "coredns": ("/coredns -version", "CoreDNS-1.15.0"),
    "postgresql": ("postgres --version", "PostgreSQL) 15."),
    "metrics-server": ("/metrics-server --version", "v0.9.0"),
    "cert-manager": ("/controller --version", "v1.21.2"),
    "cert-manager-acmesolver": ("/acmesolver --version", "v1.21.2"),
    "ingress-nginx": ("/nginx-ingress-controller --version", "nginx version: nginx/1.22.1"),
    "envoy": ("envoy --version", "/1.40.0/"),
    "prometheus": ("/usr/bin/prometheus --version", "prometheus, version 2.42.0"),
}


@pytest.mark.parametrize("name", catalogue.images())
def test_runs_as_a_numeric_user_and_says_where_it_came_from(runtime: Runtime, name: str) -> None:
    configuration = runtime.configuration(name)
    user, _, group = configuration["User"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    labels = configuration["Labels"]
    for label in ("title", "description", "version", "licenses"):
        assert labels[f"org.opencontainers.image.{label}"], label
    assert labels.get("city.sensorthings.origin") or labels.get("city.sensorthings.debian-packages")


def test_pause_ends_at_once(runtime: Runtime) -> None:
    container = runtime.run("pause")
    code, seconds = container.stop()
    assert code == 0
    assert seconds < 5, "not by SIGKILL"


@pytest.mark.parametrize("name", VERSIONS)
def test_it_starts_and_says_its_version(runtime: Runtime, name: str) -> None:
    command, version = VERSIONS[name]
    container = runtime.run(name, command=command.split())
    assert container.process.wait(timeout=30) == 0, container.log
    assert version in container.log


@pytest.mark.parametrize(
    ("command", "version"),
    [("patroni --version", "patroni 4.1."), ("patronictl version", "patronictl version 4.1."), ("flock --version", "")],
)
def test_postgresql_has_what_a_pair_needs(runtime: Runtime, command: str, version: str) -> None:
    container = runtime.run("postgresql", command=command.split())
    assert container.process.wait(timeout=30) == 0, container.log
    assert version in container.log


def test_the_operator_holds_its_locked_dependencies_and_nothing_else(runtime: Runtime) -> None:
    script = (
        "import importlib.metadata, importlib.util, json, sys\n"
        "import kopf, orjson, pydantic, uvloop, asyncpg, aiohttp, yaml, sensorthings_operator\n"
        "json.dump({'installed': sorted(d.name.lower() for d in importlib.metadata.distributions()),\n"
        "           'cli': importlib.util.find_spec('sensorthings_operator.cli') is not None}, sys.stdout)"
    )
    container = runtime.run("operator", command=["python3", "-c", script])
    assert container.process.wait(timeout=60) == 0, container.log
    found = json.loads(container.log)
    assert "kopf" in found["installed"]
    assert not found["cli"]
    assert not {"kubernetes", "pulumi", "rich", "typer", "pytest", "jinja2"} & set(found["installed"])


def test_the_operator_needs_not_compile_at_run_time(runtime: Runtime) -> None:
    runtime.configuration("operator")
    package = runtime.root("operator") / "app" / "sensorthings_operator"
    sources = {path.relative_to(package).with_suffix("").as_posix() for path in package.rglob("*.py")}
    compiled = {
        (path.parent.parent.relative_to(package) / path.name.split(".")[0]).as_posix()
        for path in package.rglob("*.pyc")
    }
    assert sources
    assert sources == compiled
