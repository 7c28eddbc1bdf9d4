"""Runs the steps of `up` and `down` in order, tells how each goes, and remembers how long each took.

The durations lie in the cache folder: they shall still be known when the cluster and its state are gone.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Detail = Callable[[str], None]


class Progress(Protocol):
    """Is told how a run goes. Times are in seconds."""

    def begin(self, titles: Sequence[str], last: dict[str, float]) -> None:
        """A run with these steps begins; `last` holds how long each took last time, where that is known."""

    def started(self, title: str) -> None:
        """A step started."""

    def detail(self, text: str) -> None:
        """The step that runs turned to something else."""

    def finished(self, title: str, seconds: float) -> None:
        """A step was done."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: idempotent, and what it left half done when it was interrupted it does when it is run again.

    Args:
        title: What is being done, for people, and the name its duration is remembered under.
        run: Does it; gets a function that tells what it is at. What it returns is not looked at.
    """

    title: str
    run: Callable[[Detail], object]


def read_durations(path: Path) -> dict[str, float]:
    """How long each step took last time, in seconds; empty when that is not known."""
    try:
        known = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(title): float(seconds) for title, seconds in known.items()} if isinstance(known, dict) else {}


def _write_duration(path: Path, title: str, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({**read_durations(path), title: round(seconds, 2)}, indent=2))
    draft.replace(path)


def run(steps: Sequence[Step], progress: Progress, durations: Path) -> None:
    """Run the steps in order, each to its end.

    Raises:
        LocalClusterError: A step failed; its title is in the message, and the steps before it are done.
    """
    progress.begin([step.title for step in steps], read_durations(durations))
    for step in steps:
        progress.started(step.title)
        begun = time.monotonic()
        try:
            step.run(progress.detail)
        except LocalClusterError as error:
            raise LocalClusterError(f"{step.title}: {error.problem}", error.remedy) from error
        seconds = time.monotonic() - begun
        _write_duration(durations, step.title, seconds)
        progress.finished(step.title, seconds)
