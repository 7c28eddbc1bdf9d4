"""What it costs to publish a city's data to people.

Run as ``python -m benchmarks.publish``; ends with BENCH lines, and with 0 also where a goal is missed.
"""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from benchmarks.publish import livemap, sync
from benchmarks.report import machine

if TYPE_CHECKING:
    from collections.abc import Callable


class Part(StrEnum):
    """What can be measured by itself."""

    SYNC = "sync"
    MAP = "map"


def main(
    *,
    part: Annotated[list[Part] | None, typer.Option(help="All of them where none is named.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="Of each, in turns; the median counts.")] = 7,
    seconds: Annotated[float, typer.Option(min=1, help="For how long frames are counted.")] = 20,
    signals: Annotated[int, typer.Option(min=8, max=1000, help="On the map; each changes once in a second.")] = 1000,
) -> None:
    """Measure, and say it."""
    console = Console(highlight=False, soft_wrap=True)
    say: Callable[[str], None] = console.print
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        for each in part or Part:
            say(f"{each}:")
            match each:
                case Part.SYNC:
                    lines += sync.measured(runs, say)
                case Part.MAP:
                    lines += livemap.measured(livemap.Sizes(runs, seconds, signals), Path(temporary, each), say)
    console.print(*machine(), sep="\n")
    console.print(*lines, sep="\n")


if __name__ == "__main__":
    typer.run(main)
