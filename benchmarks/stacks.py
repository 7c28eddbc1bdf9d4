"""What a plan of all layers of a city costs, and what a second ``up`` changes.

Hamburg's programs, unmodified, under the stand-in for Pulumi's engine of the tests; the floor is the same programs
under Pulumi's own mocks. Run as ``make bench-stacks``, in the environment of the stacks; ends with BENCH lines. No
cloud takes part: Pulumi's own engine and its providers cost more than the stand-in.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import bench_line, machine
from tests.stacks import programs
from tests.stacks.standin.engine import City

if TYPE_CHECKING:
    from tests.stacks.standin.engine import Outcome

_CITY: Final = "hamburg"
_CITIES: Final = 50
_SENSORTHINGS: Final = Path(sys.executable).with_name("sensorthings")


def main(runs: Annotated[int, typer.Option(min=1, max=20, help="Times to preview.")] = 3) -> None:
    """Measure previews, a second up, and the check of fifty cities."""
    console = Console(highlight=False, soft_wrap=True)
    floor, floor_memory = _mocked(runs)
    city = City(_CITY)
    brought_up = _succeeded(city.all("up"))
    previews = [_succeeded(city.all("preview")) for _ in range(runs)]
    writes = len(city.clouds.writes)
    again = _succeeded(city.all("up"))
    table = Table("layer", "resources", "up, s", "preview, s (median)", "memory, MiB")
    for layer, outcome in brought_up.items():
        seconds = median(each[layer].seconds for each in previews)
        memory = max(each[layer].mebibytes for each in previews)
        created = str(outcome.changes.get("create", 0))
        table.add_row(layer, created, f"{outcome.seconds:.1f}", f"{seconds:.1f}", f"{memory:.0f}")
    console.print(table)
    seconds = median(sum(outcome.seconds for outcome in each.values()) for each in previews)
    memory = max(outcome.mebibytes for each in previews for outcome in each.values())
    changes = sum(sum(outcome.changes.values()) for outcome in again.values())
    console.print(*machine(), f"{runs} runs; quoted are medians, of memory the greatest", sep="\n")
    console.print(bench_line("stacks-preview", seconds, "s", floor=floor, goal=1.5, digits=1))
    console.print(bench_line("stacks-preview-memory", memory, "MiB", floor=floor_memory, goal=1.25, digits=0))
    console.print(bench_line("stacks-second-up-changes", changes, "changes", goal=0, digits=0))
    console.print(bench_line("stacks-second-up-writes", len(city.clouds.writes) - writes, "writes", goal=0, digits=0))
    console.print(bench_line("cities-checked", _checked(runs), "s", goal=10, digits=1))


def _mocked(runs: int) -> tuple[float, float]:
    """Seconds (median) of all layers under mocks, and the most memory of one of their processes, in MiB."""
    seconds = []
    for _ in range(runs):
        began = time.monotonic()
        programs.all_layers(_CITY)
        seconds.append(time.monotonic() - began)
    # Nothing else was started before.
    return median(seconds), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _succeeded(outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
    for layer, outcome in outcomes.items():
        if outcome.problems:
            raise RuntimeError(f"{layer}: {outcome.problems}")
    return outcomes


def _checked(runs: int) -> float:
    """Seconds (median) in which the command line validates fifty cities, from its start to its end."""
    with tempfile.TemporaryDirectory() as temporary:
        stacks = Path(temporary)
        for layer in programs.LAYERS:
            (stacks / layer).mkdir()
            shutil.copy(programs.STACKS / layer / "Pulumi.yaml", stacks / layer)
            text = (programs.STACKS / layer / "Pulumi.munich.yaml").read_text()
            for number in range(_CITIES):
                changed = text.replace("munich", f"city{number}").replace("10.21.", f"10.{number + 30}.")
                (stacks / layer / f"Pulumi.city{number}.yaml").write_text(changed)
        seconds = []
        for _ in range(runs):
            began = time.monotonic()
            command = [_SENSORTHINGS, "city", "check", "--stacks", stacks]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            seconds.append(time.monotonic() - began)
    return median(seconds)


if __name__ == "__main__":
    typer.run(main)
