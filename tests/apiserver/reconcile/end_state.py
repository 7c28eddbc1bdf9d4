"""What a service and its children come to, in a form in which two runs can be compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.apiserver.reconcile.walk import Walk

_VOLATILE: Final = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"}
_GIVEN: Final = {"clusterIP", "clusterIPs", "nodePort", "batch.kubernetes.io/controller-uid", "controller-uid"}
"""Drawn by the API server."""
_COUNTED: Final = {"deployment.kubernetes.io/revision", "sensorthings.city/applied-hash"}
"""How often a template changed on the way; and a hash over the owner's uid."""
_OF_SECRETS: Final = {"sensorthings.city/credentials-hash", "sensorthings.city/bus-certificates-hash"}
"""Hashes over the service's uid and what each run draws, on pods; the first is part of the schema Job's name."""


def end_state(walk: Walk) -> dict[str, Any]:
    """Every child but for what each run draws anew, and the conditions but for their times."""
    service = walk.service()
    children = {f"{kind}/{name}": _plain(kind, live) for (kind, name), live in walk.cluster.children().items()}
    conditions = [
        {key: value for key, value in condition.items() if key in ("type", "status", "reason", "message")}
        for condition in service["status"]["conditions"]
        # Whether the autoscaler's controller has looked by now is a matter of time; nobody serves it metrics here.
        if condition["type"] != "AutoscalingActive"
    ]
    text = json.dumps({"children": children, "conditions": conditions, "endpoints": service["status"]["endpoints"]})
    jobs = [name for kind, name in walk.cluster.children() if kind == "Job"]
    drawn = {service["metadata"]["uid"]: "UID", walk.cluster.namespace: "NAMESPACE"}
    for found, name in (drawn | dict.fromkeys(jobs, "SCHEMA")).items():
        text = text.replace(found, name)
    state: dict[str, Any] = json.loads(text)
    return state


def _plain(kind: str, live: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in live["metadata"].items() if key not in _VOLATILE}
    metadata["annotations"] = {k: v for k, v in metadata.get("annotations", {}).items() if k not in _COUNTED}
    rest = {key: value for key, value in live.items() if key not in ("metadata", "status")}
    if kind == "Secret":
        rest["data"] = sorted(rest.get("data", {}))
    return {**_without(rest, _GIVEN | _OF_SECRETS), "metadata": metadata}


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(member, names) for key, member in value.items() if key not in names}
    if isinstance(value, list):
        return [_without(member, names) for member in value]
    return value


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two end states are not the same, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            found
            for key in sorted({*one, *other})
            for found in differences(one.get(key, "(nothing)"), other.get(key, "(nothing)"), f"{path}.{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [found for index, pair in pairs for found in differences(*pair, f"{path}[{index}]")]
    return [] if one == other else [f"{path.removeprefix('.')}: {one!r} and {other!r}"]
