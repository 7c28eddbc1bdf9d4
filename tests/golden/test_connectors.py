"""What is made of a Connector: each folder below ``connectors/`` is a case, of a service in ``services.yaml``."""

from pathlib import Path
from typing import Final

import pytest
import yaml

from sensorthings_operator.api.manifests import yaml_text
from sensorthings_operator.api.parse import parse_connector, parse_service
from sensorthings_operator.cli.validate import validated
from sensorthings_operator.desired.connector import children
from sensorthings_operator.desired.connector.feed import Connector, Feed
from sensorthings_operator.desired.connector.grant import refusal
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from tests.golden.cases import SETTINGS, UID

_FOLDER: Final = Path(__file__).parent / "connectors"
_NAMES: Final = sorted(path.parent.name for path in _FOLDER.glob("*/connector.yaml"))
_CA: Final = "-----BEGIN CERTIFICATE-----\nof the city\n-----END CERTIFICATE-----\n"


def _service(namespace: str, name: str) -> Service:
    for manifest in yaml.safe_load_all((_FOLDER / "services.yaml").read_text()):
        if (manifest["metadata"]["namespace"], manifest["metadata"]["name"]) == (namespace, name):
            return Service(name, namespace, UID, 1, parse_service(manifest, unknown_fields="refuse").spec)
    raise AssertionError(name)


def _made(name: str) -> list[Manifest]:
    manifest = yaml.safe_load((_FOLDER / name / "connector.yaml").read_text())
    validated(manifest)
    spec = parse_connector(manifest, unknown_fields="refuse").spec
    connector = Connector(manifest["metadata"]["name"], manifest["metadata"]["namespace"], UID, 1, spec)
    service = _service(*connector.service_key)
    assert refusal(connector, service) == ""
    return children(Feed(connector, service, _CA if service.spec.certificate else ""), SETTINGS)


@pytest.mark.parametrize("name", _NAMES)
def test_children_are_as_expected(name: str, update_golden: bool) -> None:
    expected = _FOLDER / name / "expected.yaml"
    rendered = "".join(f"---\n{yaml_text(manifest)}" for manifest in _made(name))
    if update_golden:
        expected.write_text(rendered)
    assert rendered == expected.read_text(), "make generate writes what is made now: read the difference"


@pytest.mark.parametrize("name", _NAMES)
def test_pods_are_restricted_and_hold_no_token_in_their_environment(name: str) -> None:
    for manifest in _made(name):
        spec = manifest.get("spec", {})
        template = spec.get("template") or spec.get("jobTemplate", {}).get("spec", {}).get("template")
        if template is None:
            continue
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        ours = [each for each in container["env"] if each["name"].startswith("SENSORTHINGS_")]
        assert ours
        assert all("valueFrom" not in each for each in ours)
