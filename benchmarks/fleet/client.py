"""The barest client of the Kubernetes API: aiohttp, orjson, uvloop. The floor of the fleet's figures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
import orjson

from sensorthings_operator.clients.connection import from_kubeconfig
from sensorthings_operator.clients.resources import Resource, resource_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

Manifest = dict[str, Any]
_APPLY: Final = "application/apply-patch+yaml"
_JSON: Final = "application/json"
_MERGE: Final = "application/merge-patch+json"
_FIELD_MANAGER: Final = "bare"
_PAGE: Final = 500
_LONGEST_LINE: Final = 4 * 1024 * 1024


class BareClient:
    """Calls as a kubeconfig's user, at most ``concurrency`` at a time."""

    def __init__(self, kubeconfig: Path, *, concurrency: int = 16) -> None:
        self._connection = from_kubeconfig(kubeconfig)
        self._limit = asyncio.Semaphore(concurrency)

    async def __aenter__(self) -> Self:
        token = self._connection.token()
        self._session = aiohttp.ClientSession(
            self._connection.server,
            connector=aiohttp.TCPConnector(ssl=self._connection.ssl_context(), limit=0),
            headers={"Accept-Encoding": "identity"} | ({} if token is None else {"Authorization": f"Bearer {token}"}),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply, with force."""
        described = manifest["metadata"]
        path = resource_of(manifest).path(described["namespace"], described["name"])
        return await self._call("PATCH", path, manifest, _APPLY, fieldManager=_FIELD_MANAGER, force="true")

    async def apply_all(self, manifests: Iterable[Manifest]) -> list[Manifest]:
        """The same for many, side by side."""
        return await asyncio.gather(*(self.apply(manifest) for manifest in manifests))

    async def patch(self, resource: Resource, namespace: str, name: str, patch: Manifest) -> Manifest:
        """Merge patch."""
        return await self._call("PATCH", resource.path(namespace, name), patch, _MERGE, fieldManager=_FIELD_MANAGER)

    async def create(self, collection: str, manifest: Manifest) -> Manifest:
        """POST to a collection's path."""
        return await self._call("POST", collection, manifest)

    async def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete an object and, in the background, what it owns."""
        await self._call("DELETE", resource.path(namespace, name))

    async def list(self, resource: Resource, *, label_selector: str = "") -> tuple[list[Manifest], str]:
        """All objects of a kind in all namespaces, and the version to watch from."""
        objects: list[Manifest] = []
        parameters = {"limit": str(_PAGE), "labelSelector": label_selector}
        while True:
            page = await self._call("GET", resource.path(None), None, _JSON, **parameters)
            objects += page["items"]
            if not page["metadata"].get("continue"):
                return objects, page["metadata"]["resourceVersion"]
            parameters["continue"] = page["metadata"]["continue"]

    async def watch(self, resource: Resource, version: str) -> AsyncIterator[tuple[str, Manifest]]:
        """Changes of a kind in all namespaces; ends where the API server ends it, or can't go on from there."""
        parameters = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "3600"}
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(
            resource.path(None), params=parameters, timeout=timeout, read_bufsize=_LONGEST_LINE
        ) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event["type"], event["object"]

    async def _call(
        self, method: str, path: str, body: Manifest | None = None, content_type: str = _JSON, **query: str
    ) -> Manifest:
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": content_type}
        async with self._limit, self._session.request(method, path, params=query, data=data, headers=headers) as answer:
            raw = await answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {raw[:500].decode(errors='replace')}")
            parsed: Manifest = orjson.loads(raw)
            return parsed
