"""Runs a command and turns its failure into a message for people. Every module that calls a tool uses this one door."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from typing import TYPE_CHECKING

from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_TAIL = 12  # lines of a failed command's output that go into the message


def tail(text: str, lines: int = _TAIL) -> str:
    """The last lines of an output."""
    return "\n".join(text.strip().splitlines()[-lines:])


def run(  # noqa: PLR0913 - these are the arguments of subprocess.run that callers need
    argv: Sequence[str | Path],
    *,
    remedy: str = "",
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float | None = None,
) -> str:
    """Run a command to its end and return its standard output.

    Args:
        argv: The command and its arguments.
        remedy: What a person can do when it fails.
        stdin: Text for its standard input.
        env: Variables added to the environment.
        folder: Its working directory.
        timeout: In seconds; none means without limit.

    Raises:
        LocalClusterError: It is not there, ended with a code other than 0, or took longer than `timeout`.
    """
    command = [str(part) for part in argv]
    shown = " ".join(command)
    try:
        done = subprocess.run(
            command,
            input="" if stdin is None else stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=None if env is None else {**os.environ, **env},
            timeout=timeout,
        )
    except FileNotFoundError:
        raise LocalClusterError(f"The command {command[0]} is not there (wanted: {shown}).", remedy) from None
    except subprocess.TimeoutExpired:
        raise LocalClusterError(f"`{shown}` did not end within {timeout:g} s.", remedy) from None
    if done.returncode != 0:
        # Some tell their errors on standard output (Maven), so that both belong to it.
        raise _failed(shown, done.returncode, f"{done.stdout}\n{done.stderr}", remedy)
    return done.stdout


def _failed(shown: str, code: int, said: str, remedy: str) -> LocalClusterError:
    return LocalClusterError(f"`{shown}` ended with code {code}:\n{tail(said) or '(it said nothing)'}", remedy)


def follow(
    argv: Sequence[str | Path],
    on_line: Callable[[str], None],
    *,
    remedy: str = "",
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> None:
    """Run a command to its end and pass on each line it writes, to standard output or standard error, as it comes.

    Raises:
        LocalClusterError: It is not there, or ended with a code other than 0; the message holds its last lines.
    """
    command = [str(part) for part in argv]
    lines: deque[str] = deque(maxlen=_TAIL)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=folder,
            env={**os.environ, **(env or {})},
        )
    except FileNotFoundError:
        raise LocalClusterError(f"The command {command[0]} is not there.", remedy) from None
    with process:
        for line in process.stdout or ():
            lines.append(line)
            on_line(line.strip())
    if process.returncode != 0:
        raise _failed(" ".join(command), process.returncode, "".join(lines), remedy)
