"""Makes a backup, and looks whether all that was written since the last one is in the archive."""

import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from . import archive
from .pgbackrest import PGBACKREST, FailedError, asked, history, run, segments

_STANDBY_MISSING: Final = 56
"""pgBackRest's DbConnectError."""
_LISTED: Final = 40
"""Backups that are told of: a termination message holds 4096 bytes."""
_DAY_SECONDS: Final = 86400
_LOOKS: Final = 6
_TRIES: Final = 3
_PAUSE_SECONDS: Final = 10.0
"""Between looks at a gap: a former primary archives what it has left while it ends."""


def backups(known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its good backups, the newest first: times in seconds since 1970, sizes in bytes, the segment where each ended."""
    found = [
        {
            "label": each["label"],
            "time": each["timestamp"]["stop"],
            "size": each["info"]["size"],
            "stored": each["info"]["repository"]["delta"],
            "stop": each["archive"]["stop"],
        }
        for each in known.get("backup", ())
        if not each.get("error")
    ]
    return sorted(found, key=lambda each: each["time"], reverse=True)


def kind(known: Sequence[Mapping[str, Any]], full_every_days: int, now: float) -> str:
    """Whether a backup has to hold everything, or what changed since the last one that does."""
    # An hour less, or a backup that was a moment later than usual would put it off by a day.
    since = now - full_every_days * _DAY_SECONDS + 3600
    return "diff" if any(each["label"].endswith("F") and each["time"] > since for each in known) else "full"


def report(known: Sequence[Mapping[str, Any]], gap: archive.Gap | None) -> dict[str, Any]:
    """What is said of the backups there are, and of what is missing in the archive."""
    return {
        "backups": [[each["label"], each["time"], each["size"], each["stored"]] for each in known[:_LISTED]],
        "oldest": min((each["time"] for each in known), default=None),
        **({} if gap is None else {"gap": {"segment": gap.segment, "since": gap.since}}),
    }


def backup(stanza: str, *, full_every_days: int, has_standby: bool) -> dict[str, Any]:
    """Take a backup, and let those go that are too old."""
    stanza_option = f"--stanza={stanza}"
    run(*PGBACKREST, stanza_option, "stanza-create")
    gap = _gap_before(stanza)
    type_ = kind(backups(asked(stanza)), full_every_days, time.time())
    command = (*PGBACKREST, stanza_option, f"--type={type_}", "backup")
    try:
        run(*command, "--backup-standby" if has_standby else "--no-backup-standby")
    except FailedError as error:
        if not (has_standby and error.code == _STANDBY_MISSING):
            raise
        run(*command, "--no-backup-standby")
    return report(backups(asked(stanza)), gap)


def check(stanza: str, *, timeline: int) -> dict[str, Any]:
    """Have what was written last archived, and look whether all since the last backup is there.

    Args:
        stanza: Whose archive.
        timeline: Of the primary; what is older says nothing of what it wrote.
    """
    _archived(stanza)
    known = asked(stanza)
    found, last = backups(known), archive.newest(known)
    if not found:
        raise FailedError("there is no backup from which the archive could be read")
    if not last or archive.timeline(last) < timeline:
        raise FailedError(f"nothing of what the primary writes (timeline {timeline}) is in the archive yet")
    return report(found, find_gap(stanza))


def _archived(stanza: str) -> None:
    """Have PostgreSQL archive what it wrote last; one that was just promoted may have to be asked again."""
    for left in reversed(range(_TRIES)):
        try:
            run(*PGBACKREST, f"--stanza={stanza}", "check")
            return
        except FailedError:
            if not left:
                raise
        time.sleep(_PAUSE_SECONDS)


def _gap_before(stanza: str) -> archive.Gap | None:
    """What is missing before a backup that begins anew; whether that can be told or not, it is made."""
    try:
        return find_gap(stanza)
    except FailedError as error:
        sys.stdout.write(f"what is in the archive can't be told: {error}\n")
        return None


def find_gap(stanza: str) -> archive.Gap | None:
    """What is missing in the archive since the last backup, and stays so for a while; None where all is there."""
    for _ in range(_LOOKS - 1):
        if _missing(stanza) is None:
            return None
        time.sleep(_PAUSE_SECONDS)
    return _missing(stanza)


def _missing(stanza: str) -> archive.Gap | None:
    known = asked(stanza)
    found, last = backups(known), archive.newest(known)
    if not found or not last:
        return None
    where = known["archive"][-1]["id"]
    timeline = archive.timeline(last)
    told = history(stanza, where, timeline) if timeline > 1 else ""
    stored = cache(lambda folder: segments(stanza, f"{where}/{folder}"))
    return archive.gap(archive.needed(found[0]["stop"], last, told), stored, found[0]["time"])
