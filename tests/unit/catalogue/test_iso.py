"""The records of ISO 19139: valid by its schemas, coupled, and read back by an independent client."""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from owslib.iso import MD_Metadata  # type: ignore[import-untyped]

from sensorthings_operator.desired.catalogue import iso
from sensorthings_operator.desired.reading import DataSummary
from tests.unit.catalogue.catalogued import CATALOGUE, DATA, DAY, LAYER, described

_NAMES: Final = {
    "gmd": "http://www.isotc211.org/2005/gmd",
    "gco": "http://www.isotc211.org/2005/gco",
    "srv": "http://www.isotc211.org/2005/srv",
    "gmx": "http://www.isotc211.org/2005/gmx",
}
_SCHEMAS: Final = "plugins/profiles/apiso/schemas/ogc/iso/19139/20060504"
_TEXT: Final = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
_FILES: Final = ["service.xml", "service-mqtt.xml", "series.xml", "dataset-no2.xml"]
_VARIANTS: Final[list[Any]] = [
    pytest.param({}, DATA, id="whole"),
    pytest.param({"inspire": None, "csw": None, "landingPage": None, "keywords": []}, DATA, id="least"),
    pytest.param({"contact": {"name": None, "homepage": None, "mail": None}}, DATA, id="telephone alone"),
    pytest.param({"licence": {"id": "other-closed", "attribution": None}}, DATA, id="closed"),
    pytest.param({"accrualPeriodicity": "OTHER", "language": "en"}, DATA, id="other frequency"),
    pytest.param({}, DataSummary(), id="no data"),
]


@cache
def _schema() -> etree.XMLSchema:
    """Of the schemas in pycsw's wheel: MD_Metadata, services, and anchors."""
    found = find_spec("pycsw")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent / _SCHEMAS
    imports = "".join(
        f'<xs:import namespace="{_NAMES[name]}" schemaLocation="{(folder / name / name).as_uri()}.xsd"/>'
        for name in ("gmd", "srv", "gmx")
    )
    wrapper = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:all">{imports}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(wrapper, etree.XMLParser(no_network=True)))


def _made(catalogue: dict[str, Any] | None = None, data: DataSummary = DATA) -> dict[str, str]:
    return iso.records(described(catalogue, data=data))


def _tree(text: str) -> etree._Element:
    return etree.fromstring(text.encode())


def _texts(record: etree._Element, path: str) -> list[str]:
    found = record.xpath(path, namespaces=_NAMES)
    assert isinstance(found, list)
    return [str(each) for each in found]


def _problems(record: etree._Element) -> list[str]:
    schema = _schema()
    schema.validate(record)
    return [str(error) for error in schema.error_log]


@pytest.mark.parametrize(("catalogue", "data"), _VARIANTS)
def test_the_schemas_pass(catalogue: dict[str, Any], data: DataSummary) -> None:
    records = _made(catalogue, data)
    assert len(records) == 3 + len(data.layers)
    for name, text in records.items():
        assert _problems(_tree(text)) == [], name


def test_a_service_that_asks_for_a_password_says_so() -> None:
    basic = {"type": "Basic", "none": None, "basic": {"users": [{"name": "a", "passwordSecretRef": {"name": "a"}}]}}
    records = iso.records(described(spec={"auth": {**basic, "anonymousRead": False}}))
    for text in records.values():
        assert _problems(_tree(text)) == []
        assert "angemeldeten Nutzern" in text
        assert "noLimitations" not in text
        assert "opendata" not in text


@pytest.mark.parametrize("name", _FILES)
@pytest.mark.parametrize("lost", ["abstract", "contact", "identificationInfo", "title", "dateStamp"])
def test_the_schemas_find_what_is_lost(name: str, lost: str) -> None:
    record = _tree(_made()[name])
    (element, *_) = record.iter(f"{{{_NAMES['gmd']}}}{lost}")
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)
    assert _problems(record)


