"""What a real FROST-Server answers about its data, and that the requests of the descriptions work on it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from sensorthings_operator.clients.access import AccessSource
from sensorthings_operator.clients.datasets import DataRead, DatasetReader, DataTarget, Group
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.desired.catalogue import masterportal, requests
from sensorthings_operator.desired.reading import Box, DataSummary, LayerSummary
from tests.e2e.images.conftest import Http, call
from tests.unit.catalogue.catalogued import described

if TYPE_CHECKING:
    from sensorthings_operator.clients.keycloak import KeycloakClients

_NOBODY_SIGNS_IN: Final = AccessSource(cast("KeycloakClients", None), None)

_SERVICE: Final = "HH_STA_air"
_ODD: Final = "o'zone & more+"
_STATIONS: Final = 130
"""More than a page."""


def _datastream(layer: str | None, unit: str = "ppb", service: str = _SERVICE) -> dict[str, Any]:
    return {
        "name": f"{layer} of a station",
        "description": "d",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": unit, "symbol": unit, "definition": "d"},
        "properties": {"serviceName": service} | ({} if layer is None else {"layerName": layer}),
        "ObservedProperty": {"name": f"property of {layer}", "definition": "https://example.org/p", "description": "d"},
        "Sensor": {"name": "s", "description": "s", "encodingType": "text/plain", "metadata": "m"},
    }


def _station(number: int) -> dict[str, Any]:
    place = {"type": "Point", "coordinates": [round(9.5 + number / 1000, 3), 53.5]}
    datastreams = [_datastream("no2")]
    if number == 0:
        others = (_datastream(_ODD), _datastream("dust", "mg"), _datastream(None), _datastream("no2", service="other"))
        datastreams += others
    return {
        "name": f"station {number}",
        "description": "d",
        "Locations": [{"name": "l", "description": "d", "encodingType": "application/geo+json", "location": place}],
        "Datastreams": datastreams,
    }


def _observe(http: Http, station: int, *times: str) -> None:
    found = call(
        f"{http.root}/Datastreams?$select=id&$filter=Thing/name%20eq%20'station%20{station}'%20and%20"
        f"properties/layerName%20eq%20'no2'%20and%20properties/serviceName%20eq%20'{_SERVICE}'"
    )
    (datastream,) = found.json["value"]
    for time in times:
        made = {"result": 1, "phenomenonTime": time}
        answer = call(f"{http.root}/Datastreams({datastream['@iot.id']})/Observations", "POST", made)
        assert answer.code == 201, answer


@pytest.fixture(scope="module")
def city(http: Http) -> Http:
    """A service with a hundred stations and more; the one that began last is not the one that went on longest."""
    for number in range(_STATIONS):
        assert call(f"{http.root}/Things", "POST", _station(number)).code == 201
    _observe(http, 3, "2025-03-01T23:59:00Z", "2026-11-22T12:00:00Z")
    _observe(http, 4, "2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z")
    _observe(http, 5, "2026-01-01T00:00:00Z/2026-01-01T01:00:00Z")
    return http


def _read(http: Http, *groups: Group) -> tuple[LayerSummary, ...]:
    target = DataTarget(Pod("http", "u", "127.0.0.1"), "/FROST-Server", groups, places=True, http_port=http.port)

    async def ask() -> DataRead:
        async with DatasetReader(_NOBODY_SIGNS_IN) as reader:
            answer = await reader.ask(target)
        assert isinstance(answer, DataRead), answer
        return answer

    return asyncio.run(ask()).summary.layers


def test_layers_are_found_and_summed_up(city: Http) -> None:
    no2 = LayerSummary(
        service_name=_SERVICE,
        layer_name="no2",
        things=_STATIONS,
        datastreams=_STATIONS,
        box=Box(west=9.5, south=53.5, east=9.5 + (_STATIONS - 1) / 1000, north=53.5),
        first="2025-03-01",
        last="2026-11-22",
        observed_properties=("property of no2",),
        units=("ppb",),
    )
    point = Box(west=9.5, south=53.5, east=9.5, north=53.5)
    one = LayerSummary(service_name=_SERVICE, layer_name="", things=1, datastreams=1, box=point)
    dust = one.model_copy(update={"layer_name": "dust", "observed_properties": ("property of dust",), "units": ("mg",)})
    odd = one.model_copy(
        update={"layer_name": _ODD, "observed_properties": (f"property of {_ODD}",), "units": ("ppb",)}
    )
    assert _read(city, Group(_SERVICE, (), discover=True)) == (dust, no2, odd)
    assert _read(city, Group(_SERVICE, (_ODD, "gone"), discover=False)) == (odd,)
    assert _read(city, Group("nobody", (), discover=True)) == ()


@pytest.mark.parametrize(("layer", "things"), [("no2", 100), (_ODD, 1), ("dust", 1)])
def test_the_requests_of_a_description_work(city: Http, layer: str, things: int) -> None:
    box = Box(west=9.4, south=53.4, east=9.5005, north=53.6)
    asked = call(requests.layer(city.root, _SERVICE, layer))
    assert asked.code == 200, asked
    assert len(asked.json["value"]) == things, "a page, which may have a limit"
    for thing in asked.json["value"]:
        assert thing["Locations"]
        assert {each["properties"]["layerName"] for each in thing["Datastreams"]} == {layer}
    inside = call(requests.within(city.root, _SERVICE, layer, box)).json["value"]
    assert [each["name"] for each in inside] == ["station 0"]
    ids = call(requests.datastreams(city.root, _SERVICE, layer)).json["value"]
    assert len(ids) == things
    assert all(each.keys() >= {"@iot.id", "name"} for each in ids)


def test_the_whole_service_comes_with_its_newest_observations(city: Http) -> None:
    things = {each["name"]: each for each in call(requests.whole(city.root)).json["value"]}
    newest = [
        observation["phenomenonTime"]
        for datastream in things["station 3"]["Datastreams"]
        for observation in datastream["Observations"]
    ]
    assert newest == ["2026-11-22T12:00:00Z"]


def test_what_a_masterportal_asks_for_works(city: Http) -> None:
    data = DataSummary(layers=_read(city, Group(_SERVICE, (), discover=True)))
    layers = json.loads(masterportal.services(described({"datasets": [{"serviceName": _SERVICE}]}, data=data)))
    assert len(layers) == 3
    for layer in layers:
        parameters = dict(layer["urlParameter"])
        root = parameters.pop("root")
        joined = {name: ",".join(each) if isinstance(each, list) else each for name, each in parameters.items()}
        query = "&".join(f"${name}={value}" for name, value in joined.items())
        answer = call(f"{city.root}/{root}?{query}")
        assert answer.code == 200, answer
        for thing in answer.json["value"]:
            assert thing["Locations"]
            assert all("ObservedProperty" in each and "Observations" in each for each in thing["Datastreams"])


def test_a_later_day_is_another_summary(city: Http) -> None:
    before = _read(city, Group(_SERVICE, ("no2",), discover=False))
    assert _read(city, Group(_SERVICE, ("no2",), discover=False)) == before, "the same data is the same summary"
    _observe(city, 4, "2026-11-22T23:00:00Z")
    assert _read(city, Group(_SERVICE, ("no2",), discover=False)) == before, "the same day is, too"
    _observe(city, 4, "2026-11-23T00:00:01Z")
    (after,) = _read(city, Group(_SERVICE, ("no2",), discover=False))
    assert after == before[0].model_copy(update={"last": "2026-11-23"})
