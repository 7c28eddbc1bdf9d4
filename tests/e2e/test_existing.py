"""``up --context``: operator and example in a cluster that somebody made, here a bare node."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from localcluster import images, install, plan
from localcluster.images import pinned
from localcluster.leftovers import leftovers
from tests.e2e.conftest import SENSORTHINGS, sensorthings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = "e2e-node"
_UP_SECONDS = 3000  # a cold machine compiles the cluster's parts first


@pytest.fixture(scope="module")
def node() -> Iterator[dict[str, str]]:
    """A node that is Ready, with images but nothing else in it."""
    result = sensorthings("up", "--name", _NAME, "--node-only", "--output", "json", seconds=_UP_SECONDS)
    assert result.returncode == 0
    yield json.loads(result.stdout)
    assert sensorthings("down", "--name", _NAME, seconds=600).returncode == 0
    assert leftovers(plan.find(_NAME)) == []


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Values of the chart with images that this cluster has."""
    archives = images.build_all(lambda _: None, install.IMAGES)
    file = tmp_path_factory.mktemp("values") / "values.yaml"
    file.write_text(yaml.safe_dump(install.chart_values(archives, pinned.FROST)))
    return file


def _objects(node: dict[str, str], resource: str) -> list[dict[str, Any]]:
    command = [
        node["kubectl"],
        f"--kubeconfig={node['kubeconfig']}",
        "get",
        resource,
        "--all-namespaces",
        "--output=json",
    ]
    found: list[dict[str, Any]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["items"]
    return found


def test_operator_and_example_are_installed_and_nothing_else(node: dict[str, str], values: Path) -> None:
    namespaces = {each["metadata"]["name"] for each in _objects(node, "namespaces")}
    context = f"sta-{_NAME}"
    command = [str(SENSORTHINGS), "up", "--context", context, "--kubeconfig", node["kubeconfig"], f"--values={values}"]
    result = subprocess.run([*command, "--output", "json"], text=True, capture_output=True, check=False, timeout=900)
    assert result.returncode == 0, result.stderr

    after = {each["metadata"]["name"] for each in _objects(node, "namespaces")}
    assert after - namespaces == {"sensorthings-system", "hamburg"}
    (service,) = _objects(node, "sensorthingsservices")
    assert service["spec"]["exposure"] == {"type": "None"}
    ready = [each["status"] for each in service["status"]["conditions"] if each["type"] == "Ready"]
    assert ready == ["True"]
    said = {each["name"]: each["url"] for each in service["status"]["endpoints"]}
    assert json.loads(result.stdout)["sensorthings"] == said["sensorthings"]
    flat = " ".join(result.stderr.split())
    assert "must be able to pull them" in flat
    assert "the cluster has no IngressClass nginx; it has no ClusterIssuer" in flat


def test_a_context_that_is_not_there_is_named(node: dict[str, str]) -> None:
    command = [str(SENSORTHINGS), "up", "--context", "nobody", "--kubeconfig", node["kubeconfig"]]
    result = subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)
    assert result.returncode == 1
    assert "nobody" in result.stderr
    assert "kubectl config get-contexts" in result.stderr
