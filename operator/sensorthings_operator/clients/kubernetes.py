"""The Kubernetes API over aiohttp: get, list, watch, server-side apply, delete.

A client of our own, because the ones there are cost several times the CPU and memory for each object applied.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final, Self

import aiohttp
import orjson

from sensorthings_operator import metrics
from sensorthings_operator.clients.connection import Connection
from sensorthings_operator.clients.errors import api_error
from sensorthings_operator.clients.resources import PODS, Resource, resource_of

_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_JSON: Final = "application/json"
_DISCOVERY: Final = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)
"""Aggregated discovery, v2 since Kubernetes 1.30, of the same shape before."""
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_ONLY_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE: Final = 50
_LISTS_AT_ONCE: Final = 2
"""While one page is looked at, another one comes."""
_REQUEST_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
_WATCH_SECONDS: Final = 290
"""The API server ends a watch after this time, so that a stream that went silent is noticed by the next one."""
_MAX_WATCH_LINE: Final = 4 * 1024 * 1024


class KubernetesClient:
    """Calls to the Kubernetes API; at most ``concurrency`` at a time beside the watches."""

    def __init__(self, connection: Connection, *, concurrency: int = 16) -> None:
        self._connection = connection
        self._limit = asyncio.Semaphore(concurrency)
        self._lists = asyncio.Semaphore(_LISTS_AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._connection.ssl_context(), limit=0)
        self._session = aiohttp.ClientSession(
            self._connection.server, connector=connector, json_serialize=lambda value: orjson.dumps(value).decode()
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(
        self, resource: Resource, namespace: str | None, name: str, *, metadata_only: bool = False
    ) -> dict[str, Any]:
        """Read an object, one of the whole cluster without a namespace; ``metadata_only``: a PartialObjectMetadata."""
        accept = _METADATA_ONLY if metadata_only else _JSON
        return await self._call("get", "GET", resource, resource.path(namespace, name), accept=accept)

    async def exists(self, path: str) -> bool:
        """Whether a path of the API is served.

        Raises:
            ApiError: The API server would not say.
        """
        async with self._limit, self._http.get(path, headers=self._headers(_JSON), timeout=_REQUEST_TIMEOUT) as answer:
            if answer.status not in (200, 404):
                raise api_error(answer.status, _parsed(await answer.read()))
            return answer.status == 200

    async def discover(self, known: str = "") -> tuple[str, dict[str, Any] | None]:
        """An APIGroupDiscoveryList of all API groups and its ETag; None for the list where ``known`` still names it.

        Raises:
            ApiError: The API server would not say.
        """
        headers = {**self._headers(_DISCOVERY), "If-None-Match": known}
        async with self._limit, self._http.get("/apis", headers=headers, timeout=_REQUEST_TIMEOUT) as answer:
            raw = await answer.read()
            metrics.API_CALLS.labels("get", "APIGroupDiscoveryList", answer.status).inc()
            if answer.status == 304:
                return known, None
            parsed = _parsed(raw)
            if answer.status != 200:
                raise api_error(answer.status, parsed)
            return answer.headers.get("ETag", ""), parsed

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncGenerator[tuple[list[dict[str, Any]], str]]:
        """All objects of a kind, page by page, each with the resource version to watch from.

        A page is let go before the next one is asked for, and few are there at a time, of all kinds.
        """
        parameters = {"limit": str(_PAGE), "labelSelector": label_selector}
        accept = _METADATA_ONLY_LIST if metadata_only else _JSON
        while True:
            async with self._lists:
                page = await self._call(
                    "list", "GET", resource, resource.path(namespace), parameters=parameters, accept=accept
                )
                # Of no metadata at all a list is null.
                yield page["items"] or [], page["metadata"]["resourceVersion"]
                token = page["metadata"].get("continue")
                del page
            if not token:
                return
            parameters["continue"] = token

    async def watch(
        self,
        resource: Resource,
        resource_version: str,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        metadata_only: bool = False,
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Changes since a resource version until the server ends it: ADDED, MODIFIED, DELETED or BOOKMARK, and what.

        Raises:
            GoneError: The resource version is too old; list again.
        """
        parameters = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
            "resourceVersion": resource_version,
            "labelSelector": label_selector,
        }
        timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_read=_WATCH_SECONDS + 10)
        path = resource.path(namespace)
        headers = self._headers(_METADATA_ONLY if metadata_only else _JSON)
        async with self._http.get(
            path, params=parameters, headers=headers, timeout=timeout, read_bufsize=_MAX_WATCH_LINE
        ) as answer:
            metrics.API_CALLS.labels("watch", resource.kind, answer.status).inc()
            if answer.status != 200:
                raise api_error(answer.status, _parsed(await answer.read()))
            async for line in answer.content:
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise api_error(event["object"].get("code", 500), event["object"])
                yield event["type"], event["object"]

    async def apply(
        self, manifest: dict[str, Any], *, field_manager: str, force: bool = True, subresource: str | None = None
    ) -> dict[str, Any]:
        """Server-side apply; the object as it is afterwards."""
        resource = resource_of(manifest)
        described = manifest["metadata"]
        return await self._call(
            f"apply {subresource}" if subresource else "apply",
            "PATCH",
            resource,
            resource.path(described["namespace"], described["name"], subresource),
            parameters={"fieldManager": field_manager, "force": "true" if force else "false"},
            body=manifest,
            content_type=_APPLY,
        )

    async def merge(self, manifest: dict[str, Any], *, field_manager: str) -> dict[str, Any]:
        """JSON merge patch: lists become those of the manifest as a whole; the object as it is afterwards."""
        resource = resource_of(manifest)
        described = manifest["metadata"]
        return await self._call(
            "merge",
            "PATCH",
            resource,
            resource.path(described["namespace"], described["name"]),
            parameters={"fieldManager": field_manager},
            body=manifest,
            content_type=_MERGE,
        )

    async def create(self, resource: Resource, namespace: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create an object that is written once, such as an Event."""
        return await self._call("create", "POST", resource, resource.path(namespace), body=manifest)

    async def delete(self, resource: Resource, namespace: str, name: str, *, uid: str) -> None:
        """Delete the object with this uid and, in the background, what it owns."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        await self._call("delete", "DELETE", resource, resource.path(namespace, name), body=body)

    async def evict(self, namespace: str, name: str, *, uid: str) -> None:
        """Have the pod with this uid go, unless a PodDisruptionBudget keeps it.

        Raises:
            ApiError: 429 where one does.
        """
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        await self._call("evict", "POST", PODS, PODS.path(namespace, name, "eviction"), body=body)

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            msg = "KubernetesClient is used outside of its `async with`"
            raise RuntimeError(msg)
        return self._session

    def _headers(self, accept: str) -> dict[str, str]:
        token = self._connection.token()
        # The API server is near: compressing long lists costs both sides more than sending them.
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        return headers if token is None else {**headers, "Authorization": f"Bearer {token}"}

    async def _call(  # noqa: PLR0913 - what an HTTP request is made of
        self,
        verb: str,
        method: str,
        resource: Resource,
        path: str,
        *,
        parameters: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> dict[str, Any]:
        headers = {**self._headers(accept), "Content-Type": content_type}
        data = None if body is None else orjson.dumps(body)
        async with (
            self._limit,
            self._http.request(
                method, path, params=parameters, data=data, headers=headers, timeout=_REQUEST_TIMEOUT
            ) as answer,
        ):
            raw = await answer.read()
            metrics.API_CALLS.labels(verb, resource.kind, answer.status).inc()
            parsed = _parsed(raw)
            if answer.status >= 400:
                raise api_error(answer.status, parsed, request=f"{method} {path}")
            return parsed


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {"message": raw[:200].decode(errors="replace")}
    return value if isinstance(value, dict) else {}
