"""Stands for a FROST-Server's HTTP module, which tells brokers of Observations.

What it does like the real one is shown by tests/e2e/images/test_delivery.py, which runs the same check against that.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.unit.cli.fakes import Broker

_PATH = re.compile(r"(\w+)\((\d+)\)(?:/(\w+))?$")


class FakeFrost:
    """One HTTP module, and the brokers of the MQTT modules."""

    def __init__(self, *brokers: Broker) -> None:
        self.brokers = brokers
        self.entities: dict[str, dict[str, Any]] = {}
        self.posted = 0
        self.deaf: list[Broker] = []
        """Those that tell of nothing."""
        self.misses = 0
        """Observations that nobody is told of, from now on."""
        self.refuses: int | None = None
        self.tokens: list[str] = []
        self._ids = 0

    def of(self, collection: str) -> list[dict[str, Any]]:
        """The entities of a collection."""
        return [entity for path, entity in self.entities.items() if path.startswith(f"{collection}(")]

    def put(self, collection: str, entity: dict[str, Any]) -> str:
        """An entity with what is inside it."""
        self._ids += 1
        path = f"{collection}({self._ids})"
        self.entities[path] = {**entity, "@iot.id": self._ids, "@iot.selfLink": f"http://city.example/v1.1/{path}"}
        for datastream in entity.get("Datastreams", ()):
            self.put("Datastreams", datastream)
            self.put("Sensors", datastream["Sensor"])
            self.put("ObservedProperties", datastream["ObservedProperty"])
        return path

    async def handle(self, request: web.Request) -> web.Response:
        """Any request below the version."""
        self.tokens.append(request.headers.get("Authorization", ""))
        path = request.path.removeprefix("/FROST-Server/v1.1/")
        if request.method == "POST" and self.refuses is not None:
            return web.Response(status=self.refuses)
        if request.method == "GET":
            return self._read(path, request.query.get("$filter", ""))
        if request.method == "DELETE":
            return web.Response(status=200 if self.entities.pop(path, None) else 404)
        return self._create(path, await request.json())

    def _read(self, path: str, condition: str) -> web.Response:
        found = _PATH.match(path)
        if found is not None and found[3] is None:
            entity = self.entities.get(path)
            return web.Response(status=404) if entity is None else web.json_response(entity)
        listed = self.of(found[3] if found else path)
        if condition:
            listed = [e for e in listed if e.get("properties", {}).get("sensorthingsOperator") == "delivery check"]
        return web.json_response({"value": listed})

    def _create(self, path: str, entity: dict[str, Any]) -> web.Response:
        found = _PATH.match(path)
        made = self.put(found[3] if found and found[3] else path, entity)
        if made.startswith("Observations"):
            self._tell(f"v1.1/{path}", json.dumps(entity).encode())
        return web.Response(status=201, headers={"Location": f"http://city.example/v1.1/{made}"})

    def _tell(self, topic: str, payload: bytes) -> None:
        self.posted += 1
        if self.misses:
            self.misses -= 1
            return
        for broker in self.brokers:
            if broker not in self.deaf:
                broker.publish(topic, payload)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Its port."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.handle)
        async with TestServer(application, host="127.0.0.1") as server:
            assert server.port is not None
            yield server.port
