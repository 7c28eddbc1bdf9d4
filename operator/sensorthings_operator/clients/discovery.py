"""Which kinds the API server serves, asked for in one request whatever their number.

Aggregated discovery (https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery): everything in
one document with an ETag, so that a cluster whose kinds stay the same answers 304 without a body.
"""

import asyncio
import logging
from typing import Any, Final

import aiohttp

from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import Resource

_LOG: Final = logging.getLogger(__name__)
LOOK_SECONDS: Final = 10.0
"""How often a kind that is not served is looked for."""
_FRESH_SECONDS: Final = LOOK_SECONDS / 2
"""How long an answer serves for all who look; more than that lies between two looks of the same one."""


class Discovery:
    """What the API server serves, as it said a few seconds ago at most."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._asking = asyncio.Lock()
        self._asked: float | None = None
        self._etag = ""
        self._kinds: frozenset[tuple[str, str]] = frozenset()

    async def serves(self, resource: Resource) -> bool:
        """Whether a kind of an API group is served; what was known last where the API server does not answer."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if self._asked is None or now - self._asked >= _FRESH_SECONDS:
                self._asked = now
                await self._ask()
        return (resource.api_version, resource.kind) in self._kinds

    async def _ask(self) -> None:
        try:
            self._etag, document = await self._client.discover(self._etag)
        except (ApiError, aiohttp.ClientError, TimeoutError) as error:
            _LOG.warning("the API server does not say which kinds it serves: %s", error)
            return
        if document is not None:
            self._kinds = served_kinds(document)


def served_kinds(document: dict[str, Any]) -> frozenset[tuple[str, str]]:
    """apiVersion and kind of everything in an APIGroupDiscoveryList."""
    return frozenset(
        (f"{group['metadata']['name']}/{version['version']}", resource["responseKind"]["kind"])
        for group in document.get("items", [])
        for version in group.get("versions", [])
        for resource in version.get("resources", [])
        # A group whose own API server is away lists resources without a kind.
        if resource.get("responseKind", {}).get("kind")
    )
