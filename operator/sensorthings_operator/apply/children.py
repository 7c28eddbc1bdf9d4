"""Applies one child at a time, and only what differs from what was last applied and still stands.

Used by the reconcile.
"""

import asyncio
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sensorthings_operator import metrics
from sensorthings_operator.apply.drift import DELETED_AGAIN, look
from sensorthings_operator.apply.outcome import Applied, Outcome, refused
from sensorthings_operator.apply.owners import Owners
from sensorthings_operator.apply.ownership import without_updates
from sensorthings_operator.apply.replicas import hand_over, is_lent_in_vain, replicas_are_handed_over, take_back
from sensorthings_operator.apply.rivals import Rivals
from sensorthings_operator.apply.stamps import needed, stamp
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import Owned, OwnedStore, ServiceKey
from sensorthings_operator.clients.resources import OPTIONAL_CHILDREN, SERVICES, WATCHED_CHILDREN, Resource
from sensorthings_operator.desired import autoscaling
from sensorthings_operator.desired.metadata import FIELD_MANAGER, Manifest

_CONFLICT: Final = 409
_INVALID: Final = 422
_OLDER_THAN_ANY: Final = "1"
"""etcd counts its first write as 2 (etcd API, revision)."""
_OPTIONAL_KINDS: Final = {resource.kind for resource in OPTIONAL_CHILDREN}

Repaired = Callable[[Manifest, str], None]
"""Told of a child that was put right, and who had changed what of it."""


@dataclass(frozen=True)
class _Judged:
    """A child, and what has to be done about it."""

    stamped: Manifest
    known: Owned | None
    outcome: Outcome

    @property
    def is_done(self) -> bool:
        """Whether nothing is to be sent: so it is with nearly all children in nearly all passes."""
        if self.outcome is Outcome.UNSERVED:
            return True
        return self.outcome is Outcome.UNCHANGED and not is_lent_in_vain(self.stamped, self.known)

    @property
    def applied(self) -> Applied:
        """The result, where nothing was to be sent."""
        return Applied(self.stamped["kind"], self.stamped["metadata"]["name"], self.outcome)


