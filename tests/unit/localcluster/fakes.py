"""Stand-ins for the programs that the local cluster calls: each writes down what it was called with."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

_SCRIPT = """#!/bin/sh
input=""
case " $* " in *" - "*) input=$(cat);; esac
python3 -c 'import json, sys; print(json.dumps(sys.argv[1:]))' {name} "$input" "$@" >> {log}
{answer}
"""


@dataclass(frozen=True)
class Call:
    """One call of a program."""

    program: str
    arguments: list[str]
    stdin: str

    def has(self, *words: str) -> bool:
        return set(words) <= set(self.arguments)


@dataclass(frozen=True)
class Programs:
    """A folder that is the whole PATH, but for a shell, Python and cat."""

    folder: Path

    def add(self, name: str, answer: str = "") -> None:
        """A program that writes its call down; ``answer`` is what its shell does then."""
        path = self.folder / name
        path.write_text(_SCRIPT.format(name=name, log=self._log, answer=answer))
        path.chmod(0o755)

    @property
    def _log(self) -> Path:
        return self.folder / "calls"

    def calls(self, program: str = "") -> list[Call]:
        """What was called, in order."""
        rows = [json.loads(row) for row in self._log.read_text().splitlines()] if self._log.exists() else []
        found = [Call(name, list(arguments), stdin) for name, stdin, *arguments in rows]
        return [call for call in found if program in ("", call.program)]


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, str]) -> Programs:
    """Programs by what their shell does; nothing else is on the PATH."""
    folder.mkdir()
    made = Programs(folder)
    for tool in ("sh", "cat"):
        (folder / tool).symlink_to(_found(tool))
    # Not the PATH's: that may be a wrapper, which needs more of the PATH.
    (folder / "python3").symlink_to(sys.executable)
    for name, answer in answers.items():
        made.add(name, answer)
    monkeypatch.setenv("PATH", str(folder))
    return made


def _found(tool: str) -> Path:
    for folder in os.environ["PATH"].split(":"):
        if (Path(folder) / tool).exists():
            return Path(folder) / tool
    message = f"no {tool} on the PATH"
    raise AssertionError(message)
