"""Asks a service what its data is, layer by layer, for its catalogue. Used by the catalogue's probe.

Of the API itself (OGC 18-088, sections 9.3.2 and 9.3.3): counts, extremes, and pages of a bounded number. Never reads
Observations.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Self

import aiohttp

from sensorthings_operator.clients.access import NOBODY, AccessError, AccessSource, SignIn
from sensorthings_operator.clients.sensorthings import Pod, RefusedError, SensorThings, UnreachableError
from sensorthings_operator.conditions.catalogue import CatalogueReason
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.catalogue import requests
from sensorthings_operator.desired.reading import Box, DataSummary, LayerSummary

MOST_LAYERS: Final = 64
"""Of a service that are looked at."""
_PAGE: Final = 100
"""FROST-Server's own limit where nothing else is set."""
_MOST_PAGES: Final = 20
"""Of Locations: 2,000 of a layer make its area."""
_MOST_NAMES: Final = 12
"""Of observed properties and of units of a layer that are told."""
_MOST_STEPS: Final = 20
"""Towards the newest Observation."""
_LONG_AGO: Final = "1800-01-01T00:00:00Z"
"""Before every Observation: Datastreams without any have no time at all."""


@dataclass(frozen=True)
class Group:
    """Datastreams of one serviceName."""

    service_name: str
    listed: tuple[str, ...]
    """Values of layerName that are looked for in any case."""
    discover: bool
    """Whether others are looked for."""


@dataclass(frozen=True)
class DataTarget:
    """What is looked at, and where."""

    pod: Pod
    """Of the HTTP module."""
    root_path: str
    groups: tuple[Group, ...]
    places: bool
    """Whether the area is to be found out."""
    sign_in: SignIn = NOBODY
    http_port: int = addresses.HTTP_PORT


@dataclass(frozen=True)
class DataRead(Answer):
    """What was found."""

    summary: DataSummary = field(default_factory=DataSummary)


class DatasetReader:
    """An async context manager."""

    def __init__(self, source: AccessSource) -> None:
        self._source = source

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def ask(self, target: DataTarget) -> Answer:
        """What the data is; never raises for what the service answers."""
        try:
            access = await self._source.of(target.sign_in)
            api = SensorThings(self._http, target.pod, target.root_path, target.http_port, access.authorization)
            layers = await _layers(api, target)
        except (RefusedError, UnreachableError, AccessError) as error:
            return Answer(holds=False, reason=CatalogueReason.NOT_READ, message=str(error))
        return DataRead(holds=True, reason=CatalogueReason.PUBLISHED, message="", summary=DataSummary(layers=layers))


async def _layers(api: SensorThings, target: DataTarget) -> tuple[LayerSummary, ...]:
    found: list[LayerSummary] = []
    for group in target.groups:
        names = list(group.listed)
        if group.discover:
            names += await _discovered(api, group, MOST_LAYERS - len(found) - len(names))
        for name in names[: MOST_LAYERS - len(found)]:
            layer = await _layer(api, group.service_name, name, places=target.places)
            if layer.datastreams:
                found.append(layer)
    return tuple(sorted(found, key=lambda layer: (layer.service_name, layer.layer_name)))


async def _discovered(api: SensorThings, group: Group, most: int) -> list[str]:
    """Values of layerName beside those that are listed: each question leaves out what is known already."""
    # Those that have no layerName are left out. FROST-Server 2.0.0 can't read an empty text.
    of_service = f"properties/serviceName eq {requests.literal(group.service_name)} and properties/layerName gt ' '"
    known = set(group.listed)
    found: list[str] = []
    while len(found) < most:
        others = [f"properties/layerName ne {requests.literal(name)}" for name in sorted(known)]
        condition = requests.escaped(" and ".join([of_service, *others]))
        datastreams = await api.listed(f"Datastreams?$filter={condition}&$select=properties&$top={_PAGE}")
        names = {
            name
            for each in datastreams
            if isinstance(name := (each.get("properties") or {}).get("layerName"), str) and name
        }
        if not names - known:
            break
        found += sorted(names - known)
        known |= names
    return found[:most]