class Children:
    """Sends the children of services, and takes away what their specs no longer ask for."""

    def __init__(  # noqa: PLR0913 - whose children, and of which kinds
        self,
        client: KubernetesClient,
        store: OwnedStore,
        *,
        served: Container[str] = (),
        repaired: Repaired,
        owner: Resource = SERVICES,
        kinds: Sequence[Resource] = (*WATCHED_CHILDREN, *OPTIONAL_CHILDREN),
    ) -> None:
        self._client = client
        self._store = store
        self._served = served
        """Optional kinds that the API server serves at the moment."""
        self._repaired = repaired
        self.rivals = Rivals()
        """Children that somebody takes back again and again."""
        self.owners = Owners(client, owner)
        self._kinds = {resource.kind: resource for resource in kinds}

    async def apply(self, manifest: Manifest, *, updates: bool = True) -> Applied:
        """Bring one child to its manifest; one that was made to another manifest, only where ``updates``.

        A lasting refusal by the API server is a result; anything that may pass is raised as ApiError.

        Raises:
            OwnerGoneError: The service is gone.
        """
        return (await self.apply_all([manifest], updates=updates))[0]

    def _judge(self, manifest: Manifest) -> _Judged:
        kind, described = manifest["kind"], manifest["metadata"]
        if kind in _OPTIONAL_KINDS and kind not in self._served:
            return _Judged(manifest, None, Outcome.UNSERVED)
        stamped = stamp(manifest)
        known = self._store.get(kind, described["namespace"], described["name"])
        return _Judged(stamped, known, needed(stamped, known))

    async def _act(self, judged: _Judged, *, updates: bool) -> Applied:
        stamped, known, outcome = judged.stamped, judged.known, judged.outcome
        kind, name = stamped["kind"], stamped["metadata"]["name"]
        if outcome is Outcome.UNCHANGED:
            await self._take_back_replicas(stamped)
            return Applied(kind, name, Outcome.UPDATED)
        if outcome is Outcome.UPDATED and not updates:
            return Applied(kind, name, Outcome.WAITING)
        if outcome is not Outcome.UPDATED and self.rivals.wait(service_of(stamped), kind, name) > 0:
            return Applied(kind, name, Outcome.LEFT)
        try:
            await self._bring(stamped, known, outcome)
        except ApiError as error:
            if not error.is_lasting:
                raise
            return refused(stamped, error)
        return Applied(kind, name, outcome)

    async def _bring(self, stamped: Manifest, known: Owned | None, outcome: Outcome) -> None:
        """Create, update or put right a child."""
        kind, name, service = stamped["kind"], stamped["metadata"]["name"], service_of(stamped)
        handed_over = replicas_are_handed_over(stamped)
        uid = "" if known is None else known.uid
        if known is None and not handed_over:
            await self.owners.require_owner(stamped)
        elif known is None or known.owner_uid != stamped["metadata"]["ownerReferences"][0]["uid"]:
            uid = await self.owners.refuse_foreign(stamped)
        drift = await look(self._client, stamped) if outcome is Outcome.REPAIRED else None
        sent = await self._hand_over(_that_one(stamped, uid))
        send = self._create if known is None and not handed_over else self._send
        self._store.put(kind, await send(sent, outcome))
        await self._take_back_replicas(stamped)
        if outcome is not Outcome.UPDATED:
            self.rivals.note(service, kind, name, DELETED_AGAIN if drift is None else drift.told_again())
        if outcome is Outcome.REPAIRED:
            metrics.DRIFT_REPAIRS.labels(kind).inc()
        if drift is not None:
            self._repaired(stamped, drift.told_once(kind, name))

    async def _hand_over(self, manifest: Manifest) -> Manifest:
        if manifest["kind"] != "Deployment":
            return manifest
        if not replicas_are_handed_over(manifest):
            # An autoscaler ends with that, before anything is pruned, and by our own hand.
            self.rivals.settle(service_of(manifest), autoscaling.KIND, manifest["metadata"]["name"])
        return await hand_over(self._client, self._store, manifest)

    async def apply_all(self, manifests: Sequence[Manifest], *, updates: bool = True) -> list[Applied]:
        """Bring children to their manifests side by side; over is over: none is on its way when this returns or raises.

        Raises:
            ApiError: The first of what may pass.
        """
        judged = [self._judge(manifest) for manifest in manifests]
        to_do = [each for each in judged if not each.is_done]
        results = await asyncio.gather(*(self._act(each, updates=updates) for each in to_do), return_exceptions=True)
        done = []
        for result in results:
            if isinstance(result, BaseException):
                raise result
            done.append(result)
        return [each.applied for each in judged if each.is_done] + done

    async def _take_back_replicas(self, stamped: Manifest) -> None:
        described = stamped["metadata"]
        if is_lent_in_vain(stamped, self._store.get(stamped["kind"], described["namespace"], described["name"])):
            self._store.put(stamped["kind"], await take_back(self._client, stamped))

    async def _create(self, stamped: Manifest, outcome: Outcome) -> dict[str, Any]:
        try:
            return await self._client.apply(_only_where_absent(stamped), field_manager=FIELD_MANAGER)
        except ApiError as error:
            if error.status != _CONFLICT:
                raise
        # One is there of which the watch has not told: somebody else's, or what a pass that was cut short had begun.
        return await self._send(_that_one(stamped, await self.owners.refuse_foreign(stamped)), outcome)

    async def _send(self, stamped: Manifest, outcome: Outcome) -> dict[str, Any]:
        try:
            return await self._client.apply(stamped, field_manager=FIELD_MANAGER)
        except ApiError as error:
            if error.status != _INVALID or outcome is not Outcome.REPAIRED:
                raise
        # Somebody changed what a list is keyed by, such as a port: ours beside theirs is not valid, and theirs can't be
        # applied away.
        await self._client.merge(stamped, field_manager=FIELD_MANAGER)
        return await self._own_by_apply_alone(await self._client.apply(stamped, field_manager=FIELD_MANAGER))

    async def _own_by_apply_alone(self, live: dict[str, Any]) -> dict[str, Any]:
        """Drop what a merge patch made ours a second time: it would stay when it is applied no longer."""
        described = {key: live["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
        described["managedFields"] = without_updates(live["metadata"], FIELD_MANAGER)
        manifest = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": described}
        return await self._client.merge(manifest, field_manager=FIELD_MANAGER)

    async def prune(self, owner_uid: str, key: ServiceKey, wanted: Container[tuple[str, str]]) -> list[Applied]:
        """Delete what the service's spec no longer asks for: of a kind we list, owned by the service, applied by us.

        ``wanted`` holds the kinds and names of what it does ask for.
        """
        pruned = []
        for child in list(self._store.of_service(key)):
            ours = child.kind in self._kinds and child.owner_uid == owner_uid and child.fields is not None
            if not ours or (child.kind, child.name) in wanted:
                continue
            self.rivals.settle(key, child.kind, child.name)
            try:
                await self._client.delete(self._kinds[child.kind], child.namespace, child.name, uid=child.uid)
            except NotFoundError:
                continue
            pruned.append(Applied(child.kind, child.name, Outcome.PRUNED))
        return pruned


def service_of(manifest: Manifest) -> ServiceKey:
    """The service that a child is made for."""
    metadata = manifest["metadata"]
    return metadata["namespace"], metadata["ownerReferences"][0]["name"]


def _only_where_absent(stamped: Manifest) -> Manifest:
    """A manifest that is taken where there is no such object yet, and is a conflict with any that is there.

    Server-side apply holds a resource version against what stands, and none is as old as this one. It spares a look
    before each object that is made.
    """
    return {**stamped, "metadata": {**stamped["metadata"], "resourceVersion": _OLDER_THAN_ANY}}


def _that_one(stamped: Manifest, uid: str) -> Manifest:
    """A manifest for the very object that was looked at: one that took its name since is a conflict."""
    return {**stamped, "metadata": {**stamped["metadata"], "uid": uid}} if uid else stamped
