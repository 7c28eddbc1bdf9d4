"""The description in DCAT-AP.de: the official shapes pass it and find planted faults, our rules find the others."""

import re
from collections.abc import Callable
from typing import Any, get_args
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib import Graph, Literal, URIRef
from rdflib.compare import isomorphic
from rdflib.namespace import DCAT, DCTERMS, FOAF, RDF, SKOS, XSD

from sensorthings_operator.api.vocabularies import Frequency, LicenceId, PublisherType, Theme
from sensorthings_operator.desired.catalogue import conventions, dcat
from sensorthings_operator.desired.catalogue.dcat import DCATAP, DCATDE, VCARD
from sensorthings_operator.desired.catalogue.uris import AUTHORITY, LICENCES
from sensorthings_operator.desired.reading import DataSummary, LayerSummary
from tests.unit.catalogue.catalogued import DATA, LAYER, described
from tests.unit.catalogue.outside import needs_outside_data, shape_violations, vocabularies

_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
_VARIANTS: list[Any] = [
    pytest.param({}, DATA, id="whole"),
    pytest.param({"inspire": None, "csw": None, "landingPage": None, "keywords": []}, DATA, id="least"),
    pytest.param({"licence": {"id": "dl-zero-de/2.0", "attribution": None}}, DATA, id="no attribution"),
    pytest.param({"politicalGeocoding": {"level": "municipality", "key": "06411000"}}, DATA, id="municipality"),
    pytest.param({"politicalGeocoding": {"level": "municipality", "key": "064110000000"}}, DATA, id="regional key"),
    pytest.param({"spatial": {"west": 9, "south": 53, "east": 10.5, "north": 54}}, DATA, id="area is given"),
    pytest.param({"publisher": {"type": "Company"}, "language": "en"}, DATA, id="company"),
    pytest.param({"endpoint": {}}, DATA, id="served to harvesters"),
    pytest.param({}, DataSummary(), id="no data"),
]

_PARSES_JSON_LD = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
"""rdflib's own parser does."""


def _graph(catalogue: dict[str, Any] | None = None, data: DataSummary = DATA) -> Graph:
    return dcat.graph(described(catalogue, data=data))


@needs_outside_data
@pytest.mark.parametrize(("catalogue", "data"), _VARIANTS)
def test_the_shapes_of_dcat_ap_de_pass(catalogue: dict[str, Any], data: DataSummary) -> None:
    assert shape_violations(_graph(catalogue, data)) == []


@pytest.mark.parametrize(("catalogue", "data"), _VARIANTS)
def test_the_conventions_of_govdata_are_kept(catalogue: dict[str, Any], data: DataSummary) -> None:
    assert conventions.broken(_graph(catalogue, data)) == ()


def _without(predicate: URIRef, type_: URIRef) -> Callable[[Graph], None]:
    def plant(graph: Graph) -> None:
        for node in list(graph.subjects(RDF.type, type_)):
            graph.remove((node, predicate, None))

    return plant


def _instead(predicate: URIRef, value: URIRef | Literal) -> Callable[[Graph], None]:
    def plant(graph: Graph) -> None:
        for node in list(graph.subjects(predicate)):
            graph.set((node, predicate, value))

    return plant


_NO_WAY_TO_REACH = (VCARD.hasEmail, VCARD.hasURL, VCARD.hasTelephone)


def _unreachable(graph: Graph) -> None:
    for way in _NO_WAY_TO_REACH:
        graph.remove((None, way, None))


@needs_outside_data
@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(_without(DCTERMS.license, DCAT.Distribution), id="no licence"),
        pytest.param(_without(DCTERMS.publisher, DCAT.Dataset), id="no publisher of a dataset"),
        pytest.param(_without(DCTERMS.publisher, DCAT.DataService), id="no publisher of the service"),
        pytest.param(_without(DCTERMS.publisher, DCAT.Catalog), id="no publisher of the catalogue"),
        pytest.param(_without(DCTERMS.title, DCAT.Dataset), id="no title"),
        pytest.param(_without(DCTERMS.description, DCAT.Dataset), id="no description"),
        pytest.param(_without(DCAT.accessURL, DCAT.Distribution), id="no address"),
        pytest.param(_without(DCAT.endpointURL, DCAT.DataService), id="no endpoint"),
        pytest.param(_without(FOAF.name, FOAF.Agent), id="no name of the publisher"),
        pytest.param(_unreachable, id="contact that can't be reached"),
        pytest.param(_instead(DCAT.theme, URIRef(f"{AUTHORITY}data-theme/WATER")), id="unknown theme"),
    ],
)
def test_the_shapes_find_what_is_planted(plant: Callable[[Graph], None]) -> None:
    graph = _graph()
    plant(graph)
    assert shape_violations(graph)


