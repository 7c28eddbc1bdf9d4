"""``sensorthings up`` and ``down``: which kind of cluster they mean, and what they print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from localcluster import cluster, existing, kind
from localcluster.endpoints import Endpoints
from localcluster.errors import LocalClusterError
from localcluster.installation import Installation
from sensorthings_operator.cli.down import down
from sensorthings_operator.cli.up import up

if TYPE_CHECKING:
    from typer.testing import Result

_ENDPOINTS = Endpoints(
    kubeconfig="/s/kubeconfig",
    kubectl="/b/kubectl",
    sensorthings="https://iot.city.example/FROST-Server/v1.1",
    mqtt="mqtts://iot.city.example:8883",
    websocket="wss://iot.city.example/mqtt",
    address="127.30.0.1",
    ca="/s/ca.crt",
    keycloak="https://id.city.example",
    prometheus="http://127.30.0.1:9090",
    writer="/s/writer.json",
)


def _type(*arguments: str) -> Result:
    app = typer.Typer()
    for command in (up, down):
        app.command()(command)
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which of the three ways was gone."""
    names: list[str] = []

    def way(name: str) -> object:
        def go(*_: object) -> Endpoints:
            names.append(name)
            return _ENDPOINTS

        return go

    monkeypatch.setattr(cluster, "up", way("node"))
    monkeypatch.setattr(kind, "up", way("kind"))
    monkeypatch.setattr(existing, "up", way("existing"))
    return names


@pytest.mark.parametrize(
    ("arguments", "way"),
    [
        ((), "node"),
        (("--node-only",), "node"),
        (("--kind",), "kind"),
        (("--context", "mine"), "existing"),
    ],
)
def test_which_cluster_is_meant(called: list[str], arguments: tuple[str, ...], way: str) -> None:
    assert _type("up", *arguments).exit_code == 0
    assert called == [way]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--kubeconfig", __file__),
        ("--values", __file__),
        ("--context", "mine", "--name", "a"),
        ("--context", "mine", "--node-only"),
        ("--context", "mine", "--kind"),
        ("--node-only", "--kind"),
        ("--context", "mine", "--kubeconfig", "/nowhere/at/all"),
    ],
)
def test_what_makes_no_sense_together_is_refused(called: list[str], arguments: tuple[str, ...]) -> None:
    assert _type("up", *arguments).exit_code == 2
    assert called == []


@pytest.mark.usefixtures("called")
def test_the_json_holds_every_endpoint_and_the_text_says_how_names_are_found() -> None:
    assert json.loads(_type("up", "--output", "json").stdout) == _ENDPOINTS.as_dict()
    text = _type("up", "--name", "a").stdout
    assert "The names lead to 127.30.0.1" in text
    for value in (_ENDPOINTS.prometheus, _ENDPOINTS.ca, "KUBECONFIG=/s/kubeconfig PATH=/b:$PATH"):
        assert value in text
    assert text.rstrip().endswith("down --name a")
    assert "down" not in _type("up", "--context", "mine").stdout


def test_a_failure_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Endpoints:
        raise LocalClusterError("the disk is [full]", "free some")

    monkeypatch.setattr(cluster, "up", fail)
    monkeypatch.setattr(cluster, "down", fail)
    for command in ("up", "down"):
        result = _type(command)
        assert result.exit_code == 1
        assert "Error: the disk is [full]\nfree some" in result.stderr


def test_the_example_that_up_applies_is_in_the_repository() -> None:
    example = Installation().example
    assert example is not None
    assert Path(example).exists()
