"""Who may have the data and what may be done with it, as records of ISO 19139 say it. Used by ``iso``."""

import json
from typing import Final

from lxml.etree import _Element as Element

from sensorthings_operator.desired.catalogue import gmd
from sensorthings_operator.desired.catalogue.dcat import LICENCES
from sensorthings_operator.desired.catalogue.description import Described
from sensorthings_operator.desired.catalogue.gmd import GMD, code, text

_OPEN_ACCESS: Final = "http://inspire.ec.europa.eu/metadata-codelist/LimitationsOnPublicAccess/noLimitations"
_LIMITED: Final = (
    "http://inspire.ec.europa.eu/metadata-codelist/LimitationsOnPublicAccess/INSPIRE_Directive_Article13_1e"
)
_OPEN_LICENCES: Final = (
    "cc-by/4.0",
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
    terms = {"id": licence.id, "name": licence.id, "url": LICENCES + licence.id}
    if licence.attribution is not None:
        terms["quelle"] = licence.attribution
    open_access, told = (
        (_OPEN_ACCESS, "Es gelten keine Zugriffsbeschränkungen")
        if described.public
        else (_LIMITED, "Der Zugang ist angemeldeten Nutzern vorbehalten")
    )
    return [
        GMD.resourceConstraints(
            GMD.MD_LegalConstraints(
                code("accessConstraints", "MD_RestrictionCode", "otherRestrictions"),
                gmd.anchor("otherConstraints", open_access, told),
            )
        ),
        GMD.resourceConstraints(
            GMD.MD_LegalConstraints(
                code("useConstraints", "MD_RestrictionCode", "otherRestrictions"),
                gmd.anchor("otherConstraints", LICENCES + licence.id, licence.id),
                text("otherConstraints", json.dumps(terms, ensure_ascii=False)),
            )
        ),
    ]
