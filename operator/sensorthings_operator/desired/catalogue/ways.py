"""The ways to a dataset, whatever the format they are written in."""

from sensorthings_operator.desired.catalogue import requests
from sensorthings_operator.desired.catalogue.description import Dataset, Described, Texts

Distribution = tuple[str, Texts, Texts, str]
"""Its name, title, description and address."""


def distributions(described: Described, dataset: Dataset) -> list[Distribution]:
    """The ways to the data, each with an example that works as it stands."""
    rest, names = described.rest, (dataset.summary.service_name, dataset.summary.layer_name)
    ids = requests.datastreams(rest, *names)
    found: list[Distribution] = [
        (
            "layer",
            {"de": "SensorThings API: diese Ebene", "en": "SensorThings API: this layer"},
            {
                "de": "Things der Ebene mit der neuesten Observation jedes Datastreams, als JSON.",
                "en": "Things of the layer with the newest Observation of each Datastream, as JSON.",
            },
            requests.layer(rest, *names),
        ),
        (
            "whole",
            {"de": "SensorThings API: der ganze Dienst", "en": "SensorThings API: the whole service"},
            {
                "de": "Alle Things des Dienstes mit der neuesten Observation jedes Datastreams, als JSON.",
                "en": "All Things of the service with the newest Observation of each Datastream, as JSON.",
            },
            requests.whole(rest),
        ),
        (
            "mqtt",
            {"de": "MQTT: neue Observations dieser Ebene", "en": "MQTT: new Observations of this layer"},
            {
                "de": f"Bei {described.mqtt} oder {described.web_socket} das Topic {requests.TOPIC} abonnieren; "
                f"ID ist die @iot.id eines Datastreams von {ids}. Jede neue Observation kommt als JSON.",
                "en": f"Subscribe at {described.mqtt} or {described.web_socket} to the topic {requests.TOPIC}; "
                f"ID is the @iot.id of a Datastream of {ids}. Each new Observation comes as JSON.",
            },
            described.mqtt,
        ),
    ]
    if dataset.box is not None:
        place = (
            "place",
            {"de": "SensorThings API: nach Ort", "en": "SensorThings API: by place"},
            {
                "de": "Things der Ebene in einem Polygon (WGS 84, Länge vor Breite), als JSON.",
                "en": "Things of the layer in a polygon (WGS 84, longitude before latitude), as JSON.",
            },
            requests.within(rest, *names, dataset.box),
        )
        found.insert(2, place)
    return found
