"""What ``sensorthings backup`` writes: a Job of a CronJob's template, and patches of a service. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.cli.errors import SensorThingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sensorthings_operator.cli.status.snapshot import Object

_LONGEST_NAME: Final = 63


def job(cron_job: Object, now: datetime) -> dict[str, Any]:
    """A Job as ``kubectl create job --from`` makes one: it counts among those that the CronJob keeps."""
    metadata, template = cron_job["metadata"], cron_job["spec"]["jobTemplate"]
    ending = f"-now-{now.astimezone(UTC):%m%d%H%M%S}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": metadata["name"][: _LONGEST_NAME - len(ending)] + ending,
            "namespace": metadata["namespace"],
            "labels": template.get("metadata", {}).get("labels", {}),
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": template["spec"],
    }


def outcome(live: Mapping[str, Any]) -> tuple[bool, str] | None:
    """Whether a Job ended well, and its controller's words; None while it runs."""
    for condition in live.get("status", {}).get("conditions", ()):
        if condition["status"] == "True" and condition["type"] in ("Complete", "Failed"):
            return condition["type"] == "Complete", condition.get("message", "")
    return None


def managed(live: Object) -> Mapping[str, Any]:
    """What a service's spec says of its managed database.

    Raises:
        SensorThingsError: It has none, or one without backups.
    """
    described = live["metadata"]
    where = f"SensorThingsService {described['namespace']}/{described['name']}"
    found: Mapping[str, Any] = live["spec"]["database"].get("managed", {})
    if live["spec"]["database"]["type"] != "Managed":
        remedy = "Backups of a database that others run are theirs to make."
        raise SensorThingsError("Its database is run elsewhere", where=where, remedy=remedy)
    if "backup" not in found:
        remedy = "Set spec.database.managed.backup (docs/databases.md)."
        raise SensorThingsError("Its database has no backups", where=where, remedy=remedy)
    return found


def backups(live: Object) -> Mapping[str, Any]:
    """What a service's status says of its backups."""
    found: Mapping[str, Any] = live.get("status", {}).get("database", {}).get("backup", {})
    return found


def moment(given: str, live: Object) -> str:
    """A time that somebody asks for, as the spec writes it.

    Raises:
        SensorThingsError: It is none, or earlier than the oldest backup, or in a gap of the archive.
    """
    try:
        asked = datetime.fromisoformat(given)
    except ValueError:
        asked = None
    if asked is None or asked.tzinfo is None:
        remedy = "Write it as 2026-11-23T10:00:00Z, or with +01:00 in the place of Z."
        raise SensorThingsError(f"'{given}' is no time with a time zone", where="--to", remedy=remedy)
    asked = asked.astimezone(UTC)
    oldest = backups(live).get("oldestRestorableTime")
    if oldest is not None and asked < datetime.fromisoformat(oldest):
        raise SensorThingsError(
            f"There is no backup before {given}", where="--to", remedy=f"Choose a time from {oldest} on."
        )
    gap = backups(live).get("gap")
    if gap is not None and _is_within(asked, gap):
        until = f", or one from {gap['until']} on" if "until" in gap else ""
        remedy = f"Choose a time up to {gap['since']}{until}."
        raise SensorThingsError(f"The archive has a gap at {given}", where="--to", remedy=remedy)
    whole = asked.replace(tzinfo=None).isoformat(timespec="microseconds" if asked.microsecond else "seconds")
    return f"{whole}Z"


def _is_within(asked: datetime, gap: Mapping[str, str]) -> bool:
    ended = "until" in gap and asked >= datetime.fromisoformat(gap["until"])
    return asked > datetime.fromisoformat(gap["since"]) and not ended


def restore(live: Object, *, name: str, source: str | None, to: str, claims: Iterable[str] = ()) -> dict[str, Any]:
    """The patch that has a database restored.

    Args:
        live: The service.
        name: Of the new database; the next of r1, r2 and so on where it is empty.
        source: Name of the database whose backups are meant; None for the one that serves.
        to: A time as the spec writes it; empty for all that was archived.
        claims: Names of the volumes' claims that are there: a database of an earlier restore may be in one.
    """
    spec = managed(live)
    serving = spec.get("serving", "")
    wanted: dict[str, Any] = {
        "name": name or _next(live, claims),
        "source": serving if source is None else source,
        # A merge patch takes away what is null.
        "to": to or None,
    }
    return {"spec": {"database": {"managed": {"restore": wanted}}}}


def switch(live: Object) -> dict[str, Any]:
    """The patch that has a restored database serve.

    Raises:
        SensorThingsError: None is restored, or it is not ready.
    """
    wanted = managed(live).get("restore")
    if wanted is None:
        raise SensorThingsError("Nothing is restored", where="spec", remedy="Begin with `sensorthings backup restore`.")
    told = condition(live, "Restored")
    if told.get("status") != "True":
        what = f"The restored database is not ready: {told.get('message', 'the operator has not looked at it yet')}"
        raise SensorThingsError(what, where="condition Restored", remedy="Wait for it, or mend what it says.")
    return {"spec": {"database": {"managed": {"serving": wanted["name"]}}}}


def condition(live: Object, type_: str) -> Mapping[str, Any]:
    """A condition that tells of the service's newest spec; empty where there is none."""
    generation = live["metadata"].get("generation")
    for each in live.get("status", {}).get("conditions", ()):
        if each["type"] == type_ and each.get("observedGeneration") == generation:
            found: Mapping[str, Any] = each
            return found
    return {}


def _next(live: Object, claims: Iterable[str]) -> str:
    spec, volumes = managed(live), f"data-{live['metadata']['name']}-db-"
    used = {spec.get("serving", ""), spec.get("restore", {}).get("name", "")}
    used |= {claim.removeprefix(volumes).partition("-")[0] for claim in claims if claim.startswith(volumes)}
    numbers = [int(name[1:]) for name in used if name[:1] == "r" and name[1:].isdecimal()]
    return f"r{max(numbers, default=0) + 1}"
