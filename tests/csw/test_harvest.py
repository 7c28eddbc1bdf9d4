"""A catalogue service harvests the endpoint, and OWSLib reads it as a geoportal does."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest
from owslib.csw import CatalogueServiceWeb  # type: ignore[import-untyped]

from sensorthings_operator.desired.catalogue import documents
from sensorthings_operator.desired.reading import DataSummary, LayerSummary
from tests.csw import service
from tests.csw.service import CatalogueService
from tests.unit.catalogue.catalogued import LAYER, OTHER, described
from tests.unit.catalogue.running_endpoint import Server, serving
from tests.unit.operator.running_envoy import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensorthings_operator.desired.catalogue.description import Described

_GMD: Final = "http://www.isotc211.org/2005/gmd"
_RECORDS: Final = 5
"""The service, MQTT, the whole of the data, and two layers."""


class City:
    """A service's endpoint and the catalogue service that harvests it."""

    def __init__(self, csw: CatalogueService, server: Server) -> None:
        self.csw = csw
        self.server = server
        self.said: dict[str, Any] = {}
        self.layers: tuple[LayerSummary, ...] = (LAYER, OTHER)

    @property
    def described(self) -> Described:
        """What is said of the service."""
        given = {"endpoint": {}, "csw": self.csw.url, **self.said}
        return described(given, data=DataSummary(layers=self.layers))

    def harvest(self) -> dict[str, Any]:
        """What is said now is written, harvested, and read by OWSLib: records by their identifiers."""
        files = documents.documents(self.described).files
        self.server.write({name: text for name, text in files.items() if name.endswith(".xml")})
        await_true(lambda: self._serves(files), "the documents are served")
        told = self.csw.harvest(self.server.url)
        assert "ExceptionReport" not in told, told
        client = CatalogueServiceWeb(self.csw.url, timeout=60)
        client.getrecords2(outputschema=_GMD, esn="full", typenames="gmd:MD_Metadata", maxrecords=100)
        return dict(client.records)

    def _serves(self, files: dict[str, str]) -> bool:
        records = {name: text for name, text in files.items() if name.endswith(".xml")}
        return all(self.server.ask(f"/catalogue/{name}")[2] == text for name, text in records.items())


@pytest.fixture(scope="session")
def python() -> Path:
    """What has pycsw."""
    try:
        return service.interpreter()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no pycsw {service.PYCSW}: {error}")


@pytest.fixture
def city(python: Path, tmp_path: Path) -> Iterator[City]:
    """An empty catalogue service, and an endpoint."""
    for name in ("csw", "endpoint"):
        (tmp_path / name).mkdir()
    csw = CatalogueService(python, tmp_path / "csw")
    try:
        csw.await_ready()
        with serving(tmp_path / "endpoint", {}, local=True) as server:
            yield City(csw, server)
    finally:
        csw.stop()


def test_all_records_are_harvested_and_read_back(city: City) -> None:
    found, said = city.harvest(), city.described
    assert len(found) == _RECORDS
    assert {each.record_id for each in said.datasets} | {said.record_id} <= found.keys()
    dataset = found[said.datasets[0].record_id]
    assert dataset.hierarchy == "dataset"
    (identification,) = dataset.identification
    assert identification.title == "Stickstoffdioxid"
    assert identification.uricode == [said.datasets[0].identifier]
    assert (identification.bbox.minx, identification.bbox.maxy) == ("9.7", "53.7")
    assert dataset.contact[0].email == "daten@air.example"


def test_service_and_datasets_are_coupled_through_the_catalogue(city: City) -> None:
    """``operatesOn`` leads to the records of the datasets, in the same catalogue; these name the whole as parent."""
    found, said = city.harvest(), city.described
    (identification,) = found[said.record_id].identification
    coupled = {each["uuidref"]: each["href"] for each in identification.operateson}
    assert coupled.keys() == {each.identifier for each in said.datasets}
    for dataset in said.datasets:
        answer = city.csw.record(coupled[dataset.identifier])
        texts = answer.xpath("gmd:MD_Metadata/gmd:fileIdentifier/*/text()", namespaces={"gmd": _GMD})
        assert texts == [dataset.record_id]
    parents = {found[each.record_id].parentidentifier for each in said.datasets}
    assert len(parents) == 1
    (parent,) = parents
    assert found[parent].hierarchy == "series"


def test_what_changed_is_harvested_anew_under_the_same_identifiers(city: City) -> None:
    before = city.harvest()
    city.said = {"title": {"de": "Luft der Stadt"}}
    after = city.harvest()
    assert after.keys() == before.keys()
    assert after[city.described.record_id].identification[0].title == "Luft der Stadt"


def test_a_new_layer_comes_with_the_next_harvest(city: City) -> None:
    city.layers = (LAYER,)
    assert len(city.harvest()) == _RECORDS - 1
    city.layers = (LAYER, OTHER)
    assert len(city.harvest()) == _RECORDS
