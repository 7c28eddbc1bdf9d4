"""ckanext-dcat as an independent reader: of what is served to harvesters, and of what a portal says of our entries."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import aiohttp
import pytest
from rdflib import Graph, URIRef
from rdflib.namespace import DCAT, DCTERMS, RDF

from sensorthings_operator.desired.catalogue import documents
from tests.ckan.contract import WELL, Publisher
from tests.unit.catalogue.catalogued import LAYER, described

if TYPE_CHECKING:
    from sensorthings_operator.clients.ckan import Ckan
    from tests.ckan.portal import Portal

_SERVED: Final[dict[str, Any]] = {"endpoint": {}}


def _read(portal: Portal, text: str, format_: str) -> list[dict[str, Any]]:
    script = Path(__file__).parent / "read_back.py"
    command = [str(portal.installation.python), str(script), str(portal.config), format_]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(("name", "format_"), [("catalogue.rdf", "xml"), ("catalogue.jsonld", "json-ld")])
def test_a_harvester_finds_every_dataset(portal: Portal, name: str, format_: str) -> None:
    files = documents.documents(described(_SERVED)).files
    found = {each["title"]: each for each in _read(portal, files[name], format_)}
    assert found.keys() == {"Stickstoffdioxid", "Luft in Hamburg: o'zone & more"}
    dataset = found["Stickstoffdioxid"]
    extras = {each["key"]: each["value"] for each in dataset["extras"]}
    own = next(each for each in described(_SERVED).datasets if each.title["de"] == "Stickstoffdioxid")
    assert dataset["notes"].startswith("NO2 in Bodennähe")
    assert {tag["name"] for tag in dataset["tags"]} == {"Luft", "Messwerte", "NO2"}
    assert extras["identifier"] == own.identifier
    assert extras["uri"] == own.identifier
    assert extras["publisher_name"] == "Amt für Luft"
    assert extras["contact_email"] == "daten@air.example"
    assert extras["temporal_start"] == "2020-01-01"
    assert extras["temporal_end"] == "2026-11-22"
    assert extras["frequency"].endswith("/frequency/CONT")
    assert json.loads(extras["documentation"]) == ["https://air.city.example/catalogue/dataset-no2.xml"]
    assert {each["access_url"] for each in dataset["resources"]} == _ways(files["catalogue.rdf"], own.identifier)
    assert all(each["license"].endswith("/licenses/dl-by-de/2.0") for each in dataset["resources"])


def _ways(text: str, identifier: str) -> set[str]:
    graph = Graph().parse(data=text, format="xml")
    return {str(graph.value(way, DCAT.accessURL)) for way in graph.objects(URIRef(identifier), DCAT.distribution)}


async def test_a_portal_describes_our_entries_as_we_do(portal: Portal, ckan: Ckan) -> None:
    publisher = Publisher(portal, ckan)
    publisher.layers, publisher.said = (LAYER,), _SERVED
    async with publisher.working():
        assert await publisher.look() == WELL
    (live,) = publisher.there().values()
    async with aiohttp.ClientSession() as http, http.get(f"{portal.url}/dataset/{live['id']}.rdf") as answer:
        theirs = Graph().parse(data=await answer.text(), format="xml")
    ours = Graph().parse(data=documents.documents(described(_SERVED)).files["catalogue.rdf"], format="xml")
    (node,) = theirs.subjects(RDF.type, DCAT.Dataset)
    assert str(node) == described(_SERVED).datasets[0].identifier
    for predicate in (DCTERMS.identifier, DCTERMS.accrualPeriodicity, DCTERMS.language, DCTERMS.accessRights):
        assert _texts(theirs, node, predicate) == _texts(ours, node, predicate), predicate
    assert _texts(theirs, node, DCAT.theme) == _texts(ours, node, DCAT.theme)
    assert _texts(theirs, node, DCTERMS.title) == ["Stickstoffdioxid"]
    ways = [theirs.value(way, DCAT.accessURL) for way in theirs.objects(node, DCAT.distribution)]
    # ckanext-dcat escapes more than it has to.
    assert {unquote(str(each)) for each in ways} == {
        unquote(str(ours.value(way, DCAT.accessURL))) for way in ours.objects(node, DCAT.distribution)
    }


def _texts(graph: Graph, node: Any, predicate: URIRef) -> list[str]:
    return sorted(str(each) for each in graph.objects(node, predicate))
