"""Each folder below ``manifests/`` is a case: ``service.yaml``, and ``expected.yaml`` with the children made of it.

Where the realm's Keycloak has a private CA, it is the case's ``ca.crt``; what was read of the service's data, where it
has a catalogue, is its ``reading.json``.
"""

from pathlib import Path
from typing import Final

import yaml

from sensorthings_operator.api.manifests import yaml_text
from sensorthings_operator.api.parse import parse_service
from sensorthings_operator.desired import children
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.reading import Reading
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import KeycloakRealm, OperatorSettings
from sensorthings_operator.desired.validation import validate

FOLDER: Final = Path(__file__).parent / "manifests"
EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "hamburg" / "traffic-lights.yaml"
HAMBURG: Final = "hamburg"
"""The case that is the example itself."""
NAMES: Final = sorted({path.parent.name for path in FOLDER.glob("*/service.yaml")} | {HAMBURG})
UID: Final = "00000000-0000-0000-0000-000000000000"
_REALM: Final = KeycloakRealm(url="https://id.hamburg.example", realm="city", folder=Path("/etc/sensorthings-keycloak"))
SETTINGS: Final = OperatorSettings(keycloak_realms={"city": _REALM})


def source(name: str) -> Path:
    """The file with the case's service."""
    return EXAMPLE if name == HAMBURG else FOLDER / name / "service.yaml"


def service(name: str) -> Service:
    """The case's service, of a spec that the operator acts on."""
    manifest = yaml.safe_load(source(name).read_text())
    spec = parse_service(manifest, unknown_fields="refuse").spec
    assert validate(spec) == (), f"{name} is not acted on"
    identity = {key: manifest["metadata"][key] for key in ("name", "namespace")}
    ca, data = FOLDER / name / "ca.crt", FOLDER / name / "reading.json"
    return Service(
        **identity,
        uid=UID,
        generation=1,
        spec=spec,
        realm_ca=ca.read_text() if ca.exists() else "",
        reading=Reading.model_validate_json(data.read_text()) if data.exists() else None,
    )


def made(name: str) -> list[Manifest]:
    """The children."""
    return children(service(name), SETTINGS)


def rendered(name: str) -> str:
    """The children as ``sensorthings render`` writes them."""
    return "".join(f"---\n{yaml_text(manifest)}" for manifest in made(name))
