"""What the check of delivery keeps in a service's data, and where it asks. All of it carries a mark.

One Thing without a Location, thus on no map, with one Datastream; an Observation only while a check runs. Entities are
those of OGC 18-088, section 8.2.
"""

from collections.abc import Mapping
from typing import Any, Final

from sensorthings_operator.desired import addresses, sidecar
from sensorthings_operator.desired.service import Service

MARK: Final[Mapping[str, str]] = {"sensorthingsOperator": "delivery check"}
"""In the properties of every entity of it."""
MARKED: Final = " and ".join(f"properties/{name} eq '{value}'" for name, value in MARK.items())
"""The ``$filter`` that finds them."""
FEATURE_PROPERTY: Final = "featureOfInterest"
"""Of the Datastream: the id of the FeatureOfInterest, which no Location makes."""
_NAME: Final = "Delivery check of sensorthings-operator"
_TOLD: Final = (
    "Not data of the city: sensorthings-operator posts an Observation here now and then, sees that every MQTT pod "
    "tells of it, and deletes it."
)


def is_wanted(service: Service) -> bool:
    """Whether delivery is to be verified."""
    return service.spec.monitoring.verify_delivery


def mqtt_port(service: Service) -> int:
    """Port of an MQTT module's pod that takes MQTT over TCP."""
    return addresses.MQTTS_PORT if sidecar.is_wanted(service) else addresses.MQTT_PORT


def feature() -> dict[str, Any]:
    """The FeatureOfInterest."""
    nowhere = {"type": "Point", "coordinates": [0, 0]}
    return {**_described(), "encodingType": "application/geo+json", "feature": nowhere}


def thing(feature_id: int | str) -> dict[str, Any]:
    """The Thing, with all that is below it."""
    described = _described()
    datastream = {
        **described,
        "properties": {**MARK, FEATURE_PROPERTY: feature_id},
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_CountObservation",
        "unitOfMeasurement": {
            "name": "number of the check",
            "symbol": "1",
            "definition": "http://qudt.org/vocab/unit/NUM",
        },
        "Sensor": {**described, "encodingType": "text/plain", "metadata": _TOLD},
        "ObservedProperty": {**described, "definition": "http://qudt.org/vocab/quantitykind/Count"},
    }
    return {**described, "Datastreams": [datastream]}


def observation(number: int, feature_id: int | str) -> dict[str, Any]:
    """An Observation that is told from every other one by its result."""
    return {"result": number, "FeatureOfInterest": {"@iot.id": feature_id}}


def _described() -> dict[str, Any]:
    return {"name": _NAME, "description": _TOLD, "properties": dict(MARK)}
