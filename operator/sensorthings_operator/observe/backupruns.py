"""What the pods around backups say when they end. Called where a pod comes into the store.

It is untrusted: whoever has the database's pods may write anything there, so it is read as data of known types and
lengths, or not at all.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from pydantic import ValidationError

from sensorthings_operator.api.status import ArchiveGap, BackupEntry, DrillStatus, RestoreStatus
from sensorthings_operator.conditions.backups import Run, told
from sensorthings_operator.desired.database import backups, statefulset
from sensorthings_operator.desired.metadata import COMPONENT_LABEL

_LONGEST_REASON: Final = 1000
_MOST_BACKUPS: Final = 40
_SEGMENT: Final = re.compile(r"[0-9A-F]{24}")
_SILENT: Final = "it ended without a word"


@dataclass(frozen=True)
class _Said:
    """A termination message, read."""

    failed: str
    values: Mapping[str, Any]


def run(live: Mapping[str, Any]) -> Run | None:
    """What came of a backup, a drill or a restore, of its pod; None for other pods and for those that still run."""
    component = live["metadata"].get("labels", {}).get(COMPONENT_LABEL, "")
    spec, status = live.get("spec", {}), live.get("status", {})
    if component in (backups.COMPONENT, backups.DRILL):
        return _ended(component, component, spec.get("containers", ()), status.get("containerStatuses", ()))
    made_of, seen = spec.get("initContainers", ()), status.get("initContainerStatuses", ())
    return _ended(component, statefulset.RESTORES, made_of, seen)


def _ended(
    component: str, name: str, containers: Iterable[Mapping[str, Any]], statuses: Iterable[Mapping[str, Any]]
) -> Run | None:
    container = next((each for each in containers if each["name"] == name), None)
    status = next((each for each in statuses if each["name"] == name), None)
    if container is None or status is None:
        return None
    over = status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated")
    if not over or not over.get("finishedAt"):
        return None
    variables = {each["name"]: each.get("value", "") for each in container.get("env", ())}
    said = read(over.get("message", ""), succeeded=over.get("exitCode") == 0)
    number = variables.get("REQUEST", "")
    request = int(number) if number.isdecimal() else None
    made = Run(
        component,
        variables.get("STANZA", ""),
        over["finishedAt"],
        said.failed,
        location=variables.get("LOCATION", ""),
        request=request,
    )
    match name:
        case backups.COMPONENT:
            return made if said.failed else _backup(made, said.values)
        case backups.DRILL:
            return replace(made, drill=_drill(made, said.values))
        case _:
            # Pods beside the first of a pair restore nothing, and say nothing.
            return replace(made, restored=_restored(made, said.values)) if said.values else made


def read(message: str, *, succeeded: bool) -> _Said:
    """A termination message: why it failed, or what it found."""
    try:
        values = orjson.loads(message)
    except orjson.JSONDecodeError:
        values = None
    if not isinstance(values, dict):
        values = {}
    if succeeded:
        return _Said("", values)
    failed = values.get("failed")
    told = failed if isinstance(failed, str) and failed.strip() else message.strip()[-_LONGEST_REASON:] or _SILENT
    return _Said(" ".join(told.split())[:_LONGEST_REASON] or _SILENT, {})


def _backup(made: Run, values: Mapping[str, Any]) -> Run:
    listed = values.get("backups")
    entries = tuple(
        entry
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, list) and (entry := _entry(each)) is not None
    )[:_MOST_BACKUPS]
    distinct = tuple({entry.label: entry for entry in entries}.values())
    if not distinct:
        return replace(made, failed="it ended well, and says nothing of a backup: look at its log")
    oldest = _time(values.get("oldest")) or min(entry.time for entry in distinct)
    return replace(made, backups=distinct, oldest=oldest, gap=_gap(values.get("gap"), distinct))


def _gap(values: object, kept: Iterable[BackupEntry]) -> ArchiveGap | None:
    """What was missing; a backup that was complete later begins anew."""
    match values:
        case {"segment": str() as segment, "since": int() | float() as seconds} if _SEGMENT.fullmatch(segment):
            since, newest = _time(seconds), max(entry.time for entry in kept)
            return (
                None
                if since is None
                else ArchiveGap(segment=segment, since=since, until=newest if newest > since else None)
            )
        case _:
            return None


def _entry(values: list[Any]) -> BackupEntry | None:
    match values:
        case [str() as label, int() | float() as seconds, size, stored]:
            time, whole, added = _time(seconds), _count(size), _count(stored)
            if time is None or whole is None or added is None:
                return None
            try:
                return BackupEntry(label=label, time=time, size_bytes=whole, stored_bytes=added)
            except ValidationError:
                return None
        case _:
            return None


def _drill(made: Run, values: Mapping[str, Any]) -> DrillStatus:
    if made.failed:
        return DrillStatus(time=made.ended, succeeded=False, message=made.failed)
    return DrillStatus(time=made.ended, succeeded=True, **_found(values))


def _restored(made: Run, values: Mapping[str, Any]) -> RestoreStatus:
    # The component is "database-NAME".
    name = made.component.partition("-")[2][:8]
    return RestoreStatus(
        name=name,
        last_transaction_time=_time(values.get("last_transaction")),
        estimated_observations=_count(values.get("estimated_observations")),
        **_found(values),
    )


def _found(values: Mapping[str, Any]) -> dict[str, Any]:
    label, seconds, number = values.get("label"), values.get("seconds"), values.get("observations")
    return {
        "label": label[:64] if isinstance(label, str) else "",
        "seconds": _count(seconds) or 0,
        "observations": _count(number),
        "newest_observation": _time(values.get("newest")),
    }


def _count(value: object) -> int | None:
    """A number of things; what etcd and JSON hold safely."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _time(seconds: object) -> str | None:
    """Seconds since 1970 as Kubernetes writes a time."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    try:
        return told(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return None
