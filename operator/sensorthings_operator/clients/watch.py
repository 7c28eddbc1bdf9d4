"""List and watch one kind for ever, label-scoped, into the store. One task for each watched kind.

An optional kind is one that the API server may not serve: it is looked for now and then, and watched while it is there.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Final, NoReturn

import aiohttp

from sensorthings_operator.clients.discovery import LOOK_SECONDS, Discovery
from sensorthings_operator.clients.errors import ApiError, GoneError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import Owned, OwnedStore
from sensorthings_operator.clients.resources import Resource

_LOG: Final = logging.getLogger(__name__)
_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 30.0
_SHORTEST_WATCH_SECONDS: Final = 1.0


Changed = Callable[[Owned], None]


class Watch:
    """Keeps the store true for one kind and tells of each change."""

    def __init__(  # noqa: PLR0913 - what a watch is made of
        self,
        client: KubernetesClient,
        store: OwnedStore,
        resource: Resource,
        *,
        namespace: str | None,
        label_selector: str,
        changed: Changed,
    ) -> None:
        self._client = client
        self._store = store
        self._resource = resource
        self._namespace = namespace
        self._selector = label_selector
        self._changed = changed
        # Whether something still stands is told by its metadata; the rest would be parsed for nothing.
        self._metadata_only = not store.looks_into(resource.kind)
        self.listed = asyncio.Event()
        """Set once everything that exists is in the store."""

    async def run(self) -> NoReturn:
        """Never returns; trouble with the API server is logged and tried again, later and later."""
        await self._keep_watching(while_served=False)

    async def _keep_watching(self, *, while_served: bool) -> NoReturn:
        """Watch for ever; where ``while_served``, until the kind is not served any more, which is a NotFoundError."""
        clock = asyncio.get_running_loop()
        delay = _FIRST_DELAY_SECONDS
        while True:
            began = clock.time()
            try:
                await self._follow(await self._list())
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                if while_served and isinstance(error, NotFoundError):
                    self._forget(self._store.of_kind(self._resource.kind))
                    raise
                if clock.time() - began > _LONGEST_DELAY_SECONDS:
                    delay = _FIRST_DELAY_SECONDS
                level = logging.INFO if isinstance(error, GoneError) else logging.WARNING
                _LOG.log(level, "watch of %s interrupted: %s; again in %.1f s", self._resource.kind, error, delay)
                await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, no secret
                delay = min(2 * delay, _LONGEST_DELAY_SECONDS)

    async def _list(self) -> str:
        there, version = set(), ""
        pages = self._client.list(
            self._resource,
            namespace=self._namespace,
            label_selector=self._selector,
            metadata_only=self._metadata_only,
        )
        async with aclosing(pages):
            async for objects, listed_at in pages:
                version = listed_at
                for live in objects:
                    there.add((live["metadata"]["namespace"], live["metadata"]["name"]))
                    self._tell(self._store.put(self._resource.kind, live))
        # What was made since is not in the list, and the watch that begins there tells of it.
        listed = (known for known in self._store.of_kind(self._resource.kind) if not known.is_newer_than(version))
        self._forget([known for known in listed if (known.namespace, known.name) not in there])
        self.listed.set()
        return version

    def _forget(self, gone: list[Owned]) -> None:
        for known in gone:
            if self._namespace in (None, known.namespace):
                self._tell(self._store.remove(known.kind, known.namespace, known.name, known.uid))

    async def run_while_served(self, discovery: Discovery, served: set[str], turned: Callable[[], None]) -> NoReturn:
        """Never returns: watches while the kind is served, and looks for it while it is not.

        ``served`` holds the kinds that are; ``turned`` is called when this one came or went.
        """
        kind = self._resource.kind
        while True:
            if await discovery.serves(self._resource):
                _LOG.info("%s is served", kind)
                served.add(kind)
                turned()
                try:
                    await self._keep_watching(while_served=True)
                except NotFoundError:
                    _LOG.warning("%s is not served any more", kind)
                    served.discard(kind)
                    turned()
            self.listed.set()
            await asyncio.sleep(LOOK_SECONDS)

    async def _follow(self, version: str) -> NoReturn:
        clock = asyncio.get_running_loop()
        while True:
            earliest = clock.time() + _SHORTEST_WATCH_SECONDS
            async for kind, live in self._client.watch(
                self._resource,
                version,
                namespace=self._namespace,
                label_selector=self._selector,
                metadata_only=self._metadata_only,
            ):
                version = live["metadata"]["resourceVersion"]
                if kind == "DELETED":
                    described = live["metadata"]
                    self._tell(
                        self._store.remove(
                            self._resource.kind, described["namespace"], described["name"], described["uid"]
                        )
                    )
                elif kind != "BOOKMARK":
                    self._tell(self._store.put(self._resource.kind, live))
            # A server that is about to stop ends each watch at once.
            await asyncio.sleep(max(0.0, earliest - clock.time()))

    def _tell(self, entry: Owned | None) -> None:
        if entry is not None:
            self._changed(entry)


def watches(  # noqa: PLR0913 - what watches are made of
    client: KubernetesClient,
    store: OwnedStore,
    resources: Iterable[Resource],
    *,
    namespaces: Sequence[str],
    label_selector: str,
    changed: Changed,
) -> list[Watch]:
    """One for each kind in each namespace; in all namespaces where none is named."""
    return [
        Watch(client, store, resource, namespace=namespace, label_selector=label_selector, changed=changed)
        for resource in resources
        for namespace in (*namespaces,) or (None,)
    ]
