"""What a Masterportal 3 asks of a SensorThings service for a layer of its services.json, restated from its
documentation and from what it was seen to do: requests, paging, extents, topics, and what stands in for retained
messages.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aiohttp import ClientSession

Entity = dict[str, Any]
Box = tuple[float, float, float, float]
"""West, south, east, north."""


@dataclass(frozen=True)
class Layer:
    """An entry of services.json."""

    entry: Mapping[str, Any]

    @property
    def version(self) -> str:
        """Of the API, in URLs and topics."""
        return f"v{self.entry['version']}"

    @property
    def root(self) -> str:
        """What features are made of."""
        return str(self.entry["urlParameter"].get("root", "Things"))

    def request(self, **more: str) -> str:
        """The request for all features. Values go in as they stand, lists joined by commas; ``more`` replaces some."""
        parameters = {**self.entry["urlParameter"], **more}
        parameters.pop("root", None)
        query = "&".join(
            f"${name}={','.join(value) if isinstance(value, list) else value}" for name, value in parameters.items()
        )
        return f"{self.entry['url']}/{self.version}/{self.root}?{query}"

    def within(self, box: Box, *, intersect: bool = False, **more: str) -> str:
        """The request for the features of an extent: the whole query is taken apart, and encoded anew."""
        address = urlsplit(self.request(**more))
        query = dict(parse_qsl(address.query))
        west, south, east, north = box
        corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
        place = "Locations/location" if self.root == "Things" else "Thing/Locations/location"
        function = "st_intersects" if intersect else "st_within"
        polygon = f"{function}({place},geography'POLYGON (({','.join(f'{x} {y}' for x, y in corners)}))')"
        query["$filter"] = f"{query['$filter']} and {polygon}" if "$filter" in query else polygon
        encoded = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items())
        return address._replace(query=encoded).geturl()

    def topics(self, entities: list[Entity]) -> dict[str, Entity]:
        """Of the Datastreams of features: their topics."""
        streams = entities if self.root == "Datastreams" else [s for each in entities for s in each["Datastreams"]]
        return {f"{self.version}/Datastreams({each['@iot.id']})/Observations": each for each in streams}

    def newest(self, topic: str) -> str:
        """What stands in for a retained message, which MQTT 3.1.1 can't ask for: a request below ``rhPath``."""
        return f"{self.entry['mqttOptions']['rhPath']}/{topic}?$orderby=phenomenonTime%20desc&$top=1"


async def collect(session: ClientSession, url: str) -> list[Entity]:
    """All entities of a request and of what it expands, by ``@iot.nextLink`` wherever one is.

    What was asked for with ``$top`` ends there: its next link begins where that ends.
    """
    found: list[Entity] = []
    waiting: deque[tuple[str, list[Entity]]] = deque([(url, found)])
    while waiting:
        link, into = waiting.popleft()
        # As it stands: a browser encodes nothing anew.
        async with session.get(URL(link, encoded=True)) as answer:
            assert answer.status == 200, f"{answer.status} for {link}: {await answer.text()}"
            page = await answer.json()
        into += page["value"]
        links = [(page.get("@iot.nextLink"), into), *_links(page["value"])]
        waiting += [(each, where) for each, where in links if each and not _at_its_end(each)]
    return found


def _links(entities: list[Entity]) -> Iterator[tuple[str, list[Entity]]]:
    for entity in entities:
        for name in [name for name in entity if name.endswith("@iot.nextLink")]:
            yield entity.pop(name), entity[name.removesuffix("@iot.nextLink")]
        for value in entity.values():
            nested = value if isinstance(value, list) else [value]
            yield from _links([each for each in nested if isinstance(each, dict)])


def _at_its_end(link: str) -> bool:
    top, skip = (re.search(rf"(?:\$|%24){name}=([0-9]+)", link) for name in ("top", "skip"))
    return top is not None and 0 < int(top[1]) <= (0 if skip is None else int(skip[1]))