def test_service_and_datasets_are_coupled() -> None:
    records = {name: _tree(text) for name, text in _made().items()}
    datasets = [record for name, record in records.items() if name.startswith("dataset-")]
    identifiers = {_texts(each, "//gmd:MD_Identifier/gmd:code/gmx:Anchor/text()")[0] for each in datasets}
    ids = {_texts(each, "/gmd:MD_Metadata/gmd:fileIdentifier/gco:CharacterString/text()")[0] for each in datasets}
    for name in ("service.xml", "service-mqtt.xml"):
        assert set(_texts(records[name], "//srv:operatesOn/@uuidref")) == identifiers
        leads = _texts(records[name], "//srv:operatesOn/@*[local-name() = 'href']")
        assert all(each.startswith("https://catalogue.example/csw?SERVICE=CSW&REQUEST=GetRecordById") for each in leads)
        assert {each.rpartition("#")[2] for each in leads} == ids
    assert all(each.startswith("https://registry.gdi-de.org/id/de.hh/") for each in identifiers)
    parents = {_texts(each, "//gmd:parentIdentifier/gco:CharacterString/text()")[0] for each in datasets}
    assert parents == set(_texts(records["series.xml"], "//gmd:fileIdentifier/gco:CharacterString/text()"))
    every = [_texts(each, "//gmd:fileIdentifier/gco:CharacterString/text()")[0] for each in records.values()]
    assert len(set(every)) == len(every)


def test_without_a_csw_the_coupling_is_by_identifier() -> None:
    record = _tree(_made({"csw": None})["service.xml"])
    leads = _texts(record, "//srv:operatesOn/@*[local-name() = 'href']")
    assert leads == _texts(record, "//srv:operatesOn/@uuidref")
    assert len(leads) == 2


@pytest.mark.parametrize("name", _FILES)
def test_an_independent_client_reads_it(name: str) -> None:
    read = MD_Metadata(_tree(_made()[name]))
    (identification,) = read.identification
    assert read.datestamp == DAY
    assert read.contact[0].organization == "Amt für Luft"
    assert read.contact[0].email == "daten@air.example"
    assert identification.abstract
    assert identification.bbox.minx == "9.7"
    assert [each.url for each in read.distribution.online]
    assert read.hierarchy == {"series.xml": "series", "dataset-no2.xml": "dataset"}.get(name, "service")
    keywords = [keyword.name for group in identification.keywords for keyword in group.keywords]
    assert {"Umweltüberwachung", "Luft", "opendata"} <= set(keywords)
    if name == "dataset-no2.xml":
        assert identification.title == "Stickstoffdioxid"
        assert identification.uricode == [described().datasets[0].identifier]
        assert (identification.temporalextent_start, identification.temporalextent_end) == (LAYER.first, LAYER.last)
        assert identification.topiccategory == ["environment", "health"]


def test_an_independent_client_reads_the_services() -> None:
    for name, address in (
        ("service.xml", "https://air.city.example/FROST-Server/v1.1"),
        ("service-mqtt.xml", "mqtts://air.city.example:8883"),
    ):
        (service,) = MD_Metadata(_tree(_made()[name])).identification
        assert service.type == "download"
        assert [each["connectpoint"][0].url for each in service.operations] == [address]
        assert {each["uuidref"] for each in service.operateson} == {each.identifier for each in described().datasets}


def test_what_may_be_done_is_there_for_machines() -> None:
    record = _tree(_made()["dataset-no2.xml"])
    (terms,) = (each for each in _texts(record, "//gmd:otherConstraints/gco:CharacterString/text()"))
    assert json.loads(terms)["id"] == CATALOGUE["licence"]["id"]
    assert json.loads(terms)["quelle"] == "Amt für Luft"
    assert json.loads(terms)["url"] == "https://www.govdata.de/dl-de/by-2-0"
    closed = {"id": "other-closed", "attribution": None}
    assert "opendata" not in _made({"licence": closed})["dataset-no2.xml"]


@settings(max_examples=25)
@given(layer=_TEXT, unit=_TEXT, description=_TEXT)
def test_any_text_makes_valid_records(layer: str, unit: str, description: str) -> None:
    data = DataSummary(layers=(LAYER.model_copy(update={"layer_name": layer, "units": (unit,)}),))
    said = {"description": {"de": f"a{description}"}, "datasets": [{"serviceName": LAYER.service_name}]}
    for text in _made(said, data).values():
        assert _problems(_tree(text)) == []
