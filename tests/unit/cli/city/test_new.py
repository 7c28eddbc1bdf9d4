"""`sensorthings city new`: files for all layers, apart from other cities, and nothing where something is wrong."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from sensorthings_operator.cli import app
from sensorthings_stacks.cities.new import Answers, documents
from sensorthings_stacks.settings.network import Addresses
from tests.unit.cli.city.conftest import LAYERS

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "00000000-0000-4000-8000-000000000021"
AZURE = ["--dns-zone=bremen.example", "--host=iot.bremen.example", "--certificate-email=iot@bremen.example"]
AZURE += ["--location=germanywestcentral", f"--administrators={GROUP}", "--authorized-range=203.0.113.0/24"]
EXISTING = ["--target=existing", "--host=iot.village.example", "--certificate-email=it@village.example"]
EXISTING += ["--context=village", "--database-host=db.village.example"]


def _new(stacks: Path, name: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["city", "new", name, "--stacks", str(stacks), *arguments])


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key.pub"
    path.write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAA city@bremen.example\n")
    return f"--administrator-key={path}"


def _files(stacks: Path, name: str) -> set[str]:
    return {path.parent.name for path in stacks.glob(f"*/Pulumi.{name}.yaml")}


def test_a_city_on_azure_has_a_file_in_every_layer(stacks: Path, key: str) -> None:
    result = _new(stacks, "bremen", *AZURE, key)
    assert result.exit_code == 0, result.output
    assert _files(stacks, "bremen") == set(LAYERS)
    config = yaml.safe_load((stacks / "network" / "Pulumi.bremen.yaml").read_text())["config"]
    # Hamburg has 10.20, Munich 10.21.
    assert config["sensorthings-network:addresses"]["network"] == "10.22.0.0/16"
    assert config["sensorthings-network:hosts"] == ["iot"]
    check = CliRunner().invoke(app, ["city", "check", "--stacks", str(stacks)])
    assert "4 of 4 cities can be used" in check.output


def test_the_commands_to_go_on_with_are_printed(stacks: Path, key: str) -> None:
    (stacks / ".venv").rmdir()
    lines = _new(stacks, "bremen", *AZURE, key).output.splitlines()
    after = [line.strip() for line in lines[lines.index("Next:") + 1 :]]
    assert after[0].startswith("UV_PROJECT_ENVIRONMENT=stacks/.venv uv sync")
    assert sum("stack init bremen" in line for line in after) == 5
    assert any("passwords.replication" in line for line in after)
    assert after[-3:] == [f"sensorthings city {verb} bremen" for verb in ("check", "preview", "up")]


def test_a_city_on_an_existing_cluster_has_two(stacks: Path) -> None:
    result = _new(stacks, "village", *EXISTING)
    assert result.exit_code == 0, result.output
    assert _files(stacks, "village") == {"platform", "city"}
    assert "database.password" in result.output


def test_a_keycloak_of_the_citys_own_comes_with_its_name_its_database_and_its_realm(stacks: Path, key: str) -> None:
    result = _new(stacks, "bremen", *AZURE, key, "--keycloak-host=id.bremen.example")
    assert result.exit_code == 0, result.output
    files = {layer: yaml.safe_load((stacks / layer / "Pulumi.bremen.yaml").read_text())["config"] for layer in LAYERS}
    assert files["network"]["sensorthings-network:hosts"] == ["iot", "id"]
    assert files["database"]["sensorthings-database:keycloak"] == {}
    assert files["platform"]["sensorthings-platform:keycloak"]["host"] == "id.bremen.example"
    assert files["city"]["sensorthings-city:realm"] == {"name": "bremen", "url": "https://id.bremen.example"}
    (service,) = files["city"]["sensorthings-city:tenants"][0]["services"]
    assert service["spec"]["auth"] == {"type": "Keycloak", "keycloak": {"realm": "bremen"}}
    for secret in ("realm.administratorPassword", "keycloak.administratorPassword", "keycloak.password"):
        assert secret in result.output


def test_a_keycloak_that_is_there_gets_the_realm_and_nothing_else_of_it_is_made(stacks: Path) -> None:
    result = _new(stacks, "village", *EXISTING, "--keycloak-host=login.county.example")
    assert result.exit_code == 0, result.output
    files = {each: yaml.safe_load((stacks / each / "Pulumi.village.yaml").read_text())["config"] for each in LAYERS[3:]}
    assert "sensorthings-platform:keycloak" not in files["platform"]
    assert files["platform"]["sensorthings-platform:operator"] == {
        "keycloakRealms": {
            "village": {"url": "https://login.county.example", "realm": "village", "secretName": "keycloak-village"}
        }
    }
    assert files["city"]["sensorthings-city:realm"]["url"] == "https://login.county.example"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--keycloak-host=https://id.bremen.example"], "qualified DNS name in lower case"),
        (["--network=10.21.0.0/16"], "overlaps with network of munich (10.21.0.0/16)"),
        (["--network=10.20.128.0/17"], "overlaps with network of hamburg"),
        (["--network=198.51.100.0/24"], "must lie within 10.0.0.0/8"),
        (["--dns-zone=munich.example"], "is the zone of munich, too"),
        (["--host=iot.hamburg.example"], "is a host of hamburg, too"),
        (["--administrators=team"], "administrators[1]: must be a UUID"),
        (["--kubernetes-version=latest"], "kubernetesVersion: must be text that matches"),
        (["--tenant=ingress-nginx"], "is the platform's or the cluster's own"),
        (["--certificate-email=nobody"], "certificateEmail: must be"),
    ],
)
def test_nothing_is_written_where_something_is_wrong(stacks: Path, key: str, arguments: list[str], told: str) -> None:
    result = _new(stacks, "bremen", *AZURE, key, *arguments)
    assert result.exit_code == 1
    assert told in result.output
    assert _files(stacks, "bremen") == set()


@pytest.mark.parametrize("name", ["munich", "windows", "Bremen", "b", "bremen-city"])
def test_a_name_that_can_not_be_is_a_wrong_call(stacks: Path, key: str, name: str) -> None:
    before = {path: path.read_text() for path in stacks.glob("*/Pulumi.*.yaml")}
    result = _new(stacks, name, *AZURE, key)
    assert result.exit_code == 2
    assert {path: path.read_text() for path in stacks.glob("*/Pulumi.*.yaml")} == before


def test_where_nobody_is_there_to_be_asked_everything_missing_is_told(stacks: Path) -> None:
    result = _new(stacks, "bremen")
    assert result.exit_code == 2
    told = " ".join(result.output.replace("│", " ").split())
    assert "--dns-zone, --host, --certificate-email, --location, --administrators, --administrator-key" in told


@given(st.integers(min_value=8, max_value=21), st.integers(min_value=0, max_value=2**24 - 1))
def test_any_network_that_has_room_is_cut_into_a_plan(prefix: int, offset: int) -> None:
    network = IPv4Network(((10 << 24 | offset) >> (32 - prefix) << (32 - prefix), prefix))
    answers = Answers(name="x", target="azure", host="iot.x.example", email="", tenant="x", network=network)
    given_plan = yaml.safe_load(documents(answers)["network"])["config"]["sensorthings-network:addresses"]
    if any(network.overlaps(IPv4Network(given_plan[name])) for name in ("pods", "services")):
        return
    plan = Addresses.model_validate(given_plan)
    assert plan.cluster.subnet_of(network)
    assert plan.database.subnet_of(network)
