"""Requests that descriptions show: by REST for a service, a layer or a place, and the topics of MQTT.

Of OGC 18-088, sections 9.3 and 14. Escaped for the address bar: the same text works in curl.
"""

from typing import Final
from urllib.parse import quote

from sensorthings_operator.desired.reading import Box

_LATEST: Final = "Observations($orderby=phenomenonTime desc;$top=1)"
_STANDS_FOR_ITSELF: Final = "/(),':;=$@"
"""In a query (RFC 3986), beside what ``quote`` leaves."""
TOPIC: Final = "v1.1/Datastreams(ID)/Observations"
"""Of a Datastream whose @iot.id is ID."""


def literal(value: str) -> str:
    """A string in a ``$filter``."""
    return "'" + value.replace("'", "''") + "'"


def of_layer(service_name: str, layer_name: str, *, path: str = "") -> str:
    """The ``$filter`` of a layer's Datastreams; ``path`` leads to them, such as ``Datastreams/``."""
    return (
        f"{path}properties/serviceName eq {literal(service_name)} and "
        f"{path}properties/layerName eq {literal(layer_name)}"
    )


def escaped(query: str) -> str:
    """A value of a query as it stands in a URL."""
    return quote(query, safe=_STANDS_FOR_ITSELF)


def whole(rest: str) -> str:
    """Every Thing with the newest Observation of each of its Datastreams."""
    return f"{rest}/Things?$expand={escaped(f'Locations,Datastreams($expand={_LATEST})')}"


def layer(rest: str, service_name: str, layer_name: str) -> str:
    """The Things of a layer with the newest Observation of each of the layer's Datastreams."""
    things = of_layer(service_name, layer_name, path="Datastreams/")
    inside = f"Datastreams($filter={of_layer(service_name, layer_name)};$expand={_LATEST})"
    return f"{rest}/Things?$filter={escaped(things)}&$expand={escaped(f'Locations,{inside}')}"


def within(rest: str, service_name: str, layer_name: str, box: Box) -> str:
    """The Things of a layer in a part of the earth."""
    things = of_layer(service_name, layer_name, path="Datastreams/")
    inside = f"st_within(Locations/location,geography'{box.wkt}')"
    return f"{rest}/Things?$filter={escaped(f'{things} and {inside}')}&$expand=Locations"


def datastreams(rest: str, service_name: str, layer_name: str) -> str:
    """The identifiers that topics of MQTT are made of."""
    return f"{rest}/Datastreams?$filter={escaped(of_layer(service_name, layer_name))}&$select=id,name"
