"""The folder of the Pulumi projects, and all cities in it with what is wrong with each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from localcluster.installation import REPOSITORY
from sensorthings_operator.api.base import API_VERSION
from sensorthings_operator.api.connector import KIND as CONNECTOR
from sensorthings_operator.api.parse import InvalidSpec
from sensorthings_operator.api.sensorthingsservice import KIND as SERVICE
from sensorthings_operator.api.sensorthingsservice import SensorThingsService
from sensorthings_operator.cli.validate import validated
from sensorthings_operator.desired.validation import validate
from sensorthings_stacks.cities import check, files
from sensorthings_stacks.cities.city import City, Finding, read
from sensorthings_stacks.cities.projects import PROJECTS
from sensorthings_stacks.settings.city import CitySettings
from sensorthings_stacks.settings.reading import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

Stacks = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Folder of the Pulumi projects; ./stacks, or that of this repository, if left out."
    ),
]
_STAND_INS: Final[dict[str, Any]] = {
    "database": {
        "type": "External",
        "external": {
            "primary": {"host": "city"},
            "credentialsSecretRef": {"name": "database"},
            "tls": {"mode": "require"},
        },
    },
    "certificate": {"issuerRef": {"kind": "ClusterIssuer", "name": "city"}},
}
"""What the city layer adds to the spec of a service."""


@dataclass(frozen=True)
class Checked:
    """A city, and everything that is wrong with it."""

    city: City
    """The city."""
    problems: tuple[Finding, ...]
    """What is wrong with its files, between them, and beside other cities."""

    @property
    def is_complete(self) -> bool:
        """Whether it can be brought up."""
        return not self.problems and not self.city.missing_secrets


def projects(given: Path | None) -> Path:
    """The folder that holds the projects.

    Raises:
        typer.BadParameter: There are none in it; ends the command with 2.
    """
    here = Path("stacks")
    folder = given or (here if here.is_dir() else REPOSITORY / "stacks")
    absent = [project.layer for project in PROJECTS if not (folder / project.layer / "Pulumi.yaml").is_file()]
    if absent:
        message = f"{folder} holds no project {absent[0]} ({absent[0]}/Pulumi.yaml): name the folder `stacks`"
        raise typer.BadParameter(message, param_hint="--stacks")
    return folder


def checked(folder: Path) -> dict[str, Checked]:
    """All cities of a folder, by name."""
    cities = [read(folder, name) for name in files.cities(folder)]
    between = check.between(cities)
    return {
        city.name: Checked(city, (*city.problems, *check.within(city), *_specs(city), *between.get(city.name, ())))
        for city in cities
    }


def _specs(city: City) -> Iterator[Finding]:
    """What the API server and the operator would refuse of the services and connectors."""
    for path, manifest in _custom_resources(city.layer(CitySettings)):
        try:
            parsed = validated(manifest)
        except InvalidSpec as error:
            problems = [(each.path, each.given, each.message) for each in error.problems]
        else:
            found = validate(parsed.spec) if isinstance(parsed, SensorThingsService) else ()
            problems = [(each.path, None, each.message) for each in found]
        for where, given, message in problems:
            yield Finding(city.path("city"), Problem(f"{path}.{where}", given, message))


def _custom_resources(settings: CitySettings | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The manifests that the city layer makes, each with its path in the configuration."""
    for number, tenant in enumerate(settings.tenants if settings is not None else ()):
        path = f"tenants[{number}]"
        for index, service in enumerate(tenant.services):
            spec = _STAND_INS | service.spec
            yield f"{path}.services[{index}]", _manifest(SERVICE, service.name, tenant.namespace, spec)
        for index, each in enumerate(tenant.connectors):
            yield f"{path}.connectors[{index}]", _manifest(CONNECTOR, each.name, tenant.namespace, each.spec)


def _manifest(kind: str, name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
