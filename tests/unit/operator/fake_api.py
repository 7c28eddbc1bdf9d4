"""A fake API server of a few methods: keeps objects, counts calls, fails where a test says so."""

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import orjson

from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.resources import Resource
from sensorthings_operator.desired.metadata import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import Callable

Key = tuple[str, str]


class FakeApi:
    """Stands for ``KubernetesClient``; what is applied is owned whole by who applied it."""

    def __init__(self) -> None:
        self.objects: dict[Key, dict[str, Any]] = {}
        self.calls: list[tuple[str, str, str]] = []
        self.events: list[dict[str, Any]] = []
        self.running = 0
        self.fails: Callable[[str, str, str], Exception | None] = lambda _verb, _kind, _name: None
        self._version = 100

    async def _call(self, verb: str, kind: str, name: str) -> None:
        self.calls.append((verb, kind, name))
        self.running += 1
        try:
            error = self.fails(verb, kind, name)
            if error is not None:
                raise error
            # Others get their turn, as they do while a real request is on its way.
            await asyncio.sleep(0.1)
        finally:
            self.running -= 1

    def put(self, manifest: dict[str, Any], manager: str = "somebody", **metadata: Any) -> dict[str, Any]:
        """Store an object as if somebody had applied it."""
        key = (manifest["kind"], manifest["metadata"]["name"])
        before = self.objects.get(key, {"metadata": {}})
        self._version += 1
        entry = {"manager": manager, "operation": "Apply", "fieldsV1": _owned(manifest)}
        others = [e for e in before["metadata"].get("managedFields", ()) if e["manager"] != manager]
        live = {
            **copy.deepcopy(manifest),
            "metadata": {
                **copy.deepcopy(manifest["metadata"]),
                "uid": before["metadata"].get("uid", f"uid-{self._version}"),
                "resourceVersion": str(self._version),
                "generation": 1,
                "managedFields": [*others, entry],
                **metadata,
            },
        }
        if "status" in before:
            live["status"] = before["status"]
        if "data" in before:
            live["data"] = {**before["data"], **live.get("data", {})}
        self.objects[key] = live
        return copy.deepcopy(live)

    def touch(self, live: dict[str, Any]) -> None:
        """A stored object was changed."""
        self._version += 1
        live["metadata"]["resourceVersion"] = str(self._version)

    async def get(
        self, resource: Resource, _namespace: str, name: str, *, metadata_only: bool = False
    ) -> dict[str, Any]:
        await self._call("get", resource.kind, name)
        try:
            live = self.objects[resource.kind, name]
        except KeyError:
            raise NotFoundError(404, "NotFound", f"no {name}") from None
        return {"metadata": live["metadata"]} if metadata_only else copy.deepcopy(live)

    async def apply(
        self, manifest: dict[str, Any], *, field_manager: str, force: bool = True, subresource: str | None = None
    ) -> dict[str, Any]:
        assert force or field_manager != FIELD_MANAGER
        await self._call(
            f"apply {subresource}" if subresource else "apply", manifest["kind"], manifest["metadata"]["name"]
        )
        if subresource == "status":
            live = self.objects[manifest["kind"], manifest["metadata"]["name"]]
            live["status"] = copy.deepcopy(manifest["status"])
            self.touch(live)
            return copy.deepcopy(live)
        if manifest["kind"] == "SensorThingsService":
            return self._apply_finalizers(manifest)
        self._hold_against(manifest)
        return self.put(manifest, field_manager)

    def _hold_against(self, manifest: dict[str, Any]) -> None:
        """A resource version is a precondition on what stands, and none on what is made; a uid is one on both."""
        live = self.objects.get((manifest["kind"], manifest["metadata"]["name"]), {"metadata": {}})["metadata"]
        given = manifest["metadata"]
        if live and given.get("resourceVersion") not in (None, live["resourceVersion"]):
            raise ApiError(409, "Conflict", "the object has been modified")
        if given.get("uid") not in (None, live.get("uid")):
            raise ApiError(409, "Conflict", "another uid")

    def _apply_finalizers(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Nothing else of a service is applied."""
        live = self.objects[manifest["kind"], manifest["metadata"]["name"]]
        live["metadata"].pop("finalizers", None)
        if "finalizers" in manifest["metadata"]:
            live["metadata"]["finalizers"] = manifest["metadata"]["finalizers"]
        self.touch(live)
        return copy.deepcopy(live)

    async def merge(self, manifest: dict[str, Any], *, field_manager: str) -> dict[str, Any]:
        await self._call("merge", manifest["kind"], manifest["metadata"]["name"])
        return self.put(manifest, field_manager)

    async def create(self, resource: Resource, _namespace: str, manifest: dict[str, Any]) -> dict[str, Any]:
        await self._call("create", resource.kind, manifest["metadata"]["name"])
        self.events.append(manifest)
        return manifest

    async def delete(self, resource: Resource, _namespace: str, name: str, *, uid: str) -> None:
        await self._call("delete", resource.kind, name)
        live = self.objects.get((resource.kind, name))
        if live is None or live["metadata"]["uid"] != uid:
            raise NotFoundError(404, "NotFound", f"no {name}")
        del self.objects[resource.kind, name]

    def writes(self) -> list[tuple[str, str, str]]:
        """Calls that write."""
        return [call for call in self.calls if call[0] != "get"]


def _owned(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {f"f:{key}": _owned(member) for key, member in value.items()}
    if isinstance(value, list) and value and all(isinstance(item, dict) and _key(item) for item in value):
        return {f"k:{orjson.dumps(_key(item)).decode()}": {".": {}, **_owned(item)} for item in value}
    return {}


def _key(item: dict[str, Any]) -> dict[str, Any]:
    """What tells the items of a list apart: the real keys are scalars, too."""
    return {name: member for name, member in item.items() if not isinstance(member, (dict, list))}


def names_of(manifests: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Kinds and names."""
    return {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
