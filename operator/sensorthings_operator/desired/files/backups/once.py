"""Makes a restored database's files, the first time that its first pod starts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .making import backups
from .pgbackrest import FailedError, asked
from .restoring import restore


def restore_once(variables: Mapping[str, str]) -> dict[str, Any] | None:
    """Make a restored database's files, the first time that its first pod starts; nothing for its other pods."""
    pod, volume = variables["POD"], Path(variables["DATA"])
    if not pod.endswith("-0"):
        return None
    done = volume / ".restored"
    wanted = {"source": variables["SOURCE"], "to": variables["TARGET"]}
    if done.exists():
        return _made_before(json.loads(done.read_text()), wanted)
    begun = volume / ".restoring"
    said = None
    if not _copies_the_primary(variables):
        folder = Path(variables["PGDATA"])
        if folder.exists() and not begun.exists():
            raise FailedError("the volume holds a database that no restore made: restore under another name")
        begun.touch()
        said = restore(wanted["source"], folder, to=wanted["to"])
    begun.write_text(json.dumps({**wanted, "said": said}))
    begun.rename(done)
    return said


def _made_before(mark: Mapping[str, Any], wanted: Mapping[str, str]) -> dict[str, Any] | None:
    """What was said when the files were made; a volume that was kept may be that of another restore."""
    if {key: mark[key] for key in wanted} != wanted:
        raise FailedError(
            f"the volume holds what was restored from {mark['source']} up to {mark['to'] or 'the end'} before: "
            "restore under another name, or delete the volume's claim"
        )
    said: dict[str, Any] | None = mark["said"]
    return said


def _copies_the_primary(variables: Mapping[str, str]) -> bool:
    """Whether the database was restored before, and this volume is another one than then."""
    stanza = variables["STANZA"]
    if stanza not in _restored(Path(variables["RESTORED"])) and not backups(asked(stanza)):
        return False
    if variables["INSTANCES"] != "1":
        return True
    raise FailedError(
        f"{stanza} was restored before, and its volume is empty: restoring it from {variables['SOURCE']} once more "
        "would lose what was written since; restore under another name, from its own backups where it has some"
    )


def _restored(told: Path) -> list[str]:
    """The databases of which the operator knows that they were restored."""
    try:
        return told.read_text().split()
    except FileNotFoundError:
        return []