async def _layer(api: SensorThings, service_name: str, layer_name: str, *, places: bool) -> LayerSummary:
    own = requests.escaped(requests.of_layer(service_name, layer_name))
    described = (
        f"Datastreams?$filter={own}&$select=unitOfMeasurement&$expand=ObservedProperty($select=name)"
        f"&$count=true&$top={_PAGE}"
    )
    page = await api.get(described)
    datastreams = page["value"]
    if not datastreams:
        return LayerSummary(service_name=service_name, layer_name=layer_name)
    through = requests.escaped(requests.of_layer(service_name, layer_name, path="Datastreams/"))
    things = await api.get(f"Things?$filter={through}&$select=id&$count=true&$top=1")
    return LayerSummary(
        service_name=service_name,
        layer_name=layer_name,
        things=_count(things),
        datastreams=_count(page),
        box=await _box(api, service_name, layer_name) if places else None,
        first=await _first(api, service_name, layer_name),
        last=await _last(api, service_name, layer_name),
        observed_properties=_names(each.get("ObservedProperty") for each in datastreams),
        units=_names(each.get("unitOfMeasurement") for each in datastreams),
    )


def _count(page: dict[str, Any]) -> int:
    return int(page.get("@iot.count", len(page["value"])))


def _names(described: Iterator[Any]) -> tuple[str, ...]:
    names = {
        name for each in described if isinstance(each, dict) and isinstance(name := each.get("name"), str) and name
    }
    return tuple(sorted(names)[:_MOST_NAMES])


async def _first(api: SensorThings, service_name: str, layer_name: str) -> str:
    """The day of the oldest Observation, by what Datastreams say of theirs; empty where there is none."""
    condition = f"{requests.of_layer(service_name, layer_name)} and phenomenonTime ge {_LONG_AGO}"
    order = requests.escaped("phenomenonTime asc")
    times = await _times(api, condition, f"&$orderby={order}&$top=1")
    return min((time.partition("/")[0] for time in times), default="")[:10]


async def _last(api: SensorThings, service_name: str, layer_name: str) -> str:
    """The day of the newest one.

    FROST-Server orders times by their beginnings. So it is asked for those that end after what is known, again and
    again: each question leaves a hundredth of the Datastreams, or so.
    """
    day = ""
    for _ in range(_MOST_STEPS):
        known = f"{day}T23:59:59.999Z" if day else _LONG_AGO
        condition = f"{requests.of_layer(service_name, layer_name)} and not (phenomenonTime le {known})"
        times = await _times(api, condition, f"&$top={_PAGE}")
        newest = max((time.rpartition("/")[2] for time in times), default="")[:10]
        if newest <= day:
            break
        day = newest
    return day


async def _times(api: SensorThings, condition: str, more: str) -> list[str]:
    found = await api.listed(f"Datastreams?$filter={requests.escaped(condition)}&$select=phenomenonTime{more}")
    return [str(each["phenomenonTime"]) for each in found if each.get("phenomenonTime")]


async def _box(api: SensorThings, service_name: str, layer_name: str) -> Box | None:
    """Around the Locations of the layer's Things."""
    condition = requests.escaped(requests.of_layer(service_name, layer_name, path="Things/Datastreams/"))
    asked = f"Locations?$filter={condition}&$select=location&$orderby=id&$top={_PAGE}"
    box: Box | None = None
    for number in range(_MOST_PAGES):
        page = await api.listed(f"{asked}&$skip={number * _PAGE}")
        points = [point for each in page for point in _points(each.get("location"))]
        box = Box.around([*points, *(box.corners if box else ())])
        if len(page) < _PAGE:
            break
    return box


def _points(geojson: Any) -> Iterator[tuple[float, float]]:
    """Those of a GeoJSON object (RFC 7946) that lie on the earth; none of anything else."""
    if isinstance(geojson, dict):
        for member in ("geometry", "geometries", "features", "coordinates"):
            yield from _points(geojson.get(member))
    elif isinstance(geojson, list):
        if len(geojson) >= 2 and all(isinstance(each, int | float) for each in geojson[:2]):
            longitude, latitude = float(geojson[0]), float(geojson[1])
            if -180 <= longitude <= 180 and -90 <= latitude <= 90:
                yield longitude, latitude
        else:
            for each in geojson:
                yield from _points(each)
