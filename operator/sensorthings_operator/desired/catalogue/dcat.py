"""A service as DCAT-AP.de 3.0: a catalogue with one data service, and a dataset for each layer.

https://www.dcat-ap.de/def/dcatde/3.0/spec/. Every node has an IRI, so that the same description is the same text.
"""

import json
from typing import Any, Final

from lxml import etree
from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, XSD

from sensorthings_operator.desired.catalogue.description import SERVICE_FILE, Dataset, Described, Texts, plain
from sensorthings_operator.desired.catalogue.uris import (
    AUTHORITY,
    CONTRIBUTORS,
    LICENCES,
    PUBLISHER_TYPES,
    language_of,
    level_of,
    place_of,
    rights_of,
)
from sensorthings_operator.desired.catalogue.ways import Distribution, distributions
from sensorthings_operator.desired.reading import Box

DCATDE: Final = Namespace("http://dcat-ap.de/def/dcatde/")
DCATAP: Final = Namespace("http://data.europa.eu/r5r/")
VCARD: Final = Namespace("http://www.w3.org/2006/vcard/ns#")
GEO: Final = Namespace("http://www.opengis.net/ont/geosparql#")
_STANDARD: Final = URIRef("https://docs.ogc.org/is/18-088/18-088.html")
"""OGC SensorThings API Part 1, version 1.1."""
_JSON: Final = URIRef("https://www.iana.org/assignments/media-types/application/json")
_PREFIXES: Final = {
    "dcat": DCAT,
    "dct": DCTERMS,
    "foaf": FOAF,
    "vcard": VCARD,
    "dcatde": DCATDE,
    "dcatap": DCATAP,
    "geo": GEO,
    "xsd": XSD,
}


def graph(described: Described) -> Graph:
    """All of it."""
    made = Graph()
    for prefix, name in _PREFIXES.items():
        made.bind(prefix, name)
    catalogue = _own(described, "catalogue")
    made.add((catalogue, RDF.type, DCAT.Catalog))
    _titled(made, catalogue, described.title, described.description)
    made.add((catalogue, DCTERMS.publisher, _publisher(made, described)))
    made.add((catalogue, DCTERMS.language, URIRef(language_of(described))))
    if described.endpoint is not None:
        made.add((catalogue, FOAF.homepage, _page(made, described.endpoint)))
    made.add((catalogue, DCAT.themeTaxonomy, URIRef(f"{AUTHORITY}data-theme")))
    made.add((catalogue, DCAT.service, _service(made, described)))
    for dataset in described.datasets:
        made.add((catalogue, DCAT.dataset, _dataset(made, described, dataset)))
    return made


def turtle(made: Graph) -> str:
    """As Turtle."""
    return made.serialize(format="turtle")


def rdf_xml(made: Graph) -> str:
    """As RDF/XML, nodes in order."""
    root = etree.fromstring(made.serialize(format="xml", encoding="utf-8"))
    root[:] = sorted(root, key=lambda node: node.get(f"{{{RDF}}}about", ""))
    etree.cleanup_namespaces(root, top_nsmap={prefix: str(name) for prefix, name in _PREFIXES.items()})
    etree.indent(root, space=" ")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8").decode() + "\n"


def json_ld(made: Graph) -> str:
    """As JSON-LD, in order, a line for each node."""
    context = {prefix: str(name) for prefix, name in _PREFIXES.items()}
    parsed: dict[str, Any] = json.loads(made.serialize(format="json-ld", context=context, auto_compact=False))
    nodes = sorted((_in_order(node) for node in parsed["@graph"]), key=lambda node: str(node["@id"]))
    lines = ",\n".join(_line(node) for node in nodes)
    return f'{{"@context": {_line(context)},\n"@graph": [\n{lines}\n]}}\n'


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _in_order(node: dict[str, Any]) -> dict[str, Any]:
    """Values of a property are a set: they come in any order."""
    return {
        name: sorted(value, key=lambda each: json.dumps(each, sort_keys=True)) if isinstance(value, list) else value
        for name, value in node.items()
    }


def _own(described: Described, *names: str) -> URIRef:
    return URIRef(f"urn:uuid:{described.own_id(*names)}")


def _texts(made: Graph, node: URIRef, predicate: URIRef, texts: Texts) -> None:
    for language, text in texts.items():
        made.add((node, predicate, Literal(text, lang=language)))


def _titled(made: Graph, node: URIRef, title: Texts, description: Texts) -> None:
    _texts(made, node, DCTERMS.title, title)
    _texts(made, node, DCTERMS.description, description)


def _page(made: Graph, address: str) -> URIRef:
    node = URIRef(address)
    made.add((node, RDF.type, FOAF.Document))
    return node


def _record(made: Graph, node: URIRef, address: str | None) -> None:
    """That a record of ISO 19139 says more about it, where that is served."""
    if address is not None:
        made.add((node, FOAF.page, _page(made, address)))


def _publisher(made: Graph, described: Described) -> URIRef:
    publisher, node = described.spec.publisher, _own(described, "publisher")
    for type_ in (FOAF.Agent, FOAF.Organization):
        made.add((node, RDF.type, type_))
    made.add((node, FOAF.name, Literal(plain(publisher.name))))
    made.add((node, DCTERMS.type, URIRef(PUBLISHER_TYPES + publisher.type)))
    if publisher.homepage is not None:
        made.add((node, FOAF.homepage, URIRef(publisher.homepage)))
    if publisher.mail is not None:
        made.add((node, FOAF.mbox, URIRef(f"mailto:{publisher.mail}")))
    return node


