"""What the gate in front of MQTT costs: with a thousand subscribers straight at FROST-Server, and through the gate."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.bare import prepared
from benchmarks.identity.bare_service import URL, body, p50, p99, settings
from benchmarks.report import bench_line
from sensorthings_operator.desired import addresses, mqttgate

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.bare import Bare

_SUBSCRIBERS: Final = 1000
_ADDED_GOAL: Final = 1.0
"""Milliseconds that the gate may add to p99."""
_MEMORY_GOAL: Final = 20.0
"""kB for each connection."""
_GATE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    runs: int
    seconds: float


def _said(milliseconds: list[float]) -> str:
    return f"p50 {p50(milliseconds):.1f}, p99 {p99(milliseconds):.1f} ms of {len(milliseconds)} deliveries"


def _told(floor: Bare, port: int, seconds: float) -> list[float]:
    """Milliseconds from POST to delivery.

    Raises:
        RuntimeError: A subscriber was not told of everything.
    """
    url = URL.format(port=addresses.HTTP_PORT)
    options = [f"--url={url}", f"--port={port}", f"--count={_SUBSCRIBERS}", f"--seconds={seconds}"]
    command = ["nsenter", f"--net={floor.netns}", sys.executable, "-m", "benchmarks.identity.subscribers", *options]
    measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    if len(measured["milliseconds"]) != measured["expected"]:
        raise RuntimeError(f"{len(measured['milliseconds'])} deliveries of {measured['expected']} on port {port}")
    return list(measured["milliseconds"])


def _memory(floor: Bare, figure: str) -> float:
    """kB of the gate of this run: ``VmRSS`` now, ``VmHWM`` at most until now (proc(5))."""
    network = floor.netns.stat().st_ino
    (gate,) = [each for each in Path("/proc").glob("[0-9]*") if _is_gate(each, network)]
    (found,) = re.findall(rf"{figure}:\s+(\d+) kB", (gate / "status").read_text())
    return float(found) * 1.024


def _is_gate(process: Path, network: int) -> bool:
    """Others may run on this machine, in networks of their own."""
    try:
        command, of = (process / "cmdline").read_bytes(), (process / "ns" / "net").stat().st_ino
    except OSError:
        return False
    return command.startswith(b"/mqtt-gate\0") and of == network


def measured(sizes: Sizes, folder: Path, say: Callable[[str], None]) -> list[str]:
    """The BENCH lines."""
    folder.mkdir()
    folder.chmod(0o755)
    direct, gated = list[list[float]](), list[list[float]]()
    with prepared(body(), settings(), folder) as floor, floor.running():
        floor.start_gate()
        time.sleep(_GATE_SECONDS)
        before = _memory(floor, "VmRSS")
        for run in range(sizes.runs):
            direct.append(_told(floor, mqttgate.FROST_PORT, sizes.seconds))
            gated.append(_told(floor, addresses.MQTT_PORT, sizes.seconds))
            say(f"run {run + 1} of {sizes.runs}: straight {_said(direct[-1])}; through the gate {_said(gated[-1])}")
        grown = (_memory(floor, "VmHWM") - before) / _SUBSCRIBERS
    lines = []
    for name, figure in (("p50", p50), ("p99", p99)):
        straight, through = median(map(figure, direct)), median(map(figure, gated))
        goal = (straight + _ADDED_GOAL) / straight
        lines.append(bench_line(f"identity-gate-{name}", through, "ms", floor=straight, goal=goal))
    return [*lines, bench_line("identity-gate-connection", grown, "kB", goal=_MEMORY_GOAL)]
