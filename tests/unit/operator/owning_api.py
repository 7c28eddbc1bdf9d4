"""A fake API server that knows who owns a Deployment's number of pods, and the part of the operator that asks it.

Its rules are those that ``tests/apiserver/test_shared_ownership.py`` finds the real one to have.
"""

import copy
import functools
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

from sensorthings_operator.apply.children import Children
from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.desired import HTTP, stage_children
from sensorthings_operator.desired.metadata import FIELD_MANAGER, REPLICAS_FIELD_MANAGER
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.operator.fake_api import FakeApi, names_of
from tests.unit.operator.samples import SETTINGS, UID, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensorthings_operator.clients.kubernetes import KubernetesClient

Manifest = dict[str, Any]
NAME: Final = ("Deployment", "air-http")
AUTOSCALER: Final = ("HorizontalPodAutoscaler", "air-http")
SCALER: Final = "kube-controller-manager"


class OwningApi(FakeApi):
    """Knows who owns a Deployment's number of pods, and resets it to 1 where its last owner applies it no more."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[int] = []
        """Every number of pods that ever was, in order."""
        self.owners: set[str] = set()
        """Field managers of the number."""
        self.loses: Callable[[], Exception | None] = lambda: None
        """Takes the answer of a call away after it had its effect."""

    async def apply(
        self, manifest: dict[str, Any], *, field_manager: str, force: bool = True, subresource: str | None = None
    ) -> dict[str, Any]:
        await self._call("apply", manifest["kind"], manifest["metadata"]["name"])
        is_ours = (manifest["kind"], manifest["metadata"]["name"]) == NAME
        live = self._deployment(manifest, field_manager, force=force) if is_ours else self.put(manifest, field_manager)
        self._lose()
        return live

    async def delete(self, *args: Any, **kwargs: Any) -> None:
        await super().delete(*args, **kwargs)
        self._lose()

    def _lose(self) -> None:
        error = self.loses()
        if error is not None:
            raise error

    def scale(self, number: int) -> None:
        """Somebody else decides, by the subresource ``scale``."""
        live = self.objects[NAME]
        if live["spec"]["replicas"] != number:
            self.owners = {SCALER}
            self._write(live, number)

    def end(self) -> None:
        """Somebody deletes the Deployment."""
        self.objects.pop(NAME, None)
        self.owners = set()

    def _deployment(self, manifest: Manifest, manager: str, *, force: bool) -> Manifest:
        live = self.objects.get(NAME)
        self._check(manifest["metadata"], live)
        given = manifest.get("spec", {}).get("replicas")
        number = 1 if live is None else live["spec"]["replicas"]
        if given is None:
            was_only_owner = self.owners == {manager}
            self.owners.discard(manager)
            number = 1 if was_only_owner else number
        else:
            if given != number:
                if self.owners - {manager} and not force:
                    raise ApiError(409, "Conflict", f"conflict with {self.owners}: .spec.replicas")
                self.owners = set()
            self.owners.add(manager)
            number = given
        if live is None or manager == FIELD_MANAGER:
            live = self.put(manifest, manager)
        return self._write(live, number)

    def _check(self, described: Manifest, live: Manifest | None) -> None:
        for precondition in ("uid", "resourceVersion"):
            wanted = described.get(precondition)
            absent = live is None and precondition == "uid"
            if wanted is not None and (absent or (live is not None and live["metadata"][precondition] != wanted)):
                raise ApiError(409, "Conflict", f"another {precondition}")

    def _write(self, live: Manifest, number: int) -> Manifest:
        written = copy.deepcopy(live)
        written["spec"]["replicas"] = number
        entries = {entry["manager"]: entry for entry in written["metadata"]["managedFields"]}
        for manager in (FIELD_MANAGER, REPLICAS_FIELD_MANAGER, SCALER):
            operation = "Update" if manager == SCALER else "Apply"
            entry = entries.setdefault(manager, {"manager": manager, "operation": operation, "fieldsV1": {}})
            spec = entry["fieldsV1"].setdefault("f:spec", {})
            spec.pop("f:replicas", None)
            if manager in self.owners:
                spec["f:replicas"] = {}
        owning = [entry for entry in entries.values() if entry["fieldsV1"]["f:spec"]]
        written["metadata"]["managedFields"] = owning
        self.touch(written)
        self.objects[NAME] = written
        if self.numbers[-1:] != [number]:
            self.numbers.append(number)
        return copy.deepcopy(written)


@functools.cache
def _stage(spec: str) -> list[Manifest]:
    return stage_children(HTTP, service(orjson.loads(spec)), SETTINGS)


def manifests_of(spec: Manifest) -> list[Manifest]:
    """The children of the HTTP stage; made once for each spec, since thousands of passes want them."""
    return _stage(orjson.dumps(spec).decode())


class Operator:
    """The part of a pass that is about the HTTP module, as often as it takes."""

    def __init__(self, api: OwningApi) -> None:
        self.api = api
        self.restart()

    def restart(self) -> None:
        """Begin with empty hands."""
        self.store = OwnedStore(SUMMARIES)
        self.children = Children(cast("KubernetesClient", self.api), self.store, repaired=lambda *_: None)

    async def look(self, spec: Manifest) -> None:
        """One pass, after the watches have told what is there."""
        for kind in (NAME[0], AUTOSCALER[0]):
            for known in self.store.of_kind(kind):
                there = self.api.objects.get((kind, known.name), {"metadata": {"uid": ""}})
                if there["metadata"]["uid"] != known.uid:
                    self.store.remove(kind, known.namespace, known.name, known.uid)
        for (kind, _), live in self.api.objects.items():
            self.store.put(kind, live)
        manifests = manifests_of(spec)
        await self.children.apply_all(manifests)
        await self.children.prune(UID, ("hamburg", "air"), names_of(manifests))

    async def settle(self, spec: Manifest) -> None:
        """Passes until one has nothing to do; those that fail are tried again."""
        for _ in range(10):
            before = len(self.api.calls)
            try:
                await self.look(spec)
            except (ApiError, ConnectionError):
                continue
            if len(self.api.calls) == before:
                return
        raise AssertionError(self.api.calls)
