"""`sensorthings city check`: what is wrong with a city, and with cities beside each other, by file and key."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from sensorthings_operator.cli import app
from tests.unit.cli.city.conftest import ROOT, encrypt

if TYPE_CHECKING:
    from pathlib import Path


def _check(stacks: Path, *names: str) -> Result:
    return CliRunner().invoke(app, ["city", "check", *names, "--stacks", str(stacks)])


def _change(stacks: Path, layer: str, name: str, **changes: Any) -> None:
    """Change some keys of a file; None takes one away. Keys of other projects have their colon as two underscores."""
    path = stacks / layer / f"Pulumi.{name}.yaml"
    content = yaml.safe_load(path.read_text())
    for key, value in changes.items():
        whole = key.replace("__", ":").replace("_", "-") if "__" in key else f"sensorthings-{layer}:{key}"
        if value is None:
            del content["config"][whole]
        else:
            content["config"][whole] = value
    path.write_text(yaml.safe_dump(content))


def test_the_cities_of_this_repository_are_right() -> None:
    result = _check(ROOT / "stacks")
    assert result.exit_code == 0, result.output
    assert "3 of 3 cities can be used" in result.output


def test_a_missing_secret_is_told_with_the_command_that_sets_it(stacks: Path) -> None:
    result = _check(stacks, "munich")
    assert result.exit_code == 0
    assert "--secret --path 'sensorthings-database:passwords.replication'" in result.output
    encrypt(stacks, "munich")
    assert "lacks" not in _check(stacks, "munich").output


def test_a_secret_that_is_encrypted_as_a_whole_is_there(stacks: Path) -> None:
    _change(stacks, "database", "munich", passwords={"secure": "v1:AAAA:BBBB"})
    result = _check(stacks, "munich")
    assert result.exit_code == 0, result.output
    assert "lacks" not in result.output


_ADDRESSES = {"cluster": "10.20.0.0/20", "database": "10.20.16.0/24"}
_KNOWN = {
    "keycloakRealms": {"hamburg": {"url": "https://id.hamburg.example", "realm": "hamburg", "secretName": "other"}}
}
WRONG: list[tuple[str, str, dict[str, Any], str]] = [
    ("network", "munich", {"addresses": _ADDRESSES}, "overlaps with network of hamburg (10.20.0.0/16)"),
    ("network", "munich", {"addresses": {"network": "10.21.0.0/16"}}, "cluster (10.20.0.0/20) must lie within network"),
    ("network", "munich", {"addresses": {"cluster": "10.20.0.0/40"}}, "addresses.cluster: must be an IPv4 range"),
    ("network", "munich", {"dnsZone": "hamburg.example"}, "dnsZone: is the zone of hamburg, too"),
    ("network", "munich", {"hosts": ["air"]}, "leads nowhere: add iot to hosts of the network, which has air"),
    ("network", "munich", {"host": ["air"]}, "host: is not a key: keys here are addresses, dnsZone, hosts"),
    ("network", "munich", {"azure_native__location": "norwayeast"}, "must be norwayeast, as in the network's file"),
    ("network", "munich", {"azure_native__location": None}, "azure-native:location: is required"),
    ("network", "munich", {"sensorthings_city__x": 1}, "sensorthings-city:x: is of another layer"),
    ("cluster", "munich", {"kubernetesVersion": 1.3}, "kubernetesVersion: must be text: put it into quotation marks"),
    ("cluster", "munich", {"kubernetesVersion": None}, "kubernetesVersion: is required"),
    ("database", "munich", {"diskGibibytes": "large"}, "diskGibibytes: must be a whole number from 32 to 32767"),
    ("platform", "munich", {"pulumi__disable_default_providers": []}, "would go wherever kubectl points"),
    ("platform", "munich", {"operator": {}}, "is no realm that the operator knows: operator.keycloakRealms"),
    (
        "platform",
        "hamburg",
        {"operator": {}},
        "realm.name: is not told to the operator: add it to operator.keycloakRea",
    ),
    ("platform", "hamburg", {"operator": _KNOWN}, "hamburg.secretName: must be keycloak-hamburg, as the city layer"),
    ("city", "hamburg", {"realm": {"name": "hamburg", "url": "https://id.x.example"}}, "must be https://id.x.example"),
    ("city", "hamburg", {"realm": {"name": "hamburg", "url": "http://id.x.example"}}, "realm.url: must be text that"),
    ("city", "hamburg", {"realm": {"name": "master", "url": "https://id.x.example"}}, "services get one of their own"),
    ("city", "hamburg", {"realm": {"name": "ha mb", "url": "https://id.x.example"}}, "is no name of a realm here"),
    ("database", "hamburg", {"keycloak": None}, "keycloak.database: is missing: add keycloak to the database's file"),
    ("platform", "smalltown", {"cluster": {"context": "x"}}, "cluster: must be what stands in the platform's file"),
    ("platform", "munich", {"target": "existing"}, "cluster: is required where target is existing"),
    ("city", "smalltown", {"target": "existng"}, 'target: must be one of azure, existing (given: "existng")'),
    ("city", "munich", {"tenants": [{"namespace": "monitoring"}]}, "the platform's or the cluster's own"),
    ("city", "munich", {"tenants": [{"namespace": "Air"}]}, "tenants[0].namespace: must be"),
]


@pytest.mark.parametrize(("layer", "name", "changes", "told"), WRONG, ids=lambda value: str(value)[:30])
def test_what_is_wrong_is_told_by_file_and_key(
    stacks: Path, layer: str, name: str, changes: dict[str, Any], told: str
) -> None:
    _change(stacks, layer, name, **changes)
    result = _check(stacks, name)
    assert result.exit_code == 1
    assert told in result.output
    assert f"Pulumi.{name}.yaml" in result.output
    assert "0 of 1 city can be used" in result.output


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"auth": {"type": "None"}}, "allowAnonymousWrite"),
        ({"version": "0.0.1"}, "FROST-Server 0.0.1 is not known"),
        ({"host": "iot.hamburg.example"}, "is a host of hamburg, too"),
        ({"host": "air.munich.example"}, "the host air.munich.example stands there twice"),
        ({"exposure": {"type": "IngressNginx", "ingressNginx": {"mqttPort": 8884}}}, "is that of bicycles"),
    ],
)
def test_specs_are_held_against_the_rules_of_the_api(stacks: Path, spec: dict[str, Any], told: str) -> None:
    path = stacks / "city" / "Pulumi.munich.yaml"
    content = yaml.safe_load(path.read_text())
    content["config"]["sensorthings-city:tenants"][0]["services"][0]["spec"].update(spec)
    path.write_text(yaml.safe_dump(content))
    result = _check(stacks, "munich")
    assert result.exit_code == 1
    assert told in result.output


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("config: [", "is no YAML: line"),
        ("- one\n", "must hold an object `config`"),
        ("config:\n  a:b: 1\n  a:b: 2\n", "the key 'a:b' stands twice"),
    ],
)
def test_a_file_that_can_not_be_read_is_named(stacks: Path, content: str, told: str) -> None:
    (stacks / "network" / "Pulumi.munich.yaml").write_text(content)
    result = _check(stacks, "munich")
    assert result.exit_code == 1
    assert told in result.output


def test_a_city_without_all_its_layers_is_none(stacks: Path) -> None:
    (stacks / "database" / "Pulumi.munich.yaml").unlink()
    assert "there is no database/Pulumi.munich.yaml" in _check(stacks, "munich").output


def test_an_existing_cluster_has_no_layers_of_azure(stacks: Path) -> None:
    munich = stacks / "network" / "Pulumi.munich.yaml"
    munich.rename(munich.with_name("Pulumi.smalltown.yaml"))
    assert "a city of target existing has no such layer" in _check(stacks, "smalltown").output


def test_two_cities_do_not_share_a_cluster(stacks: Path) -> None:
    for layer in ("platform", "city"):
        path = stacks / layer / "Pulumi.smalltown.yaml"
        path.with_name("Pulumi.village.yaml").write_text(path.read_text())
    assert "cluster: is the cluster of smalltown, too" in _check(stacks, "village").output


@pytest.mark.parametrize("name", ["windows", "login1", "office", "sharepoint", "a", "Munich", "bad-name", "x" * 13])
def test_a_name_that_azure_would_refuse_is_told(stacks: Path, name: str) -> None:
    for path in stacks.glob("*/Pulumi.munich.yaml"):
        path.rename(path.with_name(f"Pulumi.{name}.yaml"))
    result = _check(stacks, name)
    assert result.exit_code == 1
    assert "the name of a city stands in the names of all its resources" in result.output


def test_an_unknown_city_is_a_wrong_call(stacks: Path) -> None:
    result = _check(stacks, "atlantis")
    assert result.exit_code == 2
    assert "there are hamburg, munich, smalltown" in " ".join(result.output.replace("│", " ").split())


def test_fifty_cities_are_checked_in_seconds(stacks: Path) -> None:
    for number in range(47):
        for path in stacks.glob("*/Pulumi.munich.yaml"):
            text = path.read_text().replace("munich", f"city{number}").replace("10.21.", f"10.{number + 30}.")
            path.with_name(f"Pulumi.city{number}.yaml").write_text(text)
    began = time.process_time()
    result = _check(stacks)
    seconds = time.process_time() - began
    assert "50 of 50 cities can be used" in result.output
    assert seconds < 20


def test_the_command_line_does_without_pulumis_packages() -> None:
    program = (
        "import sys; from sensorthings_operator.cli import app; "
        "assert not {name for name in sys.modules if name.split('.')[0].startswith('pulumi')}"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
