"""Restores for practice."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import archive
from .pgbackrest import FailedError, asked
from .restoring import restore


def drill(variables: Mapping[str, str]) -> dict[str, Any]:
    """Restore the newest backup with all that was archived since; PostgreSQL itself would end at a gap, content."""
    stanza = variables["STANZA"]
    newest = archive.newest(asked(stanza))
    said = restore(stanza, Path(variables["PGDATA"]), to="", count=True)
    if newest and archive.position(said["replayed"]) < archive.begin(newest):
        raise FailedError(
            f"the archive has a gap: all was replayed up to {said['replayed']}, and {newest} is there, which comes "
            "later. What was committed after the gap can be restored from a later backup alone: make one now"
        )
    return said
