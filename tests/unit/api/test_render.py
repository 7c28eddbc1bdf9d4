"""``sensorthings render``: what it prints, what it refuses, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from sensorthings_operator.cli.render import render
from tests.unit.api.examples import CONNECTOR, SMALL_SERVICE, patched

app = typer.Typer()
app.command()(render)


def call(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def documents(*manifests: Any) -> str:
    return yaml.safe_dump_all(manifests)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "air.yaml"
    path.write_text(documents(SMALL_SERVICE))
    return path


def test_children_are_yaml_documents(file: Path) -> None:
    result = call(str(file))
    assert result.exit_code == 0
    made = list(yaml.safe_load_all(result.stdout))
    assert {"StatefulSet", "Deployment", "Service"} <= {manifest["kind"] for manifest in made}
    assert {manifest["metadata"]["namespace"] for manifest in made} == {"default"}


def test_children_are_a_list_of_json(file: Path) -> None:
    listed = json.loads(call(str(file), "--output", "json").stdout)
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "List")
    assert listed["items"] == list(yaml.safe_load_all(call(str(file)).stdout))


def test_standard_input_and_the_same_bytes_each_time(file: Path) -> None:
    assert call("-", stdin=file.read_text()).stdout == call(str(file)).stdout


def test_namespace_is_for_manifests_that_name_none() -> None:
    other = patched(SMALL_SERVICE, {"metadata": {"namespace": "hamburg"}})
    made = yaml.safe_load_all(call("-", "--namespace=altona", stdin=documents(SMALL_SERVICE, other)).stdout)
    assert {manifest["metadata"]["namespace"] for manifest in made} == {"altona", "hamburg"}


def test_manifests_of_others_and_connectors_of_other_services_are_passed_over() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    mixed = call("-", stdin=documents(secret, None, CONNECTOR, SMALL_SERVICE))
    assert mixed.exit_code == 0
    assert mixed.stdout == call("-", stdin=documents(SMALL_SERVICE)).stdout
    assert "Connector default/loader names a service that is not in standard input" in mixed.stderr


def test_a_connector_is_rendered_with_its_service() -> None:
    feeder = patched(CONNECTOR, {"spec": {"serviceRef": {"name": SMALL_SERVICE["metadata"]["name"]}}})
    made = list(yaml.safe_load_all(call("-", stdin=documents(feeder, SMALL_SERVICE)).stdout))
    assert "loader-connector" in {manifest["metadata"]["name"] for manifest in made if manifest["kind"] == "CronJob"}
    elsewhere = patched(feeder, {"metadata": {"namespace": "bikes"}})
    elsewhere["spec"]["serviceRef"]["namespace"] = "default"
    refused = call("-", stdin=documents(elsewhere, SMALL_SERVICE))
    assert refused.exit_code == 1
    assert "spec.allowedConnectors" in refused.stderr


def test_items_of_a_list_are_manifests() -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [SMALL_SERVICE]}
    assert call("-", stdin=documents(listed)).stdout == call("-", stdin=documents(SMALL_SERVICE)).stdout


def test_settings_choose_the_images(file: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("images: {mosquitto: 'registry.city.example/mosquitto:2'}")
    assert "registry.city.example/mosquitto:2" in call(str(file), f"--settings={settings}").stdout


WRONG = patched(SMALL_SERVICE, {"spec": {"hots": "x", "auth": {"type": "Kerberos"}}})


def test_what_is_wrong_is_told_with_file_document_path_given_and_allowed() -> None:
    result = call("-", stdin=documents(SMALL_SERVICE, WRONG))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "standard input, document 2 (SensorThingsService air)" in result.stderr
    assert 'spec.auth.type: must be one of Keycloak, Basic, None (given: "Kerberos")' in result.stderr
    assert "spec.hots: is not a field: did you mean host?" in result.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "line 1, column 5"),
        ("a: 1\na: 2", "line 2, column 1: the key 'a' stands twice"),
        ("- a", "document 1 is a list"),
        ("\ta: 1", "cannot start any token"),
        ("", "holds no SensorThingsService"),
        ("kind: Secret", "holds no SensorThingsService"),
        (documents({"kind": "List", "apiVersion": "v1", "items": ["x"]}), "items[0] is text"),
        (
            documents(patched(SMALL_SERVICE, {"spec": {"version": "1.9.0"}})),
            "spec.version: FROST-Server 1.9.0 is not known",
        ),
        (documents(patched(SMALL_SERVICE, {"kind": "SensorThings"})), "kind: must be one of SensorThingsService"),
        (documents(patched(CONNECTOR, {"spec": {"external": True}})), "spec.container: a connector has a container"),
        ("? [a]\n: 1", "line 1, column 3: found unhashable key"),
    ],
)
def test_a_file_that_cannot_be_rendered_is_explained(text: str, says: str) -> None:
    result = call("-", stdin=text)
    assert (result.exit_code, result.stdout) == (1, "")
    assert says in result.stderr


@pytest.mark.parametrize("text", ["imges: {}", "images: [", "images: {mosquitto: 1}"])
def test_settings_that_are_wrong_are_explained(file: Path, tmp_path: Path, text: str) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(text)
    result = call(str(file), f"--settings={settings}")
    assert result.exit_code == 1
    assert f"Error: {settings}" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("nowhere.yaml",), ("-", "--output=xml"), ("-", "--settings=nowhere.yaml")])
def test_a_wrong_call_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert call(*arguments, stdin="").exit_code == 2
