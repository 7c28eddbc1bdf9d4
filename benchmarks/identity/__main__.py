"""What identity costs: the gate in front of MQTT, renewed tokens, calls to Keycloak, and a token on a write.

Run as ``python -m benchmarks.identity``; ends with BENCH lines, and with 0 also where a goal is missed.
"""

from __future__ import annotations

import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from benchmarks.identity import calls, gate, renewals, writes
from benchmarks.report import machine

if TYPE_CHECKING:
    from collections.abc import Callable


class Part(StrEnum):
    """What can be measured by itself."""

    GATE = "gate"
    RENEWALS = "renewals"
    CALLS = "calls"
    WRITES = "writes"


def main(  # noqa: PLR0913 - one parameter is one option of the command line
    *,
    part: Annotated[list[Part] | None, typer.Option(help="All of them where none is named.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="Of gate and writes, in turns; the median counts.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Measured in each of them.")] = 30,
    connectors: Annotated[int, typer.Option(min=1, help="Whose tokens are renewed.")] = 1000,
    settled: Annotated[float, typer.Option(min=30, help="Seconds of renewals; 300 are two rounds.")] = 300,
    services: Annotated[int, typer.Option(min=1, help="Whose calls to Keycloak are counted.")] = 50,
    resyncs: Annotated[float, typer.Option(help="For how long, in resyncs.")] = 2,
    python: Annotated[str, typer.Option(help="Python with what the operator's image holds.")] = sys.executable,
) -> None:
    """Measure, and say it."""
    console = Console(highlight=False, soft_wrap=True)
    say: Callable[[str], None] = console.print
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        for each in part or Part:
            say(f"{each}:")
            here = folder / each
            match each:
                case Part.GATE:
                    lines += gate.measured(gate.Sizes(runs, seconds), here, say)
                case Part.RENEWALS:
                    lines += renewals.measured(renewals.Sizes(connectors, settled), here, python, say)
                case Part.CALLS:
                    lines += calls.measured(calls.Sizes(services, resyncs), here, say)
                case Part.WRITES:
                    lines += writes.measured(writes.Sizes(runs, seconds), here, say)
    console.print(*machine(), sep="\n")
    console.print(*lines, sep="\n")


if __name__ == "__main__":
    typer.run(main)
