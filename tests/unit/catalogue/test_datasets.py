"""What is asked of a service about its data: bounded, grouped by serviceName and layerName, and never Observations."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.clients import datasets as module
from sensorthings_operator.clients.access import AccessSource
from sensorthings_operator.clients.datasets import DataRead, DatasetReader, DataTarget, Group
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.conditions.catalogue import CatalogueReason
from sensorthings_operator.desired.reading import Box, LayerSummary
from sensorthings_operator.observe.catalogue import target
from sensorthings_operator.observe.figures import FIGURES
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.catalogue.catalogued import catalogued
from tests.unit.operator.samples import SETTINGS, ready_http_pod

if TYPE_CHECKING:
    from sensorthings_operator.clients.keycloak import KeycloakClients

_NOBODY_SIGNS_IN: Final = AccessSource(cast("KeycloakClients", None), None)

_EQUALS: Final = re.compile(r"properties/(\w+) (eq|ne|gt) '((?:[^']|'')*)'")


@dataclass
class Datastream:
    """One that the service has."""

    service: str | None
    layer: str | None
    thing: int = 1
    phenomenon_time: str | None = "2026-01-01T00:30:00Z/2026-11-22T23:59:59Z"
    unit: str = "Celsius"
    seen: str = "Temperature"

    @property
    def end(self) -> str:
        return (self.phenomenon_time or "").rpartition("/")[2]

    def entity(self) -> dict[str, Any]:
        properties = {"serviceName": self.service, "layerName": self.layer}
        return {
            "properties": {name: value for name, value in properties.items() if value is not None},
            "unitOfMeasurement": {"name": self.unit},
            "ObservedProperty": {"name": self.seen},
            "phenomenonTime": self.phenomenon_time,
        }


@dataclass
class Frost:
    """Answers as far as these questions go."""

    datastreams: list[Datastream]
    locations: dict[int, Any] = field(default_factory=dict)
    """GeoJSON by the number of the Thing."""
    asked: list[str] = field(default_factory=list)
    fails: Callable[[str], bool] = lambda _: False

    async def answer(self, request: web.Request) -> web.Response:
        """One page of 100 at most."""
        collection = request.path.rpartition("/")[2]
        self.asked.append(request.path_qs)
        if self.fails(request.path_qs):
            return web.Response(status=500)
        found = [each for each in self.datastreams if _matches(each, request.query["$filter"])]
        page = {"Datastreams": self._datastreams, "Things": self._things, "Locations": self._locations}[collection]
        entities = page(found, request.query)
        top, skip = min(int(request.query["$top"]), 100), int(request.query.get("$skip", "0"))
        counted = {"@iot.count": len(entities)} if request.query.get("$count") == "true" else {}
        return web.json_response({**counted, "value": entities[skip : skip + top]})

    def _datastreams(self, found: list[Datastream], query: Any) -> list[dict[str, Any]]:
        order = query.get("$orderby", "")
        if "phenomenonTime ge" in query["$filter"]:
            found = [each for each in found if each.phenomenon_time]
        if after := re.search(r"not \(phenomenonTime le (\S+)\)", query["$filter"]):
            found = [each for each in found if each.end > after[1]]
        if order == "phenomenonTime asc":
            found = sorted(found, key=lambda each: str(each.phenomenon_time))
        return [each.entity() for each in found]

    def _things(self, found: list[Datastream], _: Any) -> list[dict[str, Any]]:
        return [{"@iot.id": number} for number in sorted({each.thing for each in found})]

    def _locations(self, found: list[Datastream], _: Any) -> list[dict[str, Any]]:
        things = sorted({each.thing for each in found})
        return [{"location": self.locations[thing]} for thing in things if thing in self.locations]


def _matches(datastream: Datastream, condition: str) -> bool:
    values = {"serviceName": datastream.service, "layerName": datastream.layer}
    for name, operator, literal in _EQUALS.findall(condition):
        value, wanted = values[name], literal.replace("''", "'")
        if value is None or {"eq": value != wanted, "ne": value == wanted, "gt": value <= wanted}[operator]:
            return False
    return True


_TARGET: Final = DataTarget(
    Pod("air-http-1", "u", "127.0.0.1"), "/FROST-Server", (Group("air", (), discover=True),), places=True
)


@asynccontextmanager
async def _reader(frost: Frost) -> AsyncIterator[tuple[DatasetReader, DataTarget]]:
    application = web.Application()
    application.router.add_get("/FROST-Server/v1.1/{collection}", frost.answer)
    async with TestServer(application) as server, DatasetReader(_NOBODY_SIGNS_IN) as reader:
        yield reader, replace(_TARGET, http_port=server.port or 0)


async def _read(frost: Frost, **fields: Any) -> tuple[LayerSummary, ...]:
    async with _reader(frost) as (reader, at_server):
        found = await reader.ask(replace(at_server, **fields))
    assert isinstance(found, DataRead)
    return found.summary.layers


async def test_a_layer_is_summed_up() -> None:
    frost = Frost(
        [
            Datastream("air", "no2", 1, "2026-02-01T00:30:00Z/2026-11-22T23:59:59Z"),
            Datastream("air", "no2", 1, "2025-12-31T23:30:00Z/2026-03-01T00:00:00Z", unit="ppb", seen="NO2"),
            Datastream("air", "no2", 2, None),
            Datastream("air", None),
            Datastream(None, "no2", 3),
            Datastream("water", "no2", 4),
        ],
        {
            1: {"type": "Point", "coordinates": [9.98765, 53.55111]},
            2: {"type": "LineString", "coordinates": [[10.0, 53.5, 7], [10.1234, 53.6]]},
            3: {"type": "Point", "coordinates": [0, 0]},
        },
    )
    assert await _read(frost) == (
        LayerSummary(
            service_name="air",
            layer_name="no2",
            things=2,
            datastreams=3,
            box=Box(west=9.987, south=53.5, east=10.124, north=53.6),
            first="2025-12-31",
            last="2026-11-22",
            observed_properties=("NO2", "Temperature"),
            units=("Celsius", "ppb"),
        ),
    )
    assert not [each for each in frost.asked if "Observations" in each]


async def test_layers_are_found_with_a_question_for_each_hundred_datastreams_or_less() -> None:
    names = [f"layer {number}" for number in range(5)]
    frost = Frost([Datastream("air", name) for name in names for _ in range(150)])
    found = await _read(frost, places=False)
    assert [layer.layer_name for layer in found] == names
    assert {layer.datastreams for layer in found} == {150}
    discovering = [each for each in frost.asked if "$select=properties" in each]
    assert len(discovering) == len(names) + 1
    assert len(frost.asked) == len(discovering) + 5 * len(names)


@pytest.mark.parametrize("number", [1, 99, 100, 101, 730])
async def test_the_newest_is_found_among_many(number: int) -> None:
    """Also where the one that began last is not the one that ended last, and in the worst of all orders."""
    days = [str(date(2024, 1, 1) + timedelta(days=each)) for each in range(number)]
    times = [f"{day}T00:00:00Z/{day}T12:00:00Z" for day in days[1:]]
    longest = f"2024-01-01T00:00:00Z/{days[-1]}T12:00:01Z"
    frost = Frost([Datastream("air", "no2", phenomenon_time=each) for each in (*times, longest)])
    (layer,) = await _read(frost, places=False)
    assert (layer.first, layer.last) == (days[0], days[-1])
    assert len([each for each in frost.asked if "not%20(" in each]) <= number // 100 + 2


async def test_however_many_layers_there_are_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LAYERS", 7)
    frost = Frost([Datastream("air", f"layer {number:03}") for number in range(300)])
    assert len(await _read(frost, places=False)) == 7


async def test_however_many_locations_there_are_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_PAGES", 3)
    things = range(1, 500)
    points = {thing: {"type": "Point", "coordinates": [thing / 10, 50]} for thing in things}
    frost = Frost([Datastream("air", "no2", thing) for thing in things], points)
    (layer,) = await _read(frost)
    assert layer.box == Box(west=0.1, south=50, east=30, north=50)
    assert len([each for each in frost.asked if "/Locations" in each]) == 3


async def test_listed_layers_are_asked_for_and_others_left() -> None:
    frost = Frost([Datastream("air", "no2"), Datastream("air", "o'zone & more+"), Datastream("air", "dust")])
    groups = (Group("air", ("o'zone & more+", "gone"), discover=False),)
    found = await _read(frost, groups=groups, places=False)
    assert [layer.layer_name for layer in found] == ["o'zone & more+"]
    frost = Frost(frost.datastreams)
    groups = (Group("air", ("o'zone & more+",), discover=True),)
    found = await _read(frost, groups=groups, places=False)
    assert [layer.layer_name for layer in found] == ["dust", "no2", "o'zone & more+"]


async def test_a_service_without_data_and_without_times() -> None:
    assert await _read(Frost([])) == ()
    (layer,) = await _read(Frost([Datastream("air", "no2", phenomenon_time=None)]))
    assert (layer.first, layer.last, layer.box) == ("", "", None)


async def test_a_service_that_does_not_answer_is_no_surprise() -> None:
    frost = Frost([Datastream("air", "no2")], fails=lambda path: "/Things" in path)
    async with _reader(frost) as (reader, at_server):
        found = await reader.ask(at_server)
        assert (found.holds, found.reason) == (False, CatalogueReason.NOT_READ)
        assert "500" in found.message
        away = replace(at_server, pod=Pod("air-http-1", "u", "127.0.0.2"))
        assert (await reader.ask(away)).reason == CatalogueReason.NOT_READ


_NUMBERS = st.floats() | st.integers(-200, 200)
_MEMBERS = st.sampled_from(["type", "coordinates", "geometry", "geometries", "features"])
_ANYTHING = st.recursive(
    st.none() | _NUMBERS | st.text(max_size=3),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(_MEMBERS, inner, min_size=1),
    max_leaves=10,
)


@given(_ANYTHING)
def test_whatever_a_location_holds_its_points_are_on_earth(location: Any) -> None:
    for longitude, latitude in module._points(location):
        assert -180 <= longitude <= 180
        assert -90 <= latitude <= 90


def test_who_is_asked() -> None:
    store = OwnedStore(SUMMARIES, FIGURES)
    assert target(store, catalogued(), SETTINGS) is None, "no pod is ready"
    store.put("Pod", ready_http_pod())
    found = target(store, catalogued(), SETTINGS)
    assert found == DataTarget(
        Pod("air-http-1", "u", "10.0.0.7"),
        "/FROST-Server",
        (Group("HH_STA_air", ("no2",), discover=True),),
        places=True,
    )
    area = {"spatial": {"west": 9, "south": 53, "east": 10, "north": 54}}
    given_area = target(store, catalogued(area), SETTINGS)
    assert given_area is not None
    assert not given_area.places
    users = {"users": [{"name": "a", "passwordSecretRef": {"name": "a"}}]}
    basic = {"auth": {"type": "Basic", "none": None, "anonymousRead": False, "basic": users}}
    signing_in = target(store, catalogued(spec=basic), SETTINGS)
    assert signing_in is not None
    assert signing_in.sign_in.user is not None
