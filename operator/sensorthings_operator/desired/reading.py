"""What is known of a service's data, as far as it is published. Read by clients/datasets, kept in the ConfigMap.

Rounded, so that it changes when what is published does: places to about a hundred metres, times to days.
"""

import math
from collections.abc import Iterable
from typing import Final

from sensorthings_operator.api.base import Model

_DECIMALS: Final = 3
"""Of a degree: 111 m of latitude."""


class Box(Model):
    """A part of the earth, in degrees of WGS 84."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def around(cls, points: Iterable[tuple[float, float]]) -> "Box | None":
        """The least rounded one that holds all points, each a longitude and a latitude; None where there are none."""
        known = list(points)
        if not known:
            return None
        longitudes, latitudes = zip(*known, strict=True)
        return cls(
            west=max(-180.0, _down(min(longitudes))),
            south=max(-90.0, _down(min(latitudes))),
            east=min(180.0, -_down(-max(longitudes))),
            north=min(90.0, -_down(-max(latitudes))),
        )

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """South-west and north-east."""
        return ((self.west, self.south), (self.east, self.north))

    @property
    def wkt(self) -> str:
        """As a polygon of the Simple Features standard (OGC 06-103r4), x first."""
        w, s, e, n = (f"{value:g}" for value in (self.west, self.south, self.east, self.north))
        return f"POLYGON(({w} {s},{e} {s},{e} {n},{w} {n},{w} {s}))"


def _down(value: float) -> float:
    scale = 10**_DECIMALS
    # Rounded first: 10.001 times 1000 is a little less than 10001.
    return math.floor(round(value * scale, 6)) / scale


def union(boxes: Iterable[Box | None]) -> Box | None:
    """The least box that holds all of them."""
    return Box.around(corner for box in boxes if box is not None for corner in box.corners)


class LayerSummary(Model):
    """Datastreams of one serviceName and layerName."""

    service_name: str
    layer_name: str
    things: int = 0
    datastreams: int = 0
    box: Box | None = None
    """Around the Locations of the Things; None where there are none."""
    first: str = ""
    """Day of the oldest Observation in UTC, such as 2026-11-23; empty where there is none."""
    last: str = ""
    """Day of the newest one."""
    observed_properties: tuple[str, ...] = ()
    """Names."""
    units: tuple[str, ...] = ()
    """Names of the units of measurement."""


class DataSummary(Model):
    """All layers that are described, in the order of their names."""

    layers: tuple[LayerSummary, ...] = ()


class Reading(Model):
    """A summary, and since when it is what is published."""

    summary: DataSummary
    generation: int
    """Of the spec that asked."""
    day: str
    """On which the description became what it is, in UTC."""

    def text(self) -> str:
        """As it stands in the ConfigMap."""
        return self.model_dump_json(by_alias=True) + "\n"
