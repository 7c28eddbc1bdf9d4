"""Calls pgBackRest, and reads what it answers."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

PGBACKREST: Final = ("bash", "/etc/pgbackrest/run.sh")
_LONGEST_REASON: Final = 700
_SEGMENT: Final = re.compile(r"([0-9A-F]{24})-[0-9a-f]{40}(\.[a-z0-9]+)?")
"""Of the write-ahead log, whole: its name, a checksum, how it is compressed."""


class FailedError(Exception):
    """A step failed; the message is for people."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def run(*command: str) -> str:
    """Run a command with its output in the log, too.

    Returns:
        What it wrote to its standard output.

    Raises:
        FailedError: It ended with another code than 0.
    """
    written: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            written.append(line)
    if process.returncode != 0:
        raise FailedError(reason(written) or f"{command[0]} ended with code {process.returncode}", process.returncode)
    return "".join(written)


def reason(written: Sequence[str]) -> str:
    """The last error that a program wrote, with what it hints at."""
    errors = [number for number, line in enumerate(written) if "ERROR:" in line or "FATAL:" in line]
    if not errors:
        return " ".join(" ".join(written[-3:]).split())[:_LONGEST_REASON]
    first = written[errors[-1]]
    for word in ("ERROR:", "FATAL:"):
        first = first.partition(word)[2] or first
    following = [line for line in written[errors[-1] + 1 :] if "HINT:" in line or "DETAIL:" in line]
    return " ".join(" ".join([first, *following]).split())[:_LONGEST_REASON]


def asked(stanza: str) -> dict[str, Any]:
    """What pgBackRest knows of a database's backups and archive."""
    found: list[dict[str, Any]] = json.loads(_answer(stanza, "--output=json", "info"))
    return next((each for each in found if each["name"] == stanza), {})


def segments(stanza: str, folder: str) -> dict[str, float]:
    """The whole segments in a folder of the archive, and when each was stored, in seconds since 1970."""
    listed: dict[str, Mapping[str, Any]] = json.loads(
        _answer(stanza, "--output=json", "repo-ls", _path(stanza, folder))
    )
    named = ((_SEGMENT.fullmatch(name), each) for name, each in listed.items())
    return {match[1]: each["time"] for match, each in named if match is not None}


def history(stanza: str, archive: str, timeline: int) -> str:
    """The history of a timeline as the archive has it; empty where it has none."""
    return _answer(stanza, "--ignore-missing", "repo-get", _path(stanza, f"{archive}/{timeline:08X}.history"))


def _path(stanza: str, below: str) -> str:
    return f"archive/{stanza}/{below}"


def _answer(stanza: str, *arguments: str) -> str:
    command = (*PGBACKREST, f"--stanza={stanza}", "--log-level-console=off", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FailedError(reason([*done.stdout.splitlines(), *done.stderr.splitlines()]), done.returncode)
    return done.stdout
