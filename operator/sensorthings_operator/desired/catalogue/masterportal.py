"""Layers for a Masterportal: entries of its services.json, and a style for each to begin with.

By Masterportal 3's own documentation of SensorThings layers (docs/User/Global-Config/services.json.md). Values of
``urlParameter`` go into the URL as they are; MQTT's host and port are given apart, as the client library takes them.
"""

import json
from typing import Any, Final
from urllib.parse import urlsplit

from sensorthings_operator.desired.catalogue import requests
from sensorthings_operator.desired.catalogue.codes import INSPIRE_THEMES, THEMES
from sensorthings_operator.desired.catalogue.description import Dataset, Described

_WSS_PORT: Final = 443
_EPSG: Final = "EPSG:4326"
"""Of SensorThings: GeoJSON is in WGS 84."""
_COLOUR: Final = [0, 90, 160, 0.9]
"""Red, green, blue from 0 to 255, and opacity: readable on the grey base maps that cities use."""


def services(described: Described) -> str:
    """The entries of services.json, one for each layer; none where reading asks for a password, which all would see."""
    return _text([_layer(described, dataset) for dataset in described.datasets if described.public])


def styles(described: Described) -> str:
    """The entries of style_v3.json for layers that have no style of the portal's own."""
    return _text([_style(dataset) for dataset in described.datasets if described.public and dataset.style is None])


def _layer(described: Described, dataset: Dataset) -> dict[str, Any]:
    summary = dataset.summary
    layer = requests.of_layer(summary.service_name, summary.layer_name)
    things = requests.of_layer(summary.service_name, summary.layer_name, path="Datastreams/")
    inside = f"$filter={layer};$expand=ObservedProperty,Observations($orderby=phenomenonTime desc;$top=1)"
    return {
        "id": dataset.key,
        "name": dataset.title["de"],
        "typ": "SensorThings",
        "url": described.root,
        "version": "1.1",
        "urlParameter": {
            "root": "Things",
            "filter": requests.escaped(things),
            "expand": ["Locations", requests.escaped(f"Datastreams({inside})")],
        },
        "epsg": _EPSG,
        "gfiTheme": "default",
        "gfiAttributes": {
            "name": "Name",
            "description": "Beschreibung",
            "dataStreamName": "Datenstrom",
            "dataStreamValue": "Wert",
            "dataStreamPhenomenonTime": "Zeit",
        },
        "mqttOptions": _mqtt(described),
        # The newest Observation at once: simulated by GET below rhPath, as FROST-Server retains nothing.
        "mqttRh": 0,
        "mqttQos": 0,
        "loadThingsOnlyInCurrentExtent": False,
        "timezone": "Europe/Berlin",
        "showNoDataValue": True,
        "noDataValue": "k. A.",
        "styleId": dataset.style or dataset.key,
        "legendURL": "ignore",
        "layerAttribution": described.spec.licence.attribution or described.spec.publisher.name,
        "datasets": [_metadata(described, dataset)],
    }


def _mqtt(described: Described) -> dict[str, str]:
    at = urlsplit(described.web_socket)
    return {
        "host": at.hostname or "",
        "port": str(at.port or _WSS_PORT),
        "path": at.path,
        "protocol": at.scheme,
        "mqttVersion": "3.1.1",
        "rhPath": described.root,
    }


def _metadata(described: Described, dataset: Dataset) -> dict[str, Any]:
    inspire = described.spec.inspire
    entry: dict[str, Any] = {
        "md_id": dataset.record_id,
        "rs_id": dataset.identifier,
        "md_name": dataset.title["de"],
        "kategorie_opendata": [THEMES[theme] for theme in dataset.themes],
        "kategorie_inspire": [INSPIRE_THEMES[inspire.theme] if inspire is not None else "kein INSPIRE-Thema"],
        "kategorie_organisation": described.spec.publisher.name,
    }
    if described.spec.csw is not None:
        entry["csw_url"] = described.spec.csw
    if dataset.landing_page is not None:
        entry["show_doc_url"] = dataset.landing_page
    return entry


def _style(dataset: Dataset) -> dict[str, Any]:
    circle = {"type": "circle", "circleRadius": 7, "circleFillColor": _COLOUR, "circleStrokeColor": [255, 255, 255, 1]}
    return {"styleId": dataset.key, "rules": [{"style": circle}]}


def _text(entries: list[dict[str, Any]]) -> str:
    return json.dumps(entries, indent=1, ensure_ascii=False) + "\n"
