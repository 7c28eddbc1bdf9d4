"""What every benchmark says at its end: the machine, the versions, and one line that a person and a script can read."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Final

from localcluster import parts

_ROOT: Final = Path(__file__).parents[1]
_KIBIBYTES_PER_GIBIBYTE: Final = 1024 * 1024


def bench_line(  # noqa: PLR0913 - the fields of the line
    name: str, value: float, unit: str, *, goal: float, floor: float | None = None, digits: int = 2
) -> str:
    """The line that a benchmark ends with.

    Args:
        name: of the capability.
        value: what was measured; the smaller the better.
        unit: of value and floor.
        goal: the largest ratio of value to floor that is aimed at; without a floor, the largest value.
        floor: the same work by the barest means, measured in the same run.
        digits: after the point, of value and floor.
    """
    if floor is None:
        return f"BENCH name={name} value={value:.{digits}f} unit={unit} goal={goal:g} ok={_word(ok=value <= goal)}"
    ratio = value / floor
    measured = f"value={value:.{digits}f} unit={unit} floor={floor:.{digits}f} ratio={ratio:.2f}"
    return f"BENCH name={name} {measured} goal={goal:g} ok={_word(ok=ratio <= goal)}"


def _word(*, ok: bool) -> str:
    return str(ok).lower()


def machine() -> list[str]:
    """The machine and the versions that a number belongs to, one line each."""
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    kubernetes = parts.version_of(
        "k8s.io/kubernetes", (_ROOT / "localcluster" / "parts" / parts.KUBERNETES / "go.mod").read_text()
    )
    gibibytes = int(memory.split()[1]) / _KIBIBYTES_PER_GIBIBYTE
    return [
        f"{os.cpu_count()} cores ({_processor()}), {gibibytes:.0f} GiB of memory, load average {load}",
        f"Linux {platform.release()}, Python {platform.python_version()}, Kubernetes {kubernetes}, commit {_commit()}",
    ]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    command = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"
