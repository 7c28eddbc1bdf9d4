"""Who may have the data and what may be done with it, as records of ISO 19139 say it. Used by ``iso``."""

import json
from typing import Final

from lxml.etree import _Element as Element

from sensorthings_operator.desired.catalogue import codes, gmd
from sensorthings_operator.desired.catalogue.description import Described
from sensorthings_operator.desired.catalogue.gmd import GMD, code, text
from sensorthings_operator.desired.catalogue.uris import LICENCES

_OPEN_ACCESS: Final = "http://inspire.ec.europa.eu/metadata-codelist/LimitationsOnPublicAccess/noLimitations"
_OPEN_LICENCES: Final = (
    "cc-by/4.0",
    "cc-by-sa/4.0",
    "cc-zero",
    "dl-by-de/2.0",
    "dl-zero-de/2.0",
    "geonutz/20130319",
    "geoNutz/20131001",
)


def is_open(described: Described) -> bool:
    """Whether it is open data."""
    return described.public and described.spec.licence.id in _OPEN_LICENCES


def constraints(described: Described) -> list[Element]:
    """Who may have it, and what may be done with it; the latter also for machines, as GDI-DE writes it."""
    licence = described.spec.licence
    name, text_of_it = codes.LICENCES.get(licence.id, (licence.id, LICENCES + licence.id))
    terms = {"id": licence.id, "name": name, "url": text_of_it}
    if licence.attribution is not None:
        terms["quelle"] = licence.attribution
    # On which article of INSPIRE's directive a restriction rests, only the publisher knows.
    access = (
        gmd.anchor("otherConstraints", _OPEN_ACCESS, "Es gelten keine Zugriffsbeschränkungen")
        if described.public
        else text("otherConstraints", "Der Zugang ist angemeldeten Nutzern vorbehalten")
    )
    return [
        GMD.resourceConstraints(
            GMD.MD_LegalConstraints(
                code("accessConstraints", "MD_RestrictionCode", "otherRestrictions"),
                access,
            )
        ),
        GMD.resourceConstraints(
            GMD.MD_LegalConstraints(
                code("useConstraints", "MD_RestrictionCode", "otherRestrictions"),
                gmd.anchor("otherConstraints", text_of_it, name),
                text("otherConstraints", json.dumps(terms, ensure_ascii=False)),
            )
        ),
    ]
