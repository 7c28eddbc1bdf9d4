"""Example requests and layers for a Masterportal: whatever the names are, what is asked is what was meant."""

import json
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.desired.catalogue import masterportal, requests
from sensorthings_operator.desired.reading import Box, DataSummary, Reading
from tests.unit.catalogue.catalogued import LAYER, described

_REST: Final = "https://air.city.example/FROST-Server/v1.1"
_NAMES: Final = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
_KEYS: Final = {
    *("id", "name", "typ", "url", "version", "urlParameter", "epsg", "gfiTheme", "gfiAttributes", "mqttOptions"),
    *("mqttRh", "mqttQos", "loadThingsOnlyInCurrentExtent", "timezone", "showNoDataValue", "noDataValue", "styleId"),
    *("legendURL", "layerAttribution", "datasets"),
}
"""Of those that Masterportal documents for SensorThings layers."""
_RESTRICTED: Final[dict[str, Any]] = {
    "auth": {
        "type": "Basic",
        "anonymousRead": False,
        "none": None,
        "basic": {"users": [{"name": "a", "passwordSecretRef": {"name": "a"}}]},
    }
}


def _layers(catalogue: dict[str, Any] | None = None, **fields: Any) -> list[dict[str, Any]]:
    parsed: list[dict[str, Any]] = json.loads(masterportal.services(described(catalogue, **fields)))
    return parsed


@given(_NAMES, _NAMES)
def test_names_arrive_as_they_are(service_name: str, layer_name: str) -> None:
    asked = dict(parse_qsl(urlsplit(requests.layer(_REST, service_name, layer_name)).query, strict_parsing=True))
    quoted = [name.replace("'", "''") for name in (service_name, layer_name)]
    assert asked["$filter"] == (
        f"Datastreams/properties/serviceName eq '{quoted[0]}' and Datastreams/properties/layerName eq '{quoted[1]}'"
    )
    assert asked["$expand"].startswith(f"Locations,Datastreams($filter=properties/serviceName eq '{quoted[0]}' and ")


@given(_NAMES, _NAMES)
def test_addresses_are_of_ascii_without_blanks(service_name: str, layer_name: str) -> None:
    for address in (
        requests.layer(_REST, service_name, layer_name),
        requests.datastreams(_REST, service_name, layer_name),
        requests.within(_REST, service_name, layer_name, Box(west=9, south=53, east=10, north=54)),
        requests.whole(_REST),
    ):
        assert address.isascii()
        assert not set(address) & set(' <>"{}|\\^`#')


def test_layers_have_the_documented_keys() -> None:
    (no2, other) = _layers()
    assert no2.keys() == other.keys() == _KEYS
    assert no2["typ"] == "SensorThings"
    assert no2["url"] == "https://air.city.example/FROST-Server", "without version and without a slash at the end"
    assert no2["version"] == "1.1"
    assert no2["urlParameter"]["root"] == "Things"
    assert no2["mqttOptions"] == {
        "host": "air.city.example",
        "port": "443",
        "path": "/mqtt",
        "protocol": "wss",
        "mqttVersion": "3.1.1",
        "rhPath": "https://air.city.example/FROST-Server",
    }
    assert no2["datasets"][0]["rs_id"] == described().datasets[0].identifier
    assert no2["datasets"][0]["md_id"] == described().datasets[0].record_id
    assert no2["datasets"][0]["kategorie_opendata"] == ["Umwelt", "Gesundheit"]
    assert no2["datasets"][0]["kategorie_inspire"] == ["Umweltüberwachung"]
    assert no2["datasets"][0]["csw_url"] == "https://catalogue.example/csw"


def test_the_portal_asks_for_the_layer() -> None:
    """It puts values of urlParameter into the URL as they are, and joins lists by commas."""
    parameters = _layers()[0]["urlParameter"]
    query = "&".join(
        f"${name}={','.join(value) if isinstance(value, list) else value}"
        for name, value in parameters.items()
        if name != "root"
    )
    assert not set(query) & set(' <>"{}|\\^`#')
    asked = unquote(f"{_REST}/{parameters['root']}?{query}")
    of_layer = "Datastreams/properties/serviceName eq 'HH_STA_air' and Datastreams/properties/layerName eq 'no2'"
    inside = of_layer.replace("Datastreams/", "")
    more = "ObservedProperty,Observations($orderby=phenomenonTime desc;$top=1)"
    assert asked == (
        f"{_REST}/Things?$filter={of_layer}&$expand=Locations,Datastreams($filter={inside};$expand={more})"
    )


@pytest.mark.parametrize(
    ("gateway", "port", "path"),
    [({"name": "city"}, "443", "/mqtt"), ({"name": "city", "httpsPort": 8443, "webSocketPath": "/ws"}, "8443", "/ws")],
)
def test_a_gateway_may_have_other_ports_and_paths(gateway: dict[str, Any], port: str, path: str) -> None:
    options = _layers(spec={"exposure": {"type": "Gateway", "gateway": gateway}})[0]["mqttOptions"]
    assert (options["host"], options["port"], options["path"]) == ("air.city.example", port, path)


def test_a_style_is_written_where_the_portal_has_none() -> None:
    layers = [{"layerName": "no2", "style": "city-no2"}]
    whole = described({"datasets": [{"serviceName": LAYER.service_name, "layers": layers}]})
    styles = json.loads(masterportal.styles(whole))
    wanted = [each["styleId"] for each in json.loads(masterportal.services(whole))]
    assert wanted[0] == "city-no2"
    assert [each["styleId"] for each in styles] == wanted[1:]
    assert all(each["rules"] for each in styles)


def test_a_portal_gets_nothing_that_asks_for_a_password() -> None:
    assert _layers(spec=_RESTRICTED) == []


@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=1, max_size=5))
def test_a_box_holds_its_points_and_is_rounded(points: list[tuple[float, float]]) -> None:
    box = Box.around(points)
    assert box is not None
    for longitude, latitude in points:
        assert box.west - 1e-9 <= longitude <= box.east + 1e-9
        assert box.south - 1e-9 <= latitude <= box.north + 1e-9
    assert Box.around(box.corners) == box, "rounding again changes nothing"
    assert all(round(value, 3) == value for value in (box.west, box.south, box.east, box.north))
    assert Box.around([]) is None
    assert Box.around([(x, y) for x, y in points for _ in range(2)]) == box


def test_a_summary_comes_back_from_its_text() -> None:
    reading = Reading(summary=DataSummary(layers=(LAYER,)), generation=3, day="2026-11-23")
    assert Reading.model_validate_json(reading.text()) == reading
