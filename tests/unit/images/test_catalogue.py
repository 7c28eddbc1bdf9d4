"""The table of images: names, pins, labels, and Containerfiles that keep the rules for restricted pods."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from localcluster import images
from localcluster.errors import LocalClusterError
from localcluster.images import catalogue, pinned

ROOT = Path(__file__).parents[3]
RECIPES = catalogue.images()
FOLDER = ROOT / "localcluster" / "images"


def test_names_are_those_the_operator_and_the_cluster_use() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert set(images.image_names()) == {
        "localhost/sensorthings/pause:1",
        "localhost/sensorthings/coredns:1.15.0",
        "localhost/sensorthings/postgresql:15-3.3",
        "localhost/sensorthings/mosquitto:2.0.11",
        "localhost/sensorthings/frost-mqtt:2.0.0",
        "localhost/sensorthings/frost-http:2.0.0-dev",
        f"localhost/sensorthings/operator:{version}",
        f"localhost/sensorthings/mqtt-gate:{version}",
        f"localhost/sensorthings/portal:{version}",
        "localhost/sensorthings/metrics-server:0.9.0",
        "localhost/sensorthings/cert-manager:1.21.2",
        "localhost/sensorthings/cert-manager-acmesolver:1.21.2",
        "localhost/sensorthings/ingress-nginx:0.0.0-20240708192948-52c50467d67d",
        "localhost/sensorthings/envoy:1.40.0",
        "localhost/sensorthings/envoy-gateway:1.9.1",
        "localhost/sensorthings/pebble:2.10.1",
        "localhost/sensorthings/keycloak:26.7.3",
        "localhost/sensorthings/prometheus:2.42.0",
        "localhost/sensorthings/node-red:4.1.8",
    }


@pytest.mark.parametrize("name", RECIPES)
def test_each_runs_as_a_numeric_user_other_than_root(name: str) -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", RECIPES[name].containerfile.read_text(), re.MULTILINE)
    assert int(user) > 0


@pytest.mark.parametrize("name", RECIPES)
def test_each_says_what_it_is_and_where_it_came_from(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.title
    assert recipe.description
    assert recipe.licenses
    assert recipe.origin or recipe.packages


@pytest.mark.parametrize("name", RECIPES)
def test_build_arguments_and_copied_files_are_used(name: str) -> None:
    recipe = RECIPES[name]
    text = recipe.containerfile.read_text()
    for argument in recipe.arguments:
        assert f"ARG {argument}\n" in text
    for path in recipe.copies:
        assert path in recipe.inputs
        assert path.name in text


def test_the_development_image_does_not_pass_for_upstream() -> None:
    labels = RECIPES["frost-http"].labels
    assert "not the upstream HTTP module" in labels["org.opencontainers.image.description"]
    assert labels["org.opencontainers.image.title"] == f"Development image of FROST Core {pinned.FROST}"


@pytest.mark.parametrize("name", ["cert-manager", "cert-manager-acmesolver", "ingress-nginx"])
def test_what_is_put_together_here_does_not_pass_for_upstream(name: str) -> None:
    description = RECIPES[name].labels["org.opencontainers.image.description"]
    assert "For development and tests." in description
    assert "not upstream's" in description or "edited" in description


def test_own_go_files_and_the_edits_of_the_template_go_into_the_hash() -> None:
    names = {path.name for path in RECIPES["cert-manager"].inputs}
    assert {"go.mod", "go.sum", "main.go"} <= names
    inputs = RECIPES["ingress-nginx"].inputs
    assert FOLDER / "nginx_template.py" in inputs
    assert FOLDER / "ingress-nginx" / "resty" in inputs


def test_the_command_line_does_not_go_into_the_operator() -> None:
    package = ROOT / "operator" / "sensorthings_operator"
    inside = [path for path in RECIPES["operator"].inputs if path.is_relative_to(package)]
    assert package / "__init__.py" in inside
    assert not [path for path in inside if path.is_relative_to(package / "cli")]


@pytest.mark.parametrize("name", ["mosquitto", "localhost/sensorthings/mosquitto:2.0.11"])
def test_images_are_found_by_both_names(name: str) -> None:
    assert catalogue.find(name) is RECIPES["mosquitto"]


@pytest.mark.parametrize("name", ["mosquito", "localhost/sensorthings/mosquitto:3", "docker.io/library/mosquitto"])
def test_an_unknown_image_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(LocalClusterError, match=r"There is no image(.|\n)*mosquitto:2\.0\.11"):
        catalogue.find(name)


def test_no_registry_host_is_written_down() -> None:
    hosts = re.compile(r"pypi\.org|pythonhosted|repo1?\.maven|maven\.apache\.org/maven2|proxy\.golang|deb\.debian\.org")
    files = [path for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert len(files) > 15
    assert not [path for path in files if hosts.search(path.read_text())]
