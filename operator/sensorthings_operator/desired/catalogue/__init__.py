"""The ConfigMap with the descriptions of a service and its data: DCAT-AP.de, ISO 19139, layers for the Masterportal."""

from importlib import import_module
from typing import Final

from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.catalogue import ckan, endpoint
from sensorthings_operator.desired.catalogue.description import describe
from sensorthings_operator.desired.catalogue.endpoint import COMPONENT
from sensorthings_operator.desired.catalogue.entries import Entry
from sensorthings_operator.desired.catalogue.files import Documents
from sensorthings_operator.desired.catalogue.problems import gaps, obstacles
from sensorthings_operator.desired.catalogue.web import PORT
from sensorthings_operator.desired.metadata import Manifest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

__all__ = [
    "COMPONENT",
    "PORT",
    "READING_KEY",
    "build",
    "endpoint",
    "entries",
    "gaps",
    "is_wanted",
    "name",
    "obstacles",
    "written",
]

READING_KEY: Final = "reading.json"
"""What the data held: the operator begins with it when it starts."""


def name(service: Service) -> str:
    """Name of the ConfigMap."""
    return addresses.catalogue_name(service)


def is_wanted(service: Service) -> bool:
    """Whether the spec asks for descriptions."""
    return service.spec.catalogue is not None


def written(service: Service, settings: OperatorSettings) -> Documents | None:
    """The files; None where they are not asked for, where the data was never read, and where something is wrong."""
    spec, reading = service.spec.catalogue, service.reading
    if spec is None or reading is None or obstacles(spec):
        return None
    # Imported here, with rdflib and lxml: 27 MB that an operator without catalogues does without.
    module = import_module("sensorthings_operator.desired.catalogue.documents")
    made: Documents = module.documents(describe(service, settings, spec, reading))
    return made


def entries(service: Service, settings: OperatorSettings) -> dict[str, tuple[Entry, ...]] | None:
    """What each target is to have, by its URL; None where that is not known, or something is wrong."""
    spec, reading = service.spec.catalogue, service.reading
    if spec is None or reading is None or reading.generation != service.generation or obstacles(spec):
        return None
    said = describe(service, settings, spec, reading)
    given = [target.ckan for target in spec.targets if target.ckan is not None]
    return {target.url: ckan.entries(said, target.name_prefix or service.name) for target in given}


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The ConfigMap and what serves it, where there is something to publish that fits into it."""
    made, reading = written(service, settings), service.reading
    if made is None or reading is None or not made.fits:
        return []
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(service, COMPONENT, name(service)),
            "data": {**made.files, READING_KEY: reading.text()},
        },
        *endpoint.build(service, settings),
    ]
