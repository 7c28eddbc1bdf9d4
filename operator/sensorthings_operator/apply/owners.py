"""Whose an object is: made for this service, for one that is gone, or by somebody else. Used by the children."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sensorthings_operator.apply.outcome import NameTakenError
from sensorthings_operator.apply.ownership import applied_fields
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import SERVICES, Resource, resource_of
from sensorthings_operator.desired.metadata import FIELD_MANAGER, Manifest

GENERATED_FIELD_MANAGER: Final = f"{FIELD_MANAGER}-generated"
"""Owns the values that were drawn at random, so that applying the Secret without them leaves them alone."""


class OwnerGoneError(Exception):
    """The service was deleted: what is missing of it was collected, and is not to be made again."""


class Owners:
    """Asks the API server whether a service still exists, and whether an object's name is free for it."""

    def __init__(self, client: KubernetesClient, resource: Resource = SERVICES) -> None:
        self._client = client
        self._resource = resource
        self._seen: set[str] = set()
        """uids of the services that are known to exist in their present passes."""
        self._looks: dict[str, asyncio.Lock] = {}

    @contextmanager
    def in_pass(self, owner_uid: str, *, is_new: bool) -> Iterator[None]:
        """A pass over a service, in which one look at whether it still exists is enough.

        Nothing of a service that ``is_new`` can have been collected: it was never made.
        """
        if is_new:
            self._seen.add(owner_uid)
        try:
            yield
        finally:
            self._looks.pop(owner_uid, None)
            self._seen.discard(owner_uid)

    async def require_owner(self, manifest: Manifest) -> None:
        """A child that is missing may have been collected with its service, of whose end the operator hears later."""
        described = manifest["metadata"]
        owner = described["ownerReferences"][0]
        # Children are made side by side: one look is enough for all of them.
        async with self._looks.setdefault(owner["uid"], asyncio.Lock()):
            if owner["uid"] in self._seen:
                return
            try:
                live = await self._client.get(self._resource, described["namespace"], owner["name"], metadata_only=True)
            except NotFoundError:
                raise OwnerGoneError from None
            if live["metadata"]["uid"] != owner["uid"] or live["metadata"].get("deletionTimestamp"):
                raise OwnerGoneError
            self._seen.add(owner["uid"])

    async def refuse_foreign(self, manifest: Manifest) -> str:
        """Applying to somebody else's object would make it ours, and deleted with the service.

        Returns:
            uid of the object that may be applied to; empty where there is none.

        Raises:
            NameTakenError: Somebody else made it.
            OwnerGoneError: The service is gone.
        """
        await self.require_owner(manifest)
        described = manifest["metadata"]
        try:
            live = await self._client.get(
                resource_of(manifest), described["namespace"], described["name"], metadata_only=True
            )
        except NotFoundError:
            return ""
        require_ours(live, described)
        return str(live["metadata"]["uid"])


def require_ours(live: Mapping[str, Any], described: Mapping[str, Any]) -> None:
    """Pass only what the service owns, what lost its owner, or what a pass of ours that was cut short had begun.

    Raises:
        NameTakenError: Somebody else made it.
        ApiError: It belongs to a service of the same name that was deleted, and goes as soon as that one is collected.
    """
    wanted = described["ownerReferences"][0]
    owners = live["metadata"].get("ownerReferences", ())
    if any(owner["uid"] == wanted["uid"] for owner in owners):
        return
    if any((owner["kind"], owner["name"]) == (wanted["kind"], wanted["name"]) for owner in owners):
        raise ApiError(409, "Terminating", "a child of a deleted service of the same name is still there")
    managers = {entry["manager"] for entry in live["metadata"].get("managedFields", ())}
    orphaned = applied_fields(live["metadata"], FIELD_MANAGER) is not None
    if owners or not (orphaned or managers == {GENERATED_FIELD_MANAGER}):
        raise NameTakenError
