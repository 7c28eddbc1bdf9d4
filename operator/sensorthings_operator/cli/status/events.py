"""Events of type Warning about the objects of a service, newest first. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.cli.status.model import WarningEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sensorthings_operator.cli.status.snapshot import Object

_MOST: Final = 50
_HASH: Final = "[bcdfghjklmnpqrstvwxz2456789]{6,10}"
"""Of a pod template, in the name of a ReplicaSet (k8s.io/apimachinery, util/rand: SafeEncodeString)."""


def warnings(events: Iterable[Object], namespace: str, objects: Sequence[Object]) -> tuple[WarningEvent, ...]:
    """The warnings about these objects, their ReplicaSets and volumes; the same reason about the same object once.

    Args:
        events: Of core/v1, in any namespace.
        namespace: Of the service.
        objects: The service and all that was made for it.
    """
    concerns = _concerns(objects)
    found: dict[tuple[str, str], WarningEvent] = {}
    for event in events:
        about = event.get("involvedObject", {})
        if event["metadata"].get("namespace") == namespace and concerns(about.get("kind", ""), about.get("name", "")):
            one = _warning(event, f"{about['kind']} {about['name']}")
            before = found.get((one.about, one.reason))
            newer = before is None or (one.last or "") > (before.last or "")
            found[one.about, one.reason] = one if newer or before is None else before
    return tuple(sorted(found.values(), key=lambda each: each.last or "", reverse=True)[:_MOST])


def _concerns(objects: Sequence[Object]) -> Callable[[str, str], bool]:
    known = {(live["kind"], live["metadata"]["name"]) for live in objects}
    made = {
        "ReplicaSet": [f"{re.escape(name)}-{_HASH}" for kind, name in known if kind == "Deployment"],
        "PersistentVolumeClaim": [pattern for live in objects for pattern in _claims(live)],
    }

    def concerns(kind: str, name: str) -> bool:
        return (kind, name) in known or any(re.fullmatch(pattern, name) for pattern in made.get(kind, ()))

    return concerns


def _claims(live: Object) -> list[str]:
    """Patterns of the names of a StatefulSet's claims."""
    templates = live.get("spec", {}).get("volumeClaimTemplates", ()) if live["kind"] == "StatefulSet" else ()
    owner = re.escape(live["metadata"]["name"])
    return [rf"{re.escape(template['metadata']['name'])}-{owner}-\d+" for template in templates]


def _warning(event: Object, about: str) -> WarningEvent:
    series: dict[str, Any] = event.get("series") or {}
    last = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return WarningEvent(
        about=about,
        reason=event.get("reason") or "",
        message=event.get("message") or "",
        count=series.get("count") or event.get("count") or 1,
        last=last or event["metadata"].get("creationTimestamp"),
    )