def _contact(made: Graph, described: Described) -> URIRef:
    contact, node = described.spec.contact, _own(described, "contact")
    for type_ in (VCARD.Kind, VCARD.Organization):
        made.add((node, RDF.type, type_))
    made.add((node, VCARD.fn, Literal(plain(contact.name or described.spec.publisher.name))))
    if contact.mail is not None:
        made.add((node, VCARD.hasEmail, URIRef(f"mailto:{contact.mail}")))
    if contact.homepage is not None:
        made.add((node, VCARD.hasURL, URIRef(contact.homepage)))
    if contact.phone is not None:
        made.add((node, VCARD.hasTelephone, URIRef(f"tel:{contact.phone}")))
    return node


def _service(made: Graph, described: Described) -> URIRef:
    node = URIRef(described.identifier)
    made.add((node, RDF.type, DCAT.DataService))
    _titled(made, node, described.title, described.description)
    made.add((node, DCTERMS.identifier, Literal(described.identifier)))
    made.add((node, DCTERMS.publisher, _publisher(made, described)))
    made.add((node, DCAT.contactPoint, _contact(made, described)))
    made.add((node, DCAT.endpointURL, URIRef(described.rest)))
    made.add((node, DCTERMS.conformsTo, _STANDARD))
    made.add((_STANDARD, RDF.type, DCTERMS.Standard))
    made.add((node, DCTERMS.license, URIRef(LICENCES + described.spec.licence.id)))
    made.add((node, DCTERMS.accessRights, URIRef(rights_of(described))))
    _record(made, node, described.document(SERVICE_FILE))
    for dataset in described.datasets:
        made.add((node, DCAT.servesDataset, URIRef(dataset.identifier)))
    return node


def _dataset(made: Graph, described: Described, dataset: Dataset) -> URIRef:
    spec, node = described.spec, URIRef(dataset.identifier)
    made.add((node, RDF.type, DCAT.Dataset))
    _titled(made, node, dataset.title, dataset.description)
    made.add((node, DCTERMS.identifier, Literal(dataset.identifier)))
    made.add((node, DCTERMS.publisher, _publisher(made, described)))
    made.add((node, DCAT.contactPoint, _contact(made, described)))
    made.add((node, DCATDE.contributorID, URIRef(CONTRIBUTORS + spec.contributor_id)))
    for keyword in dataset.keywords:
        made.add((node, DCAT.keyword, Literal(keyword, lang="de")))
    for theme in dataset.themes:
        made.add((node, DCAT.theme, URIRef(f"{AUTHORITY}data-theme/{theme}")))
    _covers(made, described, dataset, node)
    made.add((node, DCTERMS.accrualPeriodicity, URIRef(f"{AUTHORITY}frequency/{spec.accrual_periodicity}")))
    made.add((node, DCTERMS.accessRights, URIRef(rights_of(described))))
    made.add((node, DCTERMS.language, URIRef(language_of(described))))
    made.add((node, DCATAP.availability, URIRef(f"{AUTHORITY}planned-availability/AVAILABLE")))
    changed = dataset.summary.last or described.day
    made.add((node, DCTERMS.modified, Literal(changed, datatype=XSD.date)))
    if dataset.landing_page is not None:
        made.add((node, DCAT.landingPage, _page(made, dataset.landing_page)))
    _record(made, node, described.document(dataset.record_file))
    for distribution in distributions(described, dataset):
        made.add((node, DCAT.distribution, _distribution(made, described, dataset, distribution)))
    return node


def _covers(made: Graph, described: Described, dataset: Dataset, node: URIRef) -> None:
    geocoding = described.spec.political_geocoding
    made.add((node, DCATDE.politicalGeocodingLevelURI, URIRef(level_of(geocoding))))
    place = place_of(geocoding)
    if place is not None:
        unit = URIRef(place)
        made.add((node, DCTERMS.spatial, unit))
        made.add((unit, RDF.type, DCTERMS.Location))
    if dataset.box is not None:
        made.add((node, DCTERMS.spatial, _area(made, described, dataset, dataset.box)))
    if dataset.summary.first:
        period = _own(described, dataset.identifier, "period")
        made.add((node, DCTERMS.temporal, period))
        made.add((period, RDF.type, DCTERMS.PeriodOfTime))
        made.add((period, DCAT.startDate, Literal(dataset.summary.first, datatype=XSD.date)))
        made.add((period, DCAT.endDate, Literal(dataset.summary.last, datatype=XSD.date)))


def _area(made: Graph, described: Described, dataset: Dataset, box: Box) -> URIRef:
    node = _own(described, dataset.identifier, "area")
    made.add((node, RDF.type, DCTERMS.Location))
    made.add((node, DCAT.bbox, Literal(box.wkt, datatype=GEO.wktLiteral)))
    return node


def _distribution(made: Graph, described: Described, dataset: Dataset, distribution: Distribution) -> URIRef:
    name, title, description, address = distribution
    node, licence = _own(described, dataset.identifier, name), described.spec.licence
    made.add((node, RDF.type, DCAT.Distribution))
    _titled(made, node, title, description)
    made.add((node, DCAT.accessURL, URIRef(address)))
    made.add((node, DCAT.accessService, URIRef(described.identifier)))
    made.add((node, DCTERMS["format"], URIRef(f"{AUTHORITY}file-type/JSON")))
    made.add((node, DCAT.mediaType, _JSON))
    made.add((node, DCTERMS.license, URIRef(LICENCES + licence.id)))
    if licence.attribution is not None:
        made.add((node, DCATDE.licenseAttributionByText, Literal(plain(licence.attribution), lang="de")))
    made.add((node, DCATAP.availability, URIRef(f"{AUTHORITY}planned-availability/AVAILABLE")))
    return node
