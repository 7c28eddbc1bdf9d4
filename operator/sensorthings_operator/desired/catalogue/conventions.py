"""Rules of GovData's handbook of conventions that the shapes of DCAT-AP.de 3.0 do not check.

https://www.dcat-ap.de/def/dcatde/3.0/implRules/. Each says what is wrong for people; nothing where all is well.
"""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Final, get_args

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCAT, DCTERMS, RDF, XSD
from rdflib.term import Node

from sensorthings_operator.api.vocabularies import LicenceId
from sensorthings_operator.desired.catalogue.dcat import DCATAP, DCATDE, VCARD
from sensorthings_operator.desired.catalogue.uris import AUTHORITY, CONTRIBUTORS, LICENCES

_AVAILABILITIES: Final = {
    URIRef(f"{AUTHORITY}planned-availability/{code}") for code in ("AVAILABLE", "EXPERIMENTAL", "STABLE", "TEMPORARY")
}
_LICENCES: Final = {URIRef(LICENCES + code) for code in get_args(LicenceId)}
_WITH_ATTRIBUTION: Final = ("cc-by", "dl-by", "odby", "odbl")

Rule = Callable[[Graph], Iterator[str]]


def broken(graph: Graph) -> tuple[str, ...]:
    """What is wrong with a description."""
    return tuple(told for rule in _RULES for told in rule(graph))


def _datasets(graph: Graph) -> Iterator[Node]:
    return graph.subjects(RDF.type, DCAT.Dataset)


def _distributions(graph: Graph) -> Iterator[Node]:
    return graph.subjects(RDF.type, DCAT.Distribution)


def _contact(graph: Graph) -> Iterator[str]:
    """Convention 1."""
    ways = (VCARD.hasEmail, VCARD.hasURL, VCARD.hasTelephone)
    for dataset in _datasets(graph):
        contacts = list(graph.objects(dataset, DCAT.contactPoint))
        if not any(graph.value(each, VCARD.fn) and any(graph.value(each, way) for way in ways) for each in contacts):
            yield f"{dataset}: needs a contact with a name and a way to reach it"


def _contributor(graph: Graph) -> Iterator[str]:
    """Conventions 12 and 13."""
    for dataset in _datasets(graph):
        given = [str(each) for each in graph.objects(dataset, DCATDE.contributorID)]
        if len(given) != 1 or not given[0].startswith(CONTRIBUTORS) or given[0] == CONTRIBUTORS:
            yield f"{dataset}: needs one contributorID below {CONTRIBUTORS}, and has {given or 'none'}"


def _licence(graph: Graph) -> Iterator[str]:
    """Convention 31, and the attribution that some licences ask for."""
    for distribution in _distributions(graph):
        given = list(graph.objects(distribution, DCTERMS.license))
        if len(given) != 1 or given[0] not in _LICENCES:
            yield f"{distribution}: needs one licence of {LICENCES}, and has {[str(each) for each in given] or 'none'}"
            continue
        asks = str(given[0]).removeprefix(LICENCES).startswith(_WITH_ATTRIBUTION)
        if asks and graph.value(distribution, DCATDE.licenseAttributionByText) is None:
            yield f"{distribution}: {given[0]} needs a licenseAttributionByText"


def _format(graph: Graph) -> Iterator[str]:
    """Convention 32."""
    for distribution in _distributions(graph):
        given = [str(each) for each in graph.objects(distribution, DCTERMS["format"])]
        if len(given) != 1 or not given[0].startswith(f"{AUTHORITY}file-type/"):
            yield f"{distribution}: needs one format of {AUTHORITY}file-type, and has {given or 'none'}"


def _published(graph: Graph) -> Iterator[str]:
    """Conventions 36 and 40."""
    for dataset in _datasets(graph):
        for predicate in (DCTERMS.publisher, DCTERMS.modified):
            if graph.value(dataset, predicate) is None:
                yield f"{dataset}: needs {predicate}"


def _dates(graph: Graph) -> Iterator[str]:
    for predicate in (DCTERMS.modified, DCTERMS.issued, DCAT.startDate, DCAT.endDate):
        for node, value in graph.subject_objects(predicate):
            if not _is_date(value):
                yield f"{node}: {predicate} must be a date such as 2026-11-23, and is {value}"


def _is_date(value: Node) -> bool:
    if not isinstance(value, Literal) or value.datatype not in (XSD.date, XSD.dateTime):
        return False
    try:
        date.fromisoformat(str(value)[:10])
    except ValueError:
        return False
    return True


def _availability(graph: Graph) -> Iterator[str]:
    """The shapes look for it in a namespace that is not DCAT-AP's."""
    for node, value in graph.subject_objects(DCATAP.availability):
        if value not in _AVAILABILITIES:
            yield f"{node}: {value} is no availability of {AUTHORITY}planned-availability"


def _addresses(graph: Graph) -> Iterator[str]:
    for distribution, value in graph.subject_objects(DCAT.accessURL):
        if not isinstance(value, URIRef) or "://" not in value:
            yield f"{distribution}: accessURL must be an absolute address, and is {value}"


def _identifiers(graph: Graph) -> Iterator[str]:
    seen: dict[str, Node] = {}
    for dataset in _datasets(graph):
        identifiers = [str(each) for each in graph.objects(dataset, DCTERMS.identifier)]
        if len(identifiers) != 1:
            yield f"{dataset}: needs one identifier, and has {identifiers or 'none'}"
        for identifier in identifiers:
            if seen.setdefault(identifier, dataset) != dataset:
                yield f"{dataset}: {identifier} is the identifier of another dataset, too"


_RULES: Final[tuple[Rule, ...]] = (
    _contact,
    _contributor,
    _licence,
    _format,
    _published,
    _dates,
    _availability,
    _addresses,
    _identifiers,
)
