"""Sees, as anybody may who watches, when the objects of the fleet come and change."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from sensorthings_operator.clients.resources import PODS, SERVICES, WATCHED_CHILDREN, Resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from benchmarks.fleet.client import BareClient, Manifest

Key = tuple[str, str, str]
"""Kind, namespace and name."""
Look = tuple["Callable[[Manifest], bool]", "asyncio.Future[float]"]
_SEEN: Final = (*WATCHED_CHILDREN, PODS, SERVICES)
_TOO_MANY_REQUESTS: Final = 429
_REST: Final = 0.5
"""Seconds until the API server is asked again that was not prepared."""
_PATIENCE: Final = 1200.0
"""Seconds until something that does not come ends the benchmark."""


def key_of(manifest: Manifest) -> Key:
    """Of an object that says its kind."""
    return manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]


class Eyes:
    """What is there, and when it was seen first. Times are those of ``time.monotonic``."""

    def __init__(self) -> None:
        self._first: dict[Key, float] = {}
        self._ready: dict[Key, float] = {}
        self._looks: dict[Key | str, list[Look]] = {}
        self._news = asyncio.Event()

    async def all_there(self, keys: Iterable[Key]) -> float:
        """When the last of these objects was seen."""
        return await self._all_in(self._first, keys)

    async def all_ready(self, keys: Iterable[Key]) -> float:
        """When the last of these services was seen to be Ready for its newest spec."""
        return await self._all_in(self._ready, keys)

    async def _all_in(self, known: dict[Key, float], keys: Iterable[Key]) -> float:
        wanted = list(keys)
        missing = set(wanted)
        async with asyncio.timeout(_PATIENCE):
            while missing:
                self._news.clear()
                missing -= known.keys()
                if missing:
                    await self._news.wait()
        return max(known[key] for key in wanted)

    def when(self, key: Key, holds: Callable[[Manifest], bool]) -> asyncio.Future[float]:
        """When this object is next seen to change and be so."""
        return self._look(key, holds)

    def when_any(self, resource: Resource, holds: Callable[[Manifest], bool]) -> asyncio.Future[float]:
        """When any object of a kind is next seen to change and be so."""
        return self._look(resource.kind, holds)

    def _look(self, at: Key | str, holds: Callable[[Manifest], bool]) -> asyncio.Future[float]:
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._looks.setdefault(at, []).append((holds, future))
        return future

    def take(self, resource: Resource, live: Manifest) -> None:
        """An object as it is now."""
        key = (resource.kind, live["metadata"]["namespace"], live["metadata"]["name"])
        now = time.monotonic()
        self._first.setdefault(key, now)
        if resource is SERVICES and _is_ready(live):
            self._ready.setdefault(key, now)
        for at in (key, resource.kind):
            if at in self._looks:
                self._looks[at] = [look for look in self._looks[at] if not _is_seen(look, live, now)]
        self._news.set()

    def forget(self, resource: Resource, live: Manifest) -> None:
        """An object that is gone."""
        key = (resource.kind, live["metadata"]["namespace"], live["metadata"]["name"])
        for known in (self._first, self._ready):
            known.pop(key, None)


def _is_seen(look: Look, live: Manifest, now: float) -> bool:
    holds, future = look
    if not holds(live):
        return False
    future.set_result(now)
    return True


def _is_ready(live: Manifest) -> bool:
    conditions: list[dict[str, Any]] = live.get("status", {}).get("conditions", [])
    generation = live["metadata"]["generation"]
    return any(
        c["type"] == "Ready" and c["status"] == "True" and c["observedGeneration"] == generation for c in conditions
    )


@asynccontextmanager
async def open_eyes(client: BareClient) -> AsyncIterator[Eyes]:
    """Watch everything that belongs to a fleet."""
    eyes = Eyes()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_watch(client, eyes, resource)) for resource in _SEEN]
        yield eyes
        for task in tasks:
            task.cancel()


async def _watch(client: BareClient, eyes: Eyes, resource: Resource) -> None:
    """List and watch, again and again: the API server ends a watch when it learns something new of a CRD."""
    while True:
        objects, version = await client.list(resource)
        for live in objects:
            eyes.take(resource, live)
        try:
            async for kind, live in client.watch(resource, version):
                (eyes.forget if kind == "DELETED" else eyes.take)(resource, live)
        except aiohttp.ClientResponseError as error:
            if error.status != _TOO_MANY_REQUESTS:
                raise
            await asyncio.sleep(_REST)
