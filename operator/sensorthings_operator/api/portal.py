"""The live map page of a service. Part of a SensorThingsService's spec."""

from typing import Annotated, Final

from pydantic import Field

from sensorthings_operator.api.base import PORT_PATTERN, Model, ResourceRequirements, cel, rules
from sensorthings_operator.api.catalogue import Line, PropertyValue

_TILES: Final = rf"^https://[A-Za-z0-9.-]+{PORT_PATTERN}/[^\s<>\"'`;,\\^|]*$"
"""One origin, which the page's security policy names; no character that would end a directive of it."""


class Background(Model):
    """A map below the Things, fetched by the browsers of those who look from whoever serves it."""

    model_config = rules(
        cel(
            "['{z}', '{x}', '{y}'].all(part, self.url.contains(part))",
            "the URL needs {z}, {x} and {y}, such as https://tiles.city.example/{z}/{x}/{y}.png",
            field_path=".url",
        ),
    )

    url: Annotated[str, Field(pattern=_TILES, max_length=1024)]
    """Tiles of 256 pixels in Web Mercator: an https URL with {z}, {x} and {y}."""
    attribution: Line
    """Whose map it is; shown on the page."""
    max_zoom: Annotated[int, Field(ge=1, le=22)] = 19
    """The last zoom that there are tiles for; beyond it they are enlarged."""


class ResultStyle(Model):
    """How one result looks."""

    result: Annotated[str, Field(min_length=1, max_length=64)]
    """The result as text, such as 3 or open."""
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$", max_length=7)]
    """Its colour, such as #2ecc71."""
    label: Line | None = None
    """What it means, for the legend; the result itself where it is not given."""


class Portal(Model):
    """A page that shows the service's Things on a map, and what they observe as it happens."""

    model_config = rules(
        cel(
            "has(self.serviceName) == has(self.layerName)",
            "serviceName and layerName name a layer together: give both, or none for all Datastreams",
            field_path=".layerName",
        ),
    )

    path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$", max_length=128)] = "/map"
    """Where the page is on the service's host."""
    title: Line | None = None
    """Heading of the page; the service's name where it is not given."""
    service_name: PropertyValue | None = None
    """Show only Datastreams whose property serviceName is this one."""
    layer_name: PropertyValue | None = None
    """Show only Datastreams whose property layerName is this one."""
    styles: Annotated[
        list[ResultStyle],
        Field(
            max_length=32,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["result"]},
        ),
    ] = Field(default_factory=list)
    """Colours of results, in the order of the legend. Other results have a colour that says only that there is one."""
    follow_locations: bool = False
    """Move a Thing on the map when it gets another Location: one more subscription for each Thing."""
    background: Background | None = None
    """A map below the Things; none where it is not given, and then nothing is fetched from elsewhere."""
    replicas: Annotated[int, Field(ge=0, le=8)] = 1
    """Pods that serve the page."""
    resources: ResourceRequirements = ResourceRequirements()
    """Compute resources of a pod."""
