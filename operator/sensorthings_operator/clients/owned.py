"""What is known of the children of all services: not the objects, but what tells whether they still stand.

Filled by the watches and by the answers to applies; read by apply and observe. For each object it keeps the hash of
what was sent, which fields are ours, and a summary of its status; of some also figures that change all the time.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from sensorthings_operator.api.base import GROUP
from sensorthings_operator.api.sensorthingsservice import KIND
from sensorthings_operator.desired.metadata import COMPONENT_LABEL, FIELD_MANAGER, REPLICAS_FIELD_MANAGER, SERVICE_LABEL

APPLIED_HASH_ANNOTATION: Final = f"{GROUP}/applied-hash"

ServiceKey = tuple[str, str]
"""Namespace and name of a SensorThingsService."""
Summarise = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Owned:
    """One object that carries the operator's label."""

    kind: str
    namespace: str
    name: str
    service: str
    uid: str
    resource_version: str
    owner_uid: str
    """uid of the controller owner; empty where there is none."""
    applied_hash: str
    fields: bytes | None
    """Our entry of managedFields as JSON; None where nothing is ours."""
    summary: Any
    """What observe made of the status; None for kinds that have none."""
    component: str = ""
    """The part of the service that it belongs to, as its label says."""
    replicas_lent: bool = False
    """Whether the field manager that stands between us and an autoscaler owns the number of pods."""
    sent_generation: int = 0
    """The generation that the newest of what was sent made, or one that came soon after; 0 where the kind has none."""
    figures: Any = None
    """What is told to Prometheus alone: a change of it is no news; None for kinds that have none."""

    @property
    def service_key(self) -> ServiceKey:
        """The service it belongs to: its owner, or else the one that its label names."""
        return (self.namespace, self.service)

    def is_newer_than(self, resource_version: str) -> bool:
        """Whether it was seen as it is after a version; they can be compared within one resource (KEP-5504)."""
        return int(self.resource_version) > int(resource_version)


class OwnedStore:
    """All labelled objects by kind, namespace and name, with an index by service, or by another kind of owner."""

    def __init__(
        self,
        summarise: Mapping[str, Summarise],
        figures: Mapping[str, Summarise] | None = None,
        *,
        owner_kind: str = KIND,
        owner_label: str = SERVICE_LABEL,
    ) -> None:
        self._owner_kind = owner_kind
        self._owner_label = owner_label
        self._summarise = summarise
        self._figures = figures or {}
        self._objects: dict[tuple[str, str, str], Owned] = {}
        self._by_service: dict[ServiceKey, set[tuple[str, str, str]]] = {}
        # Field sets hardly differ between services: each distinct one is kept once.
        self._field_sets: dict[bytes, bytes] = {}

    def looks_into(self, kind: str) -> bool:
        """Whether more than the metadata of a kind is looked at."""
        return kind in self._summarise or kind in self._figures

    def get(self, kind: str, namespace: str, name: str) -> Owned | None:
        """The object, where it is known."""
        return self._objects.get((kind, namespace, name))

    def of_service(self, key: ServiceKey) -> Iterator[Owned]:
        """All objects of a service."""
        for object_key in sorted(self._by_service.get(key, ())):
            yield self._objects[object_key]

    def put(self, kind: str, live: Mapping[str, Any]) -> Owned | None:
        """Take an object in; its entry where it tells something new, None where it does not or is older."""
        entry = self._entry(kind, live)
        key = (kind, entry.namespace, entry.name)
        known = self._objects.get(key)
        if known is not None and _was_sent_as(entry, known):
            entry = replace(entry, sent_generation=known.sent_generation)
        # Versions of namesakes can be compared, too.
        if known is not None and not entry.is_newer_than(known.resource_version):
            return None
        if known is not None and known.service_key != entry.service_key:
            self._by_service[known.service_key].discard(key)
        self._objects[key] = entry
        self._by_service.setdefault(entry.service_key, set()).add(key)
        return None if known is not None and _tells_the_same(entry, known) else entry

    def remove(self, kind: str, namespace: str, name: str, uid: str) -> Owned | None:
        """Forget an object; what was known of it, or None where another one has its name by now."""
        key = (kind, namespace, name)
        known = self._objects.get(key)
        if known is None or known.uid != uid:
            return None
        del self._objects[key]
        siblings = self._by_service[known.service_key]
        siblings.discard(key)
        if not siblings:
            del self._by_service[known.service_key]
        return known

    def of_kind(self, kind: str) -> list[Owned]:
        """All objects of a kind."""
        return [known for known in self._objects.values() if known.kind == kind]

    def _entry(self, kind: str, live: Mapping[str, Any]) -> Owned:
        metadata = live["metadata"]
        owner: Mapping[str, Any] = next((o for o in metadata.get("ownerReferences", ()) if o.get("controller")), {})
        summarise, figures = self._summarise.get(kind), self._figures.get(kind)
        labels = metadata.get("labels", {})
        return Owned(
            kind=kind,
            namespace=metadata["namespace"],
            name=metadata["name"],
            # A label is quickly changed by hand; pods have another owner, and what lost its owner has none.
            service=owner["name"] if owner.get("kind") == self._owner_kind else labels.get(self._owner_label, ""),
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
            owner_uid=owner.get("uid", ""),
            applied_hash=metadata.get("annotations", {}).get(APPLIED_HASH_ANNOTATION, ""),
            fields=self._interned(_our_fields(metadata)),
            summary=None if summarise is None else summarise(live),
            replicas_lent=any(each["manager"] == REPLICAS_FIELD_MANAGER for each in metadata.get("managedFields", ())),
            component=labels.get(COMPONENT_LABEL, ""),
            sent_generation=metadata.get("generation", 0),
            figures=None if figures is None else figures(live),
        )

    def _interned(self, fields: bytes | None) -> bytes | None:
        return None if fields is None else self._field_sets.setdefault(fields, fields)


def _our_fields(metadata: Mapping[str, Any]) -> bytes | None:
    for entry in metadata.get("managedFields", ()):
        if entry["manager"] == FIELD_MANAGER and entry["operation"] == "Apply" and not entry.get("subresource"):
            fields = entry.get("fieldsV1", {})
            # The owner's uid would make each service's field set its own; it is kept apart.
            described = {k: v for k, v in fields.get("f:metadata", {}).items() if k != "f:ownerReferences"}
            return orjson.dumps({**fields, "f:metadata": described}, option=orjson.OPT_SORT_KEYS)
    return None


def _tells_the_same(entry: Owned, known: Owned) -> bool:
    return replace(entry, resource_version=known.resource_version, figures=known.figures) == known


def _was_sent_as(entry: Owned, known: Owned) -> bool:
    """Whether a newer generation is others' doing, such as an autoscaler's: nothing of what was sent is another."""
    return (entry.uid, entry.applied_hash, entry.fields) == (known.uid, known.applied_hash, known.fields)
