"""Does one thing, and says what came of it."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from . import making, once, practice
from .pgbackrest import FailedError

_SAID: Final = Path(os.environ.get("TERMINATION_LOG", "/dev/termination-log"))

Variables = Mapping[str, str]


def _backup(variables: Variables) -> dict[str, Any]:
    days, standby = int(variables["FULL_EVERY_DAYS"]), variables["INSTANCES"] != "1"
    return making.backup(variables["STANZA"], full_every_days=days, has_standby=standby)


def _check(variables: Variables) -> dict[str, Any]:
    return making.check(variables["STANZA"], timeline=int(variables["TIMELINE"]))


_COMMANDS: Final[Mapping[str, Callable[[Variables], dict[str, Any] | None]]] = {
    "backup": _backup,
    "check": _check,
    "drill": practice.drill,
    "restore": once.restore_once,
}


def main(command: str, variables: Variables) -> int:
    """Do one thing, say what came of it, and return the exit code."""
    try:
        said = _COMMANDS[command](variables)
    except FailedError as error:
        sys.stdout.write(f"{error}\n")
        _SAID.write_text(json.dumps({"failed": str(error)}))
        return 1
    if said is not None:
        _SAID.write_text(json.dumps(said, separators=(",", ":")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.environ))
