"""A SensorThings service in this process: enough HTTP and enough MQTT 3.1.1 for the command line and the example.

Used by the tests of ``observe`` and of ``examples/hamburg``, which make it drop, double, refuse or hang up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

PUBLIC = "http://iot.city.example/FROST-Server/v1.1"
"""The service writes links with this root, which is reachable from nowhere."""

CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14


@dataclass
class Broker:
    """Grants what does not stand in ``refused``; publishes with QoS 0. ``logins``: user name and password, if any."""

    refused: set[str] = field(default_factory=set)
    connack: int = 0
    tls: ssl.SSLContext | None = None
    logins: list[tuple[str, ...]] = field(default_factory=list)
    silent: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    subscribed: dict[str, list[asyncio.StreamWriter]] = field(default_factory=dict)
    client_ids: list[str] = field(default_factory=list)
    packets: list[int] = field(default_factory=list)
    """The sizes of the SUBSCRIBE packets, in bytes."""
    connected: asyncio.Event = field(default_factory=asyncio.Event)
    _granted: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hang_up()
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def publish(self, topic: str, payload: bytes) -> None:
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name + payload
        for writer in self.subscribed.get(topic, []):
            writer.write(bytes([PUBLISH << 4]) + _length(len(body)) + body)

    async def until_subscribed(self, topics: int) -> None:
        """Wait until so many topics are subscribed to."""
        while len(self.subscribed) < topics:
            self._granted.clear()
            await self._granted.wait()

    async def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connected.set()
        if self.silent:
            return
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                kind = (await reader.readexactly(1))[0] >> 4
                body = await reader.readexactly(await _read_length(reader))
                if kind == CONNECT:
                    client_id, *login = _texts(body[10:])
                    self.client_ids.append(client_id)
                    self.logins.append(tuple(login))
                    writer.write(bytes([0x20, 2, 0, self.connack]))
                elif kind == SUBSCRIBE:
                    self.packets.append(len(body))
                    writer.write(self._grant(body, writer))
                elif kind == DISCONNECT:
                    writer.close()
                    return

    def _grant(self, body: bytes, writer: asyncio.StreamWriter) -> bytes:
        answers = []
        at = 2
        while at < len(body):
            size = int.from_bytes(body[at : at + 2], "big")
            topic = body[at + 2 : at + 2 + size].decode()
            refused = topic in self.refused
            answers.append(0x80 if refused else body[at + 2 + size])
            if not refused:
                self.subscribed.setdefault(topic, []).append(writer)
            at += size + 3
        self._granted.set()
        rest = body[:2] + bytes(answers)
        return bytes([0x90]) + _length(len(rest)) + rest


def _texts(payload: bytes) -> list[str]:
    """The strings of a CONNECT without a will: client id, then user name and password where there are any."""
    found = []
    while payload:
        size = int.from_bytes(payload[:2], "big")
        found.append(payload[2 : 2 + size].decode())
        payload = payload[2 + size :]
    return found


def _length(size: int) -> bytes:
    encoded = bytearray()
    while True:
        size, digit = divmod(size, 128)
        encoded.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(encoded)


async def _read_length(reader: asyncio.StreamReader) -> int:
    size = shift = 0
    while True:
        digit = (await reader.readexactly(1))[0]
        size |= (digit & 0x7F) << shift
        if not digit & 0x80:
            return size
        shift += 7


@dataclass
class Service:
    """Holds entities by entity set, pages them by two, and publishes the Observations it creates.

    ``copies``: how many messages each Observation becomes, by the order of their creation; 1 where it says nothing.
    ``statuses``: what the next POSTs of Observations are answered with instead of being stored.
    ``readers``, ``writers``: the tokens that may GET and POST; anybody where it is None. Others get 401, readers 403.
    ``headers``: of each request.
    """

    broker: Broker
    copies: dict[int, int] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    entities: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    readers: set[str] | None = None
    writers: set[str] | None = None
    port: int = 0
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/FROST-Server/v1.1"

    def add(self, entity_set: str, entity: dict[str, Any]) -> int:
        there = self.entities.setdefault(entity_set, [])
        there.append({"@iot.id": len(there) + 1, **entity})
        return len(there)

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append(f"{request.method} {request.path_qs}")
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        path = request.path.partition("/FROST-Server/v1.1/")[2]
        refused = self._refused(request)
        if refused:
            return web.Response(status=refused, text="<html>no</html>")
        if request.method == "POST":
            return self._create(path, json.loads(await request.read()))
        match = re.fullmatch(r"(\w+)\((\d+)\)", path)
        if match:
            found = [e for e in self.entities.get(match[1], []) if e["@iot.id"] == int(match[2])]
            return web.json_response(found[0]) if found else web.json_response({"message": "Not found"}, status=404)
        return self._page(path, request) if path.isalpha() else web.Response(status=404, text="<html>no</html>")

    def _refused(self, request: web.Request) -> int | None:
        allowed = self.writers if request.method == "POST" else self.readers
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if allowed is None or token in allowed:
            return None
        return 403 if token in (self.readers or ()) else 401

    def _page(self, entity_set: str, request: web.Request) -> web.Response:
        named = re.fullmatch(r"name eq '(.*)'", request.query.get("$filter", ""))
        entities = [e for e in self.entities.get(entity_set, []) if not named or e["name"] == named[1]]
        if entity_set == "Things":
            owned = self.entities.get("Datastreams", [])
            entities = [
                {**t, "Datastreams": [d for d in owned if d["Thing"]["@iot.id"] == t["@iot.id"]]} for t in entities
            ]
        skip = int(request.query.get("$skip", 0))
        page: dict[str, Any] = {"value": entities[skip : skip + 2]}
        if len(entities) > skip + 2:
            page["@iot.nextLink"] = f"{PUBLIC}/{entity_set}?$skip={skip + 2}&$orderby=%40iot.id+asc"
        return web.json_response(page)

    def _create(self, path: str, entity: dict[str, Any]) -> web.Response:
        parent, _, entity_set = path.rpartition("/")
        owner = re.fullmatch(r"(\w+)s\((\d+)\)", parent)
        if owner:
            entity[owner[1]] = {
                "@iot.id": int(owner[2]),
                "name": self.entities[f"{owner[1]}s"][int(owner[2]) - 1]["name"],
            }
        if entity_set == "Observations" and self.statuses:
            return web.Response(status=self.statuses.pop(0), text="Failed to store data.")
        identifier = self.add(entity_set, entity)
        if entity_set == "Observations":
            message = json.dumps({"@iot.id": identifier, **entity}).encode()
            for _ in range(self.copies.get(identifier, 1)):
                self.broker.publish(f"v1.1/{path}", message)
        return web.Response(status=201, headers={"Location": f"{PUBLIC}/{entity_set}({identifier})"})
