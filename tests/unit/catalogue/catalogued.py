"""A service that is described, what its data held, and what is made of that; for tests."""

from typing import Any, Final

import yaml

from sensorthings_operator.desired.catalogue.description import Described, describe
from sensorthings_operator.desired.reading import Box, DataSummary, LayerSummary, Reading
from sensorthings_operator.desired.service import Service
from tests.unit.api.examples import patched
from tests.unit.operator.samples import SETTINGS, service

DAY: Final = "2026-11-23"
SERVICE_NAME: Final = "HH_STA_air"
CATALOGUE: Final[dict[str, Any]] = yaml.safe_load("""\
title: {de: Luft in Hamburg, en: Air of Hamburg}
description: {de: "Werte der Messstationen <stündlich> & früher", en: Values of the stations}
publisher: {name: Amt für Luft, homepage: "https://air.example", mail: daten@air.example}
contact: {name: Datenstelle, mail: daten@air.example, phone: "+49401234567", homepage: "https://air.example/contact"}
licence: {id: dl-by-de/2.0, attribution: Amt für Luft}
contributorID: transparenzportalHamburg
themes: [ENVI, HEAL]
politicalGeocoding: {level: state, key: "02"}
keywords: [Luft, Messwerte]
landingPage: https://air.example/data
csw: https://catalogue.example/csw
inspire: {theme: ef, domain: de.hh}
datasets:
- serviceName: HH_STA_air
  layers:
  - layerName: no2
    title: {de: Stickstoffdioxid, en: Nitrogen dioxide}
    description: {de: NO2 in Bodennähe}
    keywords: [NO2]
""")
EXPOSED: Final[dict[str, Any]] = {
    "host": "air.city.example",
    "certificate": {"issuerRef": {"name": "city"}},
    "exposure": {"type": "IngressNginx"},
}
LAYER: Final = LayerSummary(
    service_name=SERVICE_NAME,
    layer_name="no2",
    things=16,
    datastreams=32,
    box=Box(west=9.7, south=53.4, east=10.3, north=53.7),
    first="2020-01-01",
    last="2026-11-22",
    observed_properties=("NO2",),
    units=("microgram per cubic metre",),
)
OTHER: Final = LayerSummary(service_name=SERVICE_NAME, layer_name="o'zone & more", things=1, datastreams=1)
DATA: Final = DataSummary(layers=(LAYER, OTHER))


def catalogued(
    catalogue: dict[str, Any] | None = None, *, data: DataSummary | None = DATA, spec: dict[str, Any] | None = None
) -> Service:
    """The service, its catalogue changed by a merge patch, with what was read of its data."""
    whole = {**EXPOSED, "catalogue": patched(CATALOGUE, catalogue or {}), **(spec or {})}
    reading = None if data is None else Reading(summary=data, generation=1, day=DAY)
    return service(whole, reading=reading)


def described(catalogue: dict[str, Any] | None = None, **fields: Any) -> Described:
    """What is said of it."""
    made = catalogued(catalogue, **fields)
    assert made.spec.catalogue is not None
    assert made.reading is not None
    return describe(made, SETTINGS, made.spec.catalogue, made.reading)
