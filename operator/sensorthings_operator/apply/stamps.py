"""The hash of itself that each manifest is sent with, and what it tells of a child. Used by apply."""

from typing import TYPE_CHECKING, Any

from sensorthings_operator.apply.outcome import Outcome
from sensorthings_operator.apply.ownership import owns_annotation, stands
from sensorthings_operator.clients.owned import APPLIED_HASH_ANNOTATION, Owned
from sensorthings_operator.desired.metadata import Manifest, digest

if TYPE_CHECKING:
    from collections.abc import Mapping


def stamp(manifest: Manifest) -> Manifest:
    """The manifest with the hash of itself, by which it is known later whether it was sent."""
    metadata: dict[str, Any] = manifest["metadata"]
    annotations: Mapping[str, str] = metadata.get("annotations", {})
    stamp = {APPLIED_HASH_ANNOTATION: digest(manifest, length=16)}
    return {**manifest, "metadata": {**metadata, "annotations": {**annotations, **stamp}}}


def needed(stamped: Manifest, known: Owned | None) -> Outcome:
    """What has to be done about a child: nothing, where the same was sent and all its fields are still ours."""
    if known is None:
        return Outcome.CREATED
    if known.fields is None or not owns_annotation(known.fields, APPLIED_HASH_ANNOTATION):
        return Outcome.REPAIRED
    if known.applied_hash != stamped["metadata"]["annotations"][APPLIED_HASH_ANNOTATION]:
        return Outcome.UPDATED
    owner_stands = known.owner_uid == stamped["metadata"]["ownerReferences"][0]["uid"]
    if not owner_stands or not stands(stamped, known.fields):
        return Outcome.REPAIRED
    return Outcome.UNCHANGED
