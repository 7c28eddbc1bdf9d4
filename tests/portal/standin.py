"""A stand-in for FROST-Server and the edge, for the live map page: answers of the shape of FROST-Server's own.

It serves the traffic lights of the example a page at a time, as FROST-Server 2.0.0 does (``@iot.nextLink``, ``$top``,
``$skip``), and leads one host to all there is, as the edge does: the page's own server, and a real mosquitto.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from aiohttp import ClientSession, WSMsgType, web

from traffic_lights.model import Model

ROOT: Final = "/FROST-Server/v1.1"
_WITHIN: Final = re.compile(
    r"st_within\(Thing/Locations/location,geography'POLYGON\(\(([-.\d]+) ([-.\d]+),[-., \d]+\)\)'\)"
)
_UNACCEPTABLE: Final = bytes([0x20, 2, 0, 1])
"""CONNACK of MQTT 3.1.1: unacceptable protocol version."""
_WORTH_PASSING: Final = ("Content-Type", "Content-Security-Policy", "Cache-Control", "Content-Encoding", "Location")


@dataclass
class Data:
    """Things with Datastreams, numbered from 1, and the newest Observation of each."""

    model: Model
    observations: dict[int, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    """Of what was asked, the path and query."""
    failing: int = 0
    """That many of the next requests are answered with 503."""

    def __post_init__(self) -> None:
        """Number Things and Datastreams, and give each a state to begin with."""
        self.things = [self._thing(number) for number in range(len(self.model.intersections))]
        begin = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
        for thing in self.things:
            for stream in thing["Datastreams"]:
                self.observations[stream["@iot.id"]] = {"result": 1, "phenomenonTime": begin}

    def _thing(self, number: int) -> dict[str, Any]:
        intersection = self.model.intersections[number]
        first = 1 + sum(len(each.signal_groups) for each in self.model.intersections[:number])
        entity = intersection.entity()
        streams = [
            {"@iot.id": first + index, **group.entity({}, {})} for index, group in enumerate(intersection.signal_groups)
        ]
        return {"@iot.id": number + 1, **entity, "Datastreams": streams}

    def observe(self, stream: int, result: int) -> dict[str, Any]:
        """A new Observation, as a subscriber is told of it."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        self.observations[stream] = {"result": result, "phenomenonTime": now}
        return {"@iot.id": 1, "resultTime": None, **self.observations[stream]}


@dataclass
class Edge:
    """One address for the page, the data and the broker."""

    data: Data
    page: str
    """URL of the page's own server."""
    broker: str
    """URL of the broker's WebSocket."""
    broken: bool = False
    """Whether nobody gets through to the broker."""
    oldest: bool = False
    """Whether MQTT 5 is refused, as by a broker that knows 3.1.1 alone."""
    versions: list[int] = field(default_factory=list)
    """Levels of the protocol that clients came with: 4 is 3.1.1."""
    pages: dict[str, str] = field(default_factory=dict)
    """HTML at paths of its own, beside all else."""
    extents: list[tuple[float, float]] = field(default_factory=list)
    """The first corner of each extent within which values were asked for."""
    sockets: set[web.WebSocketResponse] = field(default_factory=set)

    def application(self) -> web.Application:
        """What listens."""
        made = web.Application()
        made.router.add_get(f"{ROOT}/Things", self._things)
        made.router.add_get(f"{ROOT}/Datastreams", self._datastreams)
        made.router.add_get("/mqtt", self._mqtt)
        for path, text in self.pages.items():
            made.router.add_get(path, partial(_static, text))
        made.router.add_get("/{path:.*}", self._page)
        return made

    async def cut(self) -> None:
        """End all connections to the broker, and let nobody through."""
        self.broken = True
        await asyncio.gather(*(socket.close() for socket in list(self.sockets)))

    async def _things(self, request: web.Request) -> web.Response:
        return self._paged(request, self.data.things)

    async def _datastreams(self, request: web.Request) -> web.Response:
        streams = [
            {"@iot.id": identifier, "Observations": [observation]}
            for identifier, observation in sorted(self.data.observations.items())
        ]
        within = _WITHIN.search(request.query.get("$filter", ""))
        if within:
            x, y = within.groups()
            self.extents.append((float(x), float(y)))
        return self._paged(request, streams)

    def _paged(self, request: web.Request, entities: list[dict[str, Any]]) -> web.Response:
        self.data.requests.append(str(request.rel_url))
        if self.data.failing > 0:
            self.data.failing -= 1
            return web.json_response({"code": 503, "message": "not now"}, status=503)
        top, skip = int(request.query.get("$top", "100")), int(request.query.get("$skip", "0"))
        answer: dict[str, Any] = {"value": entities[skip : skip + top]}
        if skip + top < len(entities):
            following = request.url.update_query({"$skip": str(skip + top)})
            answer["@iot.nextLink"] = str(following)
        return web.json_response(answer)

    async def _mqtt(self, request: web.Request) -> web.WebSocketResponse:
        if self.broken:
            raise web.HTTPBadGateway
        socket = web.WebSocketResponse(protocols=("mqtt",))
        await socket.prepare(request)
        self.sockets.add(socket)
        connect = await socket.receive_bytes()
        self.versions.append(connect[connect.index(b"MQTT") + 4])
        if self.oldest and self.versions[-1] == 5:
            await socket.send_bytes(_UNACCEPTABLE)
            await socket.close()
            return socket
        async with ClientSession() as session, session.ws_connect(self.broker, protocols=("mqtt",)) as broker:
            await broker.send_bytes(connect)
            both = [asyncio.create_task(_pass(socket, broker)), asyncio.create_task(_pass(broker, socket))]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            await socket.close()
        self.sockets.discard(socket)
        return socket

    async def _page(self, request: web.Request) -> web.Response:
        headers: Mapping[str, str] = {"Accept-Encoding": request.headers.get("Accept-Encoding", "identity")}
        async with (
            ClientSession(auto_decompress=False) as session,
            session.get(f"{self.page}{request.path}", headers=headers, allow_redirects=False) as answer,
        ):
            kept = {name: answer.headers[name] for name in _WORTH_PASSING if name in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


async def _static(text: str, _: web.Request) -> web.Response:
    return web.Response(text=text, content_type="text/html")


async def _pass(source: Any, target: Any) -> None:
    async for message in source:
        if message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)


def told(observation: Mapping[str, Any]) -> str:
    """The text of an Observation as MQTT carries it."""
    return json.dumps(observation)
