"""One service among a settled fleet: made, edited, disturbed; each in turns with a bare client that does the same."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from benchmarks.fleet import services
from benchmarks.fleet.eyes import Eyes, key_of
from benchmarks.fleet.measuring import Turns
from sensorthings_operator.clients.resources import PODS, SERVICES, resource_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.fleet.client import BareClient, Manifest
    from benchmarks.fleet.services import Credentials
    from sensorthings_operator.clients.resources import Resource
    from sensorthings_operator.desired.settings import OperatorSettings

_NAMESPACE: Final = services.NAMESPACES[0]
_OWNER: Final = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bare-owner", "namespace": _NAMESPACE}}
_DEPLOYMENTS: Final = resource_of({"apiVersion": "apps/v1", "kind": "Deployment"})
_AFTER_SCHEMA: Final = ("http", "mqtt")
_BARE: Final = "bare-0-http"
"""A Deployment that the bare client made."""
_COMPONENT: Final = "app.kubernetes.io/component"
_PART_OF: Final = "app.kubernetes.io/part-of"
_REST: Final = 1.5
"""Seconds after each measurement, in which controllers come to rest."""


class Single:
    """Measures one thing at a time in a fleet that has settled."""

    def __init__(self, client: BareClient, eyes: Eyes, credentials: Credentials, settings: OperatorSettings) -> None:
        self._client = client
        self._eyes = eyes
        self._credentials = credentials
        self._settings = settings

    async def made(self, turns: int) -> Turns:
        """From the apply of one service until all of its children were seen."""
        results = Turns()
        for turn in range(turns):
            results.operator.append(await self._made_by_operator(f"one-{turn}"))
            results.bare.append(await self._made_bare(await self._children(f"bare-{turn}")))
            results.bare_in_order.append(await self._made_in_order(await self._children(f"ordered-{turn}")))
        return results

    async def edited(self, fleet: Sequence[tuple[str, str]]) -> Turns:
        """From the edit of a pod's memory until the Deployment was seen to have it."""
        results = Turns()
        for number, (namespace, name) in enumerate(fleet):
            memory = f"{600 + number}Mi"
            spec = {"http": {"resources": {"requests": {"memory": memory}}}}
            results.operator.append(
                await self._seen(
                    SERVICES,
                    (namespace, name),
                    {"spec": spec},
                    lambda live, memory=memory: _memory(live) == memory,  # type: ignore[misc]
                )
            )
            turn = {"turn": str(number)}
            results.bare.append(
                await self._patched_bare(
                    {"spec": {"template": {"metadata": {"annotations": turn}}}},
                    lambda live, turn=turn: _template_annotations(live).items() >= turn.items(),  # type: ignore[misc]
                )
            )
        return results

    async def repaired(self, fleet: Sequence[tuple[str, str]]) -> Turns:
        """From the change of a Deployment by hand until it was seen to be as before."""
        results = Turns()
        for number, (namespace, name) in enumerate(fleet):
            other = f"somebody-{number}"
            patch = {"metadata": {"labels": {_PART_OF: other}}}
            results.operator.append(
                await self._seen(
                    _DEPLOYMENTS, (namespace, f"{name}-http"), patch, lambda live: _part_of(live) == "sensorthings"
                )
            )
            results.bare.append(
                await self._patched_bare(patch, lambda live, other=other: _part_of(live) == other)  # type: ignore[misc]
            )
        return results

    async def _made_by_operator(self, name: str) -> float:
        await self._client.apply(services.secret(_NAMESPACE, name, self._credentials))
        begun = time.monotonic()
        live = await self._client.apply(services.service(_NAMESPACE, name))
        wanted = [key_of(child) for child in services.children(live, self._credentials, self._settings)]
        seconds = await self._eyes.all_there(wanted) - begun
        await self._eyes.all_ready([key_of(live)])
        await asyncio.sleep(_REST)
        return seconds

    async def _children(self, name: str) -> list[Manifest]:
        """The same children, of an owner that the operator does not know."""
        owner = (await self._client.apply(_OWNER))["metadata"]
        service = services.service(_NAMESPACE, name)
        service["metadata"] |= {"uid": owner["uid"], "generation": 1}
        references = [{"apiVersion": "v1", "kind": "ConfigMap", "name": owner["name"], "uid": owner["uid"]}]
        children = services.children(service, self._credentials, self._settings)
        for child in children:
            child["metadata"]["ownerReferences"] = references
        return children

    async def _made_bare(self, children: list[Manifest]) -> float:
        begun = time.monotonic()
        await self._client.apply_all(children)
        return await self._until_there(children, begun)

    async def _until_there(self, children: list[Manifest], begun: float) -> float:
        seconds = await self._eyes.all_there([key_of(child) for child in children]) - begun
        await asyncio.sleep(_REST)
        return seconds

    async def _made_in_order(self, children: list[Manifest]) -> float:
        last = [child for child in children if _is_after_schema(child)]
        first = [child for child in children if child not in last]
        (job,) = (key_of(child) for child in children if child["kind"] == "Job")
        begun = time.monotonic()
        ended = self._eyes.when_any(PODS, lambda pod: _is_of_job(pod, job) and _has_ended(pod))
        await self._client.apply_all(first)
        await ended
        await self._client.apply_all(last)
        return await self._until_there(children, begun)

    async def _patched_bare(self, patch: Manifest, holds: Callable[[Manifest], bool]) -> float:
        """A patch of a Deployment that nobody of ours looks at, until it was seen."""
        seen = self._eyes.when((_DEPLOYMENTS.kind, _NAMESPACE, _BARE), holds)
        begun = time.monotonic()
        await self._client.patch(_DEPLOYMENTS, _NAMESPACE, _BARE, patch)
        seconds = await seen - begun
        await asyncio.sleep(_REST)
        return seconds

    async def _seen(
        self, resource: Resource, where: tuple[str, str], patch: Manifest, holds: Callable[[Manifest], bool]
    ) -> float:
        """From a patch until the service's Deployment was changed once more, and so."""
        namespace, name = where
        deployment = name if resource is _DEPLOYMENTS else f"{name}-http"
        seen = self._eyes.when((_DEPLOYMENTS.kind, namespace, deployment), holds)
        begun = time.monotonic()
        await self._client.patch(resource, namespace, name, patch)
        seconds = await seen - begun
        await asyncio.sleep(_REST)
        return seconds


def _memory(deployment: Manifest) -> str:
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return str(container["resources"]["requests"]["memory"])


def _template_annotations(deployment: Manifest) -> dict[str, str]:
    annotations: dict[str, str] = deployment["spec"]["template"]["metadata"].get("annotations", {})
    return annotations


def _part_of(deployment: Manifest) -> str:
    return str(deployment["metadata"]["labels"][_PART_OF])


def _is_after_schema(child: Manifest) -> bool:
    return child["kind"] in ("Deployment", "Service") and child["metadata"]["labels"][_COMPONENT] in _AFTER_SCHEMA


def _is_of_job(pod: Manifest, job: tuple[str, str, str]) -> bool:
    return bool(pod["metadata"].get("labels", {}).get("batch.kubernetes.io/job-name") == job[2])


def _has_ended(pod: Manifest) -> bool:
    return bool(pod.get("status", {}).get("phase") == "Succeeded")
