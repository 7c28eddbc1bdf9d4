"""The traffic lights as SensorThings entities, named and described the way Hamburg publishes its own.

Called by ``loading`` (what to create) and ``schedule`` (what to play). Where each name and value comes from, and where
this differs from Hamburg, stands in ``README.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from traffic_lights.signals import LaneType, Program, SignalState, fixed_time

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE_NAME: Final = "HH_STA_traffic_lights"
LAYER_NAME: Final = "primary_signal"
OWNER: Final = "sensorthings-operator example"
"""``ownerThing`` and ``ownerData``: these intersections are invented, and the loader touches no other Thing."""

FIRST_TRAFFIC_LIGHTS_ID: Final = 9001
_TOWN_HALL: Final = (9.9937, 53.5511)  # longitude, latitude in WGS 84
_SPACING: Final = (0.0045, 0.0027)  # degrees, about 300 m in Hamburg
_COLUMNS: Final = 20
_GOLDEN_RATIO: Final = 0.6180339887498949

_SIGNAL_GROUPS: Final = (
    ("K1", LaneType.MOTOR_VEHICLES, range(2, 40)),
    ("K2", LaneType.MOTOR_VEHICLES, range(2, 40)),
    ("K3", LaneType.MOTOR_VEHICLES, range(50, 78)),
    ("K4", LaneType.MOTOR_VEHICLES, range(50, 78)),
    ("R1", LaneType.CYCLISTS, range(2, 36)),
    ("R2", LaneType.CYCLISTS, range(50, 74)),
    ("F1", LaneType.PEDESTRIANS, range(2, 32)),
    ("F2", LaneType.PEDESTRIANS, range(50, 70)),
)
"""A junction of two streets: name, whom it is for, and seconds of green. 1 and 2 (R1, F1) are of the main street."""


@dataclass(frozen=True, slots=True)
class SignalGroup:
    """The heads of one intersection that always show the same; a Datastream."""

    traffic_lights_id: str
    signal_group_id: str
    lane_type: LaneType
    program: Program

    @property
    def name(self) -> str:
        """The Datastream's name, unique in a service."""
        return f"Primary signal heads at {self.traffic_lights_id}_{self.signal_group_id}"

    def entity(self, sensor: Mapping[str, Any], observed_property: Mapping[str, Any]) -> dict[str, Any]:
        """The Datastream; ``sensor`` and ``observed_property`` are references to entities that exist."""
        return {
            "name": self.name,
            "description": f"Signal state of signal group {self.signal_group_id} ({self.lane_type})",
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_CountObservation",
            "unitOfMeasurement": {
                "name": "Status",
                "symbol": "Integer dimensionless",
                "definition": ",".join(f"{s.value}={s.name.lower().replace('_', '-')}" for s in SignalState),
            },
            "properties": {
                "serviceName": SERVICE_NAME,
                "layerName": LAYER_NAME,
                "signalGroupID": self.signal_group_id,
                "laneType": self.lane_type.value,
                "resultsNature": "Primary",
                "mediaMonitored": "Transport",
                "ownerData": OWNER,
            },
            "Sensor": sensor,
            "ObservedProperty": observed_property,
        }


@dataclass(frozen=True, slots=True)
class Intersection:
    """One intersection with traffic lights; a Thing.

    ``offset``: seconds by which its programs begin later than those of a neighbour at 0.
    """

    traffic_lights_id: str
    position: tuple[float, float]
    offset: float
    signal_groups: tuple[SignalGroup, ...]

    def entity(self) -> dict[str, Any]:
        """The Thing with its Location, without Datastreams."""
        return {
            "name": self.traffic_lights_id,
            "description": f"Traffic lights {self.traffic_lights_id}, an invented intersection",
            "properties": {
                "topic": "Transportation and traffic",
                "assetID": f"LSA {self.traffic_lights_id}",
                "keywords": ["TLF", "LSA", "Hamburg"],
                "language": "en",
                "ownerThing": OWNER,
                "trafficLightsID": self.traffic_lights_id,
            },
            "Locations": [
                {
                    "name": self.traffic_lights_id,
                    "description": "Centre of the intersection, on an invented grid",
                    "encodingType": "application/geo+json",
                    "location": {"type": "Point", "coordinates": list(self.position)},
                }
            ],
        }


@dataclass(frozen=True, slots=True)
class Model:
    """All intersections of the example."""

    intersections: tuple[Intersection, ...]

    @property
    def signal_groups(self) -> tuple[SignalGroup, ...]:
        """Those of all intersections, in their order."""
        return tuple(group for intersection in self.intersections for group in intersection.signal_groups)

    @property
    def pace(self) -> float:
        """Changes per second of all signal groups together, in real time."""
        return sum(len(group.program.changes) / group.program.cycle for group in self.signal_groups)


SENSOR: Final[Mapping[str, Any]] = {
    "name": "Signal heads of traffic lights",
    "description": "The lamps of a signal group, as its controller switches them",
    "encodingType": "text/html",
    "metadata": "https://metaver.de/trefferanzeige?docuuid=AB32CF78-389A-4579-9C5E-867EF31CA225",
}
OBSERVED_PROPERTY: Final[Mapping[str, Any]] = {
    "name": "Signal",
    "definition": "http://www.opengis.net/def/property/OGC/0/SensorStatus",
    "description": "What a signal head shows; the Datastream's unitOfMeasurement holds the code list",
}


def traffic_lights(intersections: int) -> Model:
    """So many intersections, each with the same eight signal groups.

    Neighbours are shifted against each other by the golden ratio of the cycle, so that their changes spread evenly.
    """
    return Model(tuple(_intersection(number) for number in range(intersections)))


def _intersection(number: int) -> Intersection:
    identifier = str(FIRST_TRAFFIC_LIGHTS_ID + number)
    groups = tuple(
        SignalGroup(identifier, name, lane_type, fixed_time(lane_type, green))
        for name, lane_type, green in _SIGNAL_GROUPS
    )
    row, column = divmod(number, _COLUMNS)
    position = (round(_TOWN_HALL[0] + column * _SPACING[0], 4), round(_TOWN_HALL[1] + row * _SPACING[1], 4))
    cycle = groups[0].program.cycle
    return Intersection(identifier, position, number * _GOLDEN_RATIO % 1 * cycle, groups)
