"""CatalogueSynced: the service and its data are described. Asked for by the spec, needed by no client."""

from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import catalogue


class CatalogueReason(StrEnum):
    """Why descriptions are or are not published."""

    NOT_ASKED = "DataNotAsked"
    NOT_READ = "DataNotRead"
    INVALID = "DescriptionInvalid"
    TOO_LARGE = "CatalogueTooLarge"
    REFUSED = "CatalogueRefused"
    PUBLISHED = "CataloguePublished"


def _asked_for(observed: Observed) -> bool:
    return catalogue.is_wanted(observed.service)


def _paused(observed: Observed) -> Verdict | None:
    if observed.service.spec.paused:
        return Verdict("Unknown", "Paused", "spec.paused is true: what was published stays as it is", expected=True)
    return None


def _refused(observed: Observed) -> Verdict | None:
    name = catalogue.name(observed.service)
    for problem in observed.apply_problems:
        if (problem.kind, problem.name) == ("ConfigMap", name):
            return Verdict("False", CatalogueReason.REFUSED, f"ConfigMap {name}: {problem.message}")
    return None


def _answers(observed: Observed) -> Verdict:
    answer = observed.catalogue
    if answer is None or answer.reason == CatalogueReason.NOT_ASKED:
        told = "the service's data has not been looked at yet" if answer is None else answer.message
        return Verdict("Unknown", CatalogueReason.NOT_ASKED, told, expected=True)
    if answer.reason == CatalogueReason.NOT_READ:
        return Verdict("Unknown", CatalogueReason.NOT_READ, answer.message)
    return Verdict("True" if answer.holds else "False", answer.reason, answer.message)


CATALOGUE_SYNCED: Final = Chain(
    "CatalogueSynced",
    (_paused, _refused, _answers),
    applies=_asked_for,
    needed=False,
)
