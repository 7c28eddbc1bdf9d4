"""Creates the model's entities in a SensorThings service, each one once however often it is called.

Called by ``play.py``, and by end-to-end tests and benchmarks.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.desired.entities import EntityId, key
from traffic_lights.model import LAYER_NAME, OBSERVED_PROPERTY, OWNER, SENSOR, SERVICE_NAME, Intersection, Model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensorthings_operator.cli.sensorthings import SensorThings

_AT_ONCE: Final = 8  # intersections
_THINGS: Final = {
    "$filter": f"properties/ownerThing eq '{OWNER}'",
    "$select": "id,name",
    "$expand": (
        f"Datastreams($filter=properties/serviceName eq '{SERVICE_NAME}' and properties/layerName eq '{LAYER_NAME}'"
        ";$select=id,name)"
    ),
    "$orderby": "id",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is in the service after loading.

    Attributes:
        datastreams: the identifier of each signal group's Datastream, by the name of the signal group.
        created: how many entities were not there before (Things, Datastreams, Sensors, ObservedProperties).
    """

    datastreams: Mapping[str, EntityId]
    created: int


@dataclass(frozen=True, slots=True)
class _Shared:
    """References to what all Datastreams have in common."""

    sensor: Mapping[str, Any]
    observed_property: Mapping[str, Any]


async def load(session: SensorThings, model: Model) -> Loaded:
    """Create what is missing, and find what is there.

    A Thing is found by its name among those of this example's ``ownerThing``, a Datastream by its name in its Thing.
    Two loaders at the same time can each create the same entity: SensorThings has no unique names.

    Raises:
        SensorThingsError: the service does not answer, or refuses.
    """
    sensor, new_sensor = await _ensure(session, "Sensors", SENSOR)
    observed_property, new_property = await _ensure(session, "ObservedProperties", OBSERVED_PROPERTY)
    shared = _Shared({"@iot.id": sensor}, {"@iot.id": observed_property})
    things = {thing["name"]: thing async for thing in session.collect("Things", _THINGS)}
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(intersection: Intersection) -> Loaded:
        async with places:
            thing = things.get(intersection.traffic_lights_id)
            return await _load_intersection(session, intersection, thing, shared)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(intersection)) for intersection in model.intersections]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    parts = [task.result() for task in tasks]
    datastreams = {name: identifier for part in parts for name, identifier in part.datastreams.items()}
    return Loaded(datastreams, new_sensor + new_property + sum(part.created for part in parts))


async def _ensure(session: SensorThings, entity_set: str, entity: Mapping[str, Any]) -> tuple[EntityId, int]:
    """The identifier of the entity of this name, and 1 if it had to be created."""
    query = {"$filter": f"name eq '{entity['name']}'", "$select": "id", "$orderby": "id"}
    async for found in session.collect(entity_set, query):
        return found["@iot.id"], 0
    return await session.create(entity_set, entity), 1


async def _load_intersection(
    session: SensorThings, intersection: Intersection, thing: Mapping[str, Any] | None, shared: _Shared
) -> Loaded:
    created = 0
    identifier = thing["@iot.id"] if thing else None
    if identifier is None:
        identifier = await session.create("Things", intersection.entity())
        created += 1
    there = {datastream["name"]: datastream["@iot.id"] for datastream in (thing or {}).get("Datastreams", [])}
    for group in intersection.signal_groups:
        if group.name not in there:
            entity = group.entity(shared.sensor, shared.observed_property)
            there[group.name] = await session.create(f"{key('Things', identifier)}/Datastreams", entity)
            created += 1
    return Loaded({group.name: there[group.name] for group in intersection.signal_groups}, created)
