"""What the gate in front of MQTT costs: with a thousand subscribers straight at FROST-Server, and through the gate.

Run as ``python -m benchmarks.identity``; ends with BENCH lines, and with 0 also where a goal is missed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from benchmarks.bare import prepared
from benchmarks.edge.service import PLAIN
from benchmarks.report import bench_line, machine
from localcluster import images, install
from localcluster.images import pinned
from sensorthings_operator.desired import addresses, mqttgate
from sensorthings_operator.desired.settings import OperatorSettings

if TYPE_CHECKING:
    from benchmarks.bare import Bare

_SUBSCRIBERS: Final = 1000
_ADDED_GOAL: Final = 1.0
"""Milliseconds that the gate may add to p99."""
_MEMORY_GOAL: Final = 20.0
"""kB for each connection."""
_GATE_SECONDS: Final = 10.0


def _p50(milliseconds: list[float]) -> float:
    return median(milliseconds)


def _p99(milliseconds: list[float]) -> float:
    return quantiles(milliseconds, n=100)[98]


def _said(milliseconds: list[float]) -> str:
    return f"p50 {_p50(milliseconds):.1f}, p99 {_p99(milliseconds):.1f} ms of {len(milliseconds)} deliveries"


def _told(floor: Bare, port: int, seconds: float) -> list[float]:
    """Milliseconds from POST to delivery.

    Raises:
        RuntimeError: A subscriber was not told of everything.
    """
    url = "http://127.0.0.1:8080/FROST-Server/v1.1"
    options = [f"--url={url}", f"--port={port}", f"--count={_SUBSCRIBERS}", f"--seconds={seconds}"]
    command = ["nsenter", f"--net={floor.netns}", sys.executable, "-m", "benchmarks.identity.subscribers", *options]
    measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    if len(measured["milliseconds"]) != measured["expected"]:
        raise RuntimeError(f"{len(measured['milliseconds'])} deliveries of {measured['expected']} on port {port}")
    return list(measured["milliseconds"])


def _memory(figure: str) -> float:
    """kB of the gate that runs on this machine: ``VmRSS`` now, ``VmHWM`` at most until now (proc(5))."""
    (gate,) = [
        each
        for each in Path("/proc").glob("[0-9]*")
        if (each / "cmdline").exists() and (each / "cmdline").read_bytes().startswith(b"/mqtt-gate\0")
    ]
    (found,) = re.findall(rf"{figure}:\s+(\d+) kB", (gate / "status").read_text())
    return float(found) * 1.024


def main(
    runs: Annotated[int, typer.Option(help="In turns; the median counts.")] = 3,
    seconds: Annotated[float, typer.Option(help="Measured in each.")] = 30,
) -> None:
    """Measure, and say it."""
    console = Console(highlight=False, soft_wrap=True)
    archives = images.build_all(lambda _: None, install.IMAGES)
    settings = OperatorSettings.model_validate(
        {"images": install.chart_values(archives, pinned.FROST)["settings"]["images"]}
    )
    body = {
        "apiVersion": "sensorthings.city/v1alpha1",
        "kind": "SensorThingsService",
        "metadata": {"name": "floor", "namespace": "floor"},
        "spec": PLAIN,
    }
    direct, gated = list[list[float]](), list[list[float]]()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)
        with prepared(body, settings, Path(folder)) as floor, floor.running():
            floor.start_gate()
            time.sleep(_GATE_SECONDS)
            before = _memory("VmRSS")
            for run in range(runs):
                direct.append(_told(floor, mqttgate.FROST_PORT, seconds))
                gated.append(_told(floor, addresses.MQTT_PORT, seconds))
                console.print(
                    f"run {run + 1} of {runs}: straight {_said(direct[-1])}; through the gate {_said(gated[-1])}"
                )
            grown = (_memory("VmHWM") - before) / _SUBSCRIBERS
    console.print(*machine(), sep="\n")
    for name, figure in (("p50", _p50), ("p99", _p99)):
        straight, through = median(map(figure, direct)), median(map(figure, gated))
        console.print(
            bench_line(f"identity-gate-{name}", through, "ms", floor=straight, goal=(straight + _ADDED_GOAL) / straight)
        )
    console.print(bench_line("identity-gate-connection", grown, "kB", goal=_MEMORY_GOAL))


if __name__ == "__main__":
    typer.run(main)
