"""How long a warm ``sensorthings up`` takes: everything is built and cached, no cluster of that name is there.

Run as ``python -m benchmarks.up``; ends with a BENCH line, and with 0 also where the goal is missed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import bench_line, machine
from localcluster.plan import cache_folder
from localcluster.steps import read_durations

_GOAL: Final = 60.0  # s
_SENSORTHINGS: Final = Path(sys.executable).with_name("sensorthings")


def main(
    *,
    runs: Annotated[int, typer.Option(min=1, max=20, help="Times to bring it up.")] = 3,
    name: Annotated[str, typer.Option(help="The cluster; what is there of it is taken down.")] = "bench",
) -> None:
    """Measure a warm ``sensorthings up``, and show where its time goes."""
    console = Console(highlight=False, soft_wrap=True)
    # Whatever is not cached yet is built by a first one that is not counted.
    _up(name)
    seconds, steps = [], []
    for run in range(runs):
        _down(name)
        seconds.append(_up(name))
        steps.append(read_durations(cache_folder() / "up-durations.json"))
        console.print(f"run {run + 1} of {runs}: {seconds[-1]:.1f} s")
    _down(name)
    table = Table("step", "seconds, median")
    for step in steps[0]:
        table.add_row(step, f"{median(each[step] for each in steps):.1f}")
    console.print(table)
    console.print(*machine(), f"{runs} runs; quoted are medians", sep="\n")
    console.print(bench_line("up-warm", median(seconds), "s", goal=_GOAL, digits=1))


def _up(name: str) -> float:
    begun = time.monotonic()
    subprocess.run([_SENSORTHINGS, "up", "--name", name, "--output", "json"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


def _down(name: str) -> None:
    subprocess.run([_SENSORTHINGS, "down", "--name", name], check=True)


if __name__ == "__main__":
    typer.run(main)
