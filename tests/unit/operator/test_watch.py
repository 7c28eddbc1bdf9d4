"""The watch of one kind, against a fake API server: what it lists and streams is told once, trouble is outlived."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import pytest

from sensorthings_operator.clients.errors import ApiError, GoneError, NotFoundError
from sensorthings_operator.clients.owned import Owned, OwnedStore
from sensorthings_operator.clients.resources import Resource
from sensorthings_operator.clients.watch import Watch
from tests.unit.operator.samples import child
from tests.unit.operator.virtual_time import on_virtual_time

if TYPE_CHECKING:
    from sensorthings_operator.clients.discovery import Discovery
    from sensorthings_operator.clients.kubernetes import KubernetesClient

Event = tuple[str, dict[str, Any]]
_CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")


class FakeClient:
    """Answers lists and watches from what a test put in."""

    def __init__(self) -> None:
        self.objects: list[dict[str, Any]] = []
        self.version = "10"
        self.list_errors: list[Exception] = []
        self.streams: list[list[Event | Exception]] = []
        self.endless = True
        """Whether a watch stays open after its last event."""
        self.break_watch = asyncio.Event()
        """Ends an endless watch."""
        self.cut_after = 0.0
        """Seconds after which a connection is cut."""
        self.lists: list[float] = []
        self.watches: list[tuple[float, str]] = []
        self.whole: set[bool] = set()
        """Whether whole objects were asked for."""

    async def list(
        self, _: Resource, *, metadata_only: bool, **__: Any
    ) -> AsyncIterator[tuple[list[dict[str, Any]], str]]:
        self.lists.append(asyncio.get_running_loop().time())
        self.whole.add(not metadata_only)
        await asyncio.sleep(0)
        for each in self.objects:
            yield [each], self.version
        if self.list_errors:
            raise self.list_errors.pop(0)
        yield [], self.version

    async def watch(
        self, _: Resource, resource_version: str, *, metadata_only: bool, **__: Any
    ) -> AsyncIterator[Event]:
        self.whole.add(not metadata_only)
        self.watches.append((asyncio.get_running_loop().time(), resource_version))
        for event in self.streams.pop(0) if self.streams else []:
            await asyncio.sleep(self.cut_after if isinstance(event, aiohttp.ClientPayloadError) else 0)
            if isinstance(event, Exception):
                raise event
            yield event
        if self.endless and not self.streams:
            await self.break_watch.wait()


class FakeDiscovery:
    """Says that a kind is served, or not."""

    served = False

    async def serves(self, _: Resource) -> bool:
        return self.served


async def _watched(client: FakeClient, store: OwnedStore, seconds: float) -> list[Owned]:
    told: list[Owned] = []
    watch = Watch(
        cast("KubernetesClient", client), store, _CONFIG_MAPS, namespace=None, label_selector="", changed=told.append
    )
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(seconds)
    assert not task.done(), "a watch never ends"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return told


def _named(name: str, version: int) -> dict[str, Any]:
    return child(name=name, uid=name, resourceVersion=str(version))


@on_virtual_time
async def test_it_lists_and_goes_on_from_there() -> None:
    client, store = FakeClient(), OwnedStore({})
    client.objects = [_named("a", 1), _named("b", 2)]
    client.streams = [[("ADDED", _named("c", 11)), ("DELETED", _named("a", 12))]]
    told = await _watched(client, store, 1)
    assert [owned.name for owned in told] == ["a", "b", "c", "a"]
    assert {known.name for known in store.of_kind("ConfigMap")} == {"b", "c"}
    assert client.watches == [(0, "10")]


@on_virtual_time
async def test_what_was_made_since_the_list_stays() -> None:
    """An answer to an apply may come before the list does: its watch tells of the object, if ever it goes."""
    client, store = FakeClient(), OwnedStore({})
    store.put("ConfigMap", _named("older", 9))
    store.put("ConfigMap", _named("newer", 11))
    assert [owned.name for owned in await _watched(client, store, 1)] == ["older"]
    assert {known.name for known in store.of_kind("ConfigMap")} == {"newer"}


@on_virtual_time
async def test_a_list_that_breaks_off_takes_nothing_away_and_is_begun_again() -> None:
    client, store = FakeClient(), OwnedStore({})
    for name in ("a", "b"):
        store.put("ConfigMap", _named(name, 1))
    client.objects = [_named("a", 2)]
    client.list_errors = [GoneError(410, "Expired", "the continue parameter is too old")]
    watching = asyncio.create_task(_watched(client, store, 5))
    await asyncio.sleep(0.1)
    assert {known.name for known in store.of_kind("ConfigMap")} == {"a", "b"}, "not all pages were seen"
    await watching
    assert len(client.lists) == 2
    assert {known.name for known in store.of_kind("ConfigMap")} == {"a"}


@on_virtual_time
async def test_a_stream_that_ends_is_taken_up_where_it_was() -> None:
    client = FakeClient()
    bookmark = ("BOOKMARK", {"metadata": {"resourceVersion": "40"}})
    client.streams = [[("ADDED", _named("a", 20))], [bookmark], []]
    told = await _watched(client, OwnedStore({}), 10)
    assert [version for _, version in client.watches] == ["10", "20", "40"]
    assert len(client.lists) == 1
    assert [owned.name for owned in told] == ["a"]


@on_virtual_time
async def test_streams_that_end_at_once_are_not_asked_for_without_a_pause() -> None:
    client = FakeClient()
    client.endless = False
    await _watched(client, OwnedStore({}), 60)
    assert len(client.watches) <= 61


@on_virtual_time
async def test_410_lists_again_and_tells_what_vanished_meanwhile() -> None:
    client, store = FakeClient(), OwnedStore({})
    client.objects = [_named("a", 1), _named("b", 2)]
    client.streams = [[GoneError(410, "Expired", "too old")], []]
    task = asyncio.create_task(_watched(client, store, 5))
    await asyncio.sleep(0.1)
    client.objects = [_named("b", 2)]
    told = await task
    assert len(client.lists) == 2
    assert [owned.name for owned in told] == ["a", "b", "a"]
    assert store.get("ConfigMap", "hamburg", "a") is None


@on_virtual_time
async def test_errors_back_off_up_to_half_a_minute() -> None:
    client = FakeClient()
    client.list_errors = [
        aiohttp.ClientConnectionError("refused"),
        TimeoutError(),
        *(ApiError(503, "", "starting") for _ in range(40)),
    ]
    await _watched(client, OwnedStore({}), 2000)
    pauses = [later - earlier for earlier, later in pairwise(client.lists)]
    assert pauses[0] < 1
    assert max(pauses) <= 36
    assert len(pauses) < 50
    assert client.watches, "and in the end it watches"


@on_virtual_time
async def test_a_watch_that_is_refused_after_each_list_backs_off_too() -> None:
    """410 or a missing right for watching: lists of everything must not follow each other at once."""
    client = FakeClient()
    client.streams = [[GoneError(410, "Expired", "too old")] for _ in range(1000)]
    await _watched(client, OwnedStore({}), 600)
    assert len(client.lists) < 40


@on_virtual_time
async def test_a_long_watch_starts_the_back_off_anew() -> None:
    client = FakeClient()
    client.list_errors = [ApiError(503, "", "starting") for _ in range(10)]
    client.cut_after = 600.0
    client.streams = [[aiohttp.ClientPayloadError("cut")]]
    await _watched(client, OwnedStore({}), 2000)
    watched, listed_again = client.watches[0][0], client.lists[11]
    assert listed_again - (watched + 600) <= 0.6


@pytest.mark.parametrize("looked_into", [False, True])
@on_virtual_time
async def test_of_a_kind_that_nobody_looks_into_only_the_metadata_is_asked_for(looked_into: bool) -> None:
    client = FakeClient()
    client.objects = [child(name="one")]
    store = OwnedStore({"ConfigMap": lambda _: None} if looked_into else {})
    await _watched(client, store, 5)
    assert client.whole == {looked_into}
    assert store.get("ConfigMap", "hamburg", "one") is not None


@on_virtual_time
async def test_an_optional_kind_is_watched_while_it_is_served() -> None:
    client, store = FakeClient(), OwnedStore({})
    client.objects = [child(name="one")]
    served: set[str] = set()
    turned: list[bool] = []
    told: list[Owned] = []
    watch = Watch(
        cast("KubernetesClient", client), store, _CONFIG_MAPS, namespace=None, label_selector="", changed=told.append
    )
    discovery = FakeDiscovery()
    task = asyncio.create_task(
        watch.run_while_served(cast("Discovery", discovery), served, lambda: turned.append("ConfigMap" in served))
    )
    await asyncio.sleep(1)
    assert watch.listed.is_set(), "the operator starts without it"
    assert (turned, client.lists) == ([], [])

    discovery.served = True
    await asyncio.sleep(11)
    assert turned == [True]
    assert [entry.name for entry in told] == ["one"]

    discovery.served = False
    client.streams = [[NotFoundError(404, "NotFound", "no such resource")]]
    client.break_watch.set()
    await asyncio.sleep(5)
    assert turned == [True, False]
    assert store.get("ConfigMap", "hamburg", "one") is None, "what is not served does not stand"
    task.cancel()