def _twice(graph: Graph) -> None:
    for dataset in graph.subjects(RDF.type, DCAT.Dataset):
        graph.set((dataset, DCTERMS.identifier, Literal("https://registry.gdi-de.org/id/de.hh/same")))


def _two_contributors(graph: Graph) -> None:
    for dataset in graph.subjects(RDF.type, DCAT.Dataset):
        graph.add((dataset, DCATDE.contributorID, URIRef("http://dcat-ap.de/def/contributors/openNRW")))


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        pytest.param(_without(DCAT.contactPoint, DCAT.Dataset), "contact", id="no contact"),
        pytest.param(_unreachable, "contact", id="contact that can't be reached"),
        pytest.param(_without(VCARD.fn, VCARD.Kind), "contact", id="contact without a name"),
        pytest.param(_without(DCATDE.contributorID, DCAT.Dataset), "contributorID", id="no contributor"),
        pytest.param(_two_contributors, "contributorID", id="two contributors"),
        pytest.param(_instead(DCATDE.contributorID, URIRef("https://x.example/1")), "contributorID", id="contributor"),
        pytest.param(_without(DCTERMS.license, DCAT.Distribution), "licence", id="no licence"),
        pytest.param(_instead(DCTERMS.license, URIRef(f"{LICENCES}nope")), "licence", id="unknown licence"),
        pytest.param(_without(DCATDE.licenseAttributionByText, DCAT.Distribution), "AttributionByText", id="source"),
        pytest.param(_without(DCTERMS["format"], DCAT.Distribution), "format", id="no format"),
        pytest.param(_instead(DCTERMS["format"], URIRef("https://x.example/json")), "format", id="other format"),
        pytest.param(_without(DCTERMS.publisher, DCAT.Dataset), "publisher", id="no publisher"),
        pytest.param(_without(DCTERMS.modified, DCAT.Dataset), "modified", id="no change"),
        pytest.param(_instead(DCTERMS.modified, Literal("gestern")), "2026-11-23", id="no date"),
        pytest.param(
            _instead(DCAT.startDate, Literal("2026-13-01", datatype=XSD.date)), "2026-11-23", id="no such date"
        ),
        pytest.param(
            _instead(DCATAP.availability, URIRef(f"{AUTHORITY}planned-availability/SOMEDAY")), "SOMEDAY", id="someday"
        ),
        pytest.param(_instead(DCAT.accessURL, Literal("air.example")), "absolute", id="no address"),
        pytest.param(_without(DCTERMS.identifier, DCAT.Dataset), "one identifier", id="no identifier"),
        pytest.param(_twice, "another dataset", id="the same identifier"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*")  # rdflib warns of the date that is none
def test_our_rules_find_what_is_planted(plant: Callable[[Graph], None], told: str) -> None:
    graph = _graph()
    plant(graph)
    assert any(told in each for each in conventions.broken(graph))


def test_every_node_is_of_one_kind() -> None:
    graph = _graph()
    kinds = (DCAT.Catalog, DCAT.DataService, DCAT.Dataset, DCAT.Distribution, DCTERMS.Location, DCTERMS.PeriodOfTime)
    for node in set(graph.subjects()):
        assert len({kind for kind in kinds if (node, RDF.type, kind) in graph}) <= 1


def test_each_layer_is_a_dataset_that_the_one_service_serves() -> None:
    graph = _graph()
    (service,) = graph.subjects(RDF.type, DCAT.DataService)
    datasets = set(graph.subjects(RDF.type, DCAT.Dataset))
    assert len(datasets) == 2
    assert set(graph.objects(service, DCAT.servesDataset)) == datasets
    (no2,) = graph.subjects(DCTERMS.title, Literal("Stickstoffdioxid", lang="de"))
    addresses = {
        str(graph.value(each, DCTERMS.title)): str(graph.value(each, DCAT.accessURL))
        for each in graph.objects(no2, DCAT.distribution)
    }
    assert len(addresses) == 4
    asked = {
        unquote(address).removeprefix("https://air.city.example/FROST-Server/v1.1/") for address in addresses.values()
    }
    of_layer = "Datastreams/properties/serviceName eq 'HH_STA_air' and Datastreams/properties/layerName eq 'no2'"
    inside = "properties/serviceName eq 'HH_STA_air' and properties/layerName eq 'no2'"
    newest = "Observations($orderby=phenomenonTime desc;$top=1)"
    assert asked == {
        "mqtts://air.city.example:8883",
        f"Things?$expand=Locations,Datastreams($expand={newest})",
        f"Things?$filter={of_layer}&$expand=Locations,Datastreams($filter={inside};$expand={newest})",
        f"Things?$filter={of_layer} and st_within(Locations/location,geography'POLYGON((9.7 53.4,10.3 53.4,"
        "10.3 53.7,9.7 53.7,9.7 53.4))')&$expand=Locations",
    }


def test_how_to_subscribe_stands_in_the_description_in_both_languages() -> None:
    graph = _graph()
    (mqtt, *_) = graph.subjects(DCAT.accessURL, URIRef("mqtts://air.city.example:8883"))
    for text in map(str, graph.objects(mqtt, DCTERMS.description)):
        assert "v1.1/Datastreams(ID)/Observations" in text
        assert "wss://air.city.example/mqtt" in text
    assert {each.language for each in graph.objects(mqtt, DCTERMS.description) if isinstance(each, Literal)} == {
        "de",
        "en",
    }


@_PARSES_JSON_LD
def test_all_formats_say_the_same() -> None:
    made = _graph()
    for text, format_ in ((dcat.turtle(made), "turtle"), (dcat.rdf_xml(made), "xml"), (dcat.json_ld(made), "json-ld")):
        assert isomorphic(Graph().parse(data=text, format=format_), made)


def _one_line(text: str) -> str:
    return re.sub(r"[\r\n\u0085\u2028\u2029]", " ", text)


@_PARSES_JSON_LD
@settings(max_examples=25)
@given(title=_TEXT, layer=_TEXT, unit=_TEXT, attribution=_TEXT)
def test_any_text_survives_in_all_formats(title: str, layer: str, unit: str, attribution: str) -> None:
    """Beside what no XML can hold: of the spec and of the data, which anybody may have written."""
    data = DataSummary(layers=(LAYER.model_copy(update={"layer_name": layer, "units": (unit,)}),))
    said = {
        "title": {"de": f"a{_one_line(title)}b", "en": None},
        "licence": {"attribution": f"a{_one_line(attribution)}b"},
    }
    made = _graph({**said, "datasets": [{"serviceName": LAYER.service_name}]}, data)
    assert conventions.broken(made) == ()
    for text, format_ in ((dcat.rdf_xml(made), "xml"), (dcat.json_ld(made), "json-ld")):
        read = Graph().parse(data=text, format=format_)
        assert len(read) == len(made)
        assert len(list(read.subjects(RDF.type, DCAT.Dataset))) == 1


def test_a_service_that_asks_for_a_password_is_restricted() -> None:
    basic = {"type": "Basic", "none": None, "basic": {"users": [{"name": "a", "passwordSecretRef": {"name": "a"}}]}}
    made = dcat.graph(described(spec={"auth": {**basic, "anonymousRead": False}}))
    assert set(made.objects(None, DCTERMS.accessRights)) == {URIRef(f"{AUTHORITY}access-right/RESTRICTED")}
    assert conventions.broken(made) == ()


@needs_outside_data
@pytest.mark.parametrize(
    ("codes", "scheme", "prefix"),
    [
        (LicenceId, "http://dcat-ap.de/def/licenses", LICENCES),
        (Theme, f"{AUTHORITY}data-theme", f"{AUTHORITY}data-theme/"),
        (Frequency, f"{AUTHORITY}frequency", f"{AUTHORITY}frequency/"),
        (PublisherType, "http://purl.org/adms/publishertype/1.0", "http://purl.org/adms/publishertype/"),
    ],
)
def test_the_codes_are_those_of_the_vocabularies(codes: Any, scheme: str, prefix: str) -> None:
    known = {str(each).removeprefix(prefix) for each in vocabularies().subjects(SKOS.inScheme, URIRef(scheme))}
    ours = set(get_args(codes))
    if codes is PublisherType:
        assert {each.removeprefix("1.0/") for each in known} <= ours, "only some of ADMS's are in the file"
    else:
        assert ours <= known
    if codes is LicenceId:
        assert ours == known


def test_the_layers_of_other_services_and_unlisted_ones_are_left() -> None:
    foreign = LayerSummary(service_name="other", layer_name="no2", datastreams=1)
    data = DataSummary(layers=(*DATA.layers, foreign))
    assert [each.summary.layer_name for each in described(data=data).datasets] == ["no2", "o'zone & more"]
    group = {"serviceName": LAYER.service_name, "unlisted": "Leave", "layers": [{"layerName": "no2"}]}
    assert [each.summary.layer_name for each in described({"datasets": [group]}, data=data).datasets] == ["no2"]
    both = {"datasets": [group, {"serviceName": "other"}]}
    keys = [each.key for each in described(both, data=data).datasets]
    assert len(set(keys)) == 2
    assert all(re.fullmatch(r"no2-[0-9a-f]{8}", key) for key in keys)
