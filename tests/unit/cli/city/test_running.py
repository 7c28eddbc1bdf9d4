"""`sensorthings city preview`, `up`, `status`, `down` with a stand-in for Pulumi: order, refusals, going on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from sensorthings_operator.cli import app
from sensorthings_operator.cli.city.guard import refusals
from sensorthings_operator.cli.city.pulumi import Step
from tests.unit.cli.city.conftest import LAYERS, StandIn, encrypt

if TYPE_CHECKING:
    from pathlib import Path

ALL = list(LAYERS)


def _run(stacks: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["city", *arguments, "--stacks", str(stacks)])


@pytest.fixture
def munich(stacks: Path) -> Path:
    encrypt(stacks, "munich")
    return stacks


def test_up_brings_the_layers_up_in_order(munich: Path, pulumi: StandIn) -> None:
    result = _run(munich, "up", "munich", "--yes")
    assert result.exit_code == 0, result.output
    assert pulumi.calls("up") == ALL
    assert "[5/5] city: done" in result.output
    assert "munich is up" in result.output


def test_a_second_up_changes_nothing(munich: Path, pulumi: StandIn) -> None:
    _run(munich, "up", "munich", "--yes")
    result = _run(munich, "up", "munich", "--yes")
    assert pulumi.calls("up") == ALL
    assert result.output.count("as it should be") == 5


def test_up_goes_on_where_it_stopped(munich: Path, pulumi: StandIn) -> None:
    pulumi.set(faults={"up database": "no such size in this region"})
    result = _run(munich, "up", "munich", "--yes")
    assert result.exit_code == 1
    assert "`pulumi up` of database ended with 255" in result.output
    assert "`sensorthings city up munich` goes on here" in result.output
    assert pulumi.calls("up") == ["network", "cluster", "database"]
    assert _run(munich, "up", "munich", "--yes").exit_code == 0
    assert pulumi.calls("up") == ["network", "cluster", "database", "database", "platform", "city"]


def test_what_the_program_says_is_shown(munich: Path, pulumi: StandIn) -> None:
    pulumi.set(faults={"preview network": "the configuration of this stack can't be used"})
    result = _run(munich, "up", "munich", "--yes")
    assert result.exit_code == 1
    assert "the configuration of this stack can't be used" in result.output
    assert pulumi.calls("up") == []


_CLUSTER = "urn:pulumi:munich::sensorthings-cluster::a:b:C$azure-native:containerservice:ManagedCluster::munich"


@pytest.mark.parametrize("verb", ["up", "preview"])
def test_a_plan_that_replaces_the_cluster_is_refused(munich: Path, pulumi: StandIn, verb: str) -> None:
    pulumi.set(plans={"cluster": [{"op": "replace", "urn": _CLUSTER}]})
    stacks: dict[str, Any] = {layer: {"name": "munich", "resourceCount": 3, "history": []} for layer in ALL}
    pulumi.set(stacks=stacks)
    result = _run(munich, verb, "munich", *(["--yes"] if verb == "up" else []))
    assert result.exit_code == 1
    assert "replace of munich: the cluster, with its default pool" in result.output
    assert "cluster" not in pulumi.calls("up")


def test_preview_changes_nothing_and_stops_where_nothing_can_be_known(munich: Path, pulumi: StandIn) -> None:
    result = _run(munich, "preview", "munich")
    assert result.exit_code == 0
    assert "[1/5] network: not there yet" in result.output
    assert pulumi.calls("preview") == pulumi.calls("up") == pulumi.calls("stack select") == []
    _run(munich, "up", "munich", "--yes")
    result = _run(munich, "preview", "munich")
    assert result.output.count("no changes") == 5


def test_a_city_on_an_existing_cluster_has_two_layers(stacks: Path, pulumi: StandIn) -> None:
    encrypt(stacks, "smalltown")
    assert _run(stacks, "up", "smalltown", "--yes").exit_code == 0
    assert pulumi.calls("up") == ["platform", "city"]


def test_down_takes_the_last_layer_first_and_stops_at_what_is_protected(munich: Path, pulumi: StandIn) -> None:
    _run(munich, "up", "munich", "--yes")
    pulumi.set(faults={"destroy database": "resource is protected"})
    result = _run(munich, "down", "munich", "--confirm", "munich")
    assert result.exit_code == 1
    assert pulumi.calls("destroy") == ["city", "platform", "database"]
    assert "state unprotect --all --stack munich" in result.output
    assert _run(munich, "down", "munich", "--confirm", "munich").exit_code == 0
    assert pulumi.calls("destroy") == ["city", "platform", "database", "database", "cluster", "network"]


def test_down_wants_the_name_again(munich: Path, pulumi: StandIn) -> None:
    result = _run(munich, "down", "munich", "--confirm", "hamburg")
    assert result.exit_code == 2
    assert pulumi.read()["calls"] == []


def test_status_ends_with_3_until_every_layer_is_up(munich: Path, pulumi: StandIn) -> None:
    assert _run(munich, "status", "munich").exit_code == 3
    pulumi.set(faults={"up platform": "quota exceeded"})
    _run(munich, "up", "munich", "--yes")
    result = _run(munich, "status", "munich")
    assert result.exit_code == 3
    assert [line.split()[0] for line in result.stdout.splitlines()] == ALL
    assert "update failed" in result.stdout
    assert "not there yet" in result.stdout
    _run(munich, "up", "munich", "--yes")
    assert _run(munich, "status", "munich").exit_code == 0


@pytest.mark.parametrize("verb", ["up", "preview"])
def test_a_city_that_lacks_a_secret_is_refused_before_anything_is_asked(
    stacks: Path, pulumi: StandIn, verb: str
) -> None:
    result = _run(stacks, verb, "munich", *(["--yes"] if verb == "up" else []))
    assert result.exit_code == 1
    assert "passwords.replication" in result.output
    assert pulumi.read()["calls"] == []


def test_a_wrong_city_is_refused_before_anything_is_asked(munich: Path, pulumi: StandIn) -> None:
    path = munich / "network" / "Pulumi.munich.yaml"
    path.write_text(path.read_text().replace("10.21.0.0/16", "10.20.0.0/16"))
    result = _run(munich, "up", "munich", "--yes")
    assert result.exit_code == 1
    assert pulumi.read()["calls"] == []


@pytest.mark.parametrize("verb", ["up", "preview", "status", "down"])
def test_without_pulumi_the_way_to_it_is_told(munich: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = _run(munich, verb, "munich", *(["--confirm", "munich"] if verb == "down" else []))
    assert result.exit_code == 1
    assert "There is no `pulumi` on the PATH" in result.output
    assert "https://www.pulumi.com/docs/install/" in result.output


def test_without_the_programs_packages_the_command_that_installs_them_is_told(munich: Path, pulumi: StandIn) -> None:
    (munich / ".venv").rmdir()
    result = _run(munich, "up", "munich", "--yes")
    assert result.exit_code == 1
    assert "uv sync --frozen --no-default-groups --group stacks" in result.output
    assert pulumi.read()["calls"] == []


@pytest.mark.parametrize(
    ("operation", "kind", "refused"),
    [
        ("replace", "azure-native:compute:Disk", True),
        ("delete", "azure-native:compute:Disk", True),
        ("delete-replaced", "azure-native:containerservice:ManagedCluster", True),
        ("replace", "azure-native:containerservice/v20250901:ManagedCluster", True),
        ("delete", "kubernetes:core/v1:Namespace", True),
        ("replace", "azure-native:storage:StorageAccount", True),
        ("delete", "azure-native:storage:BlobContainer", True),
        ("update", "azure-native:containerservice:ManagedCluster", False),
        ("create", "azure-native:compute:Disk", False),
        ("replace", "azure-native:containerservice:AgentPool", False),
        ("delete", "kubernetes:core/v1:ConfigMap", False),
    ],
)
def test_plans_are_refused_by_what_they_take_away(operation: str, kind: str, refused: bool) -> None:
    step = Step(operation, f"urn:pulumi:munich::sensorthings-x::sensorthings:a:B${kind}::name")
    assert bool(refusals([step])) is refused


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        (["agentPoolProfiles[0].vmSize"], True),
        (["tags", "agentPoolProfiles[0].availabilityZones[2]"], True),
        (["agentPoolProfiles[0].maxCount", "kubernetesVersion"], False),
        ([], False),
    ],
)
def test_a_plan_for_which_the_default_pool_would_have_to_be_another_is_refused(
    munich: Path, pulumi: StandIn, changed: list[str], refused: bool
) -> None:
    """AKS itself would refuse it, halfway through the layer."""
    diff = {path: {"kind": "update"} for path in changed}
    pulumi.set(plans={"cluster": [{"op": "update", "urn": _CLUSTER, "detailedDiff": diff}]})
    stacks: dict[str, Any] = {layer: {"name": "munich", "resourceCount": 3, "history": []} for layer in ALL}
    pulumi.set(stacks=stacks)
    result = _run(munich, "up", "munich", "--yes")
    assert (result.exit_code == 1) is refused
    assert ("can't change without another default pool" in result.output) is refused
    assert ("cluster" in pulumi.calls("up")) is not refused
