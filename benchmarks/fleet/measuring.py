"""What the fleet's figures are made from: quantiles, a process's CPU and memory."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Turns:
    """Durations in seconds, one of each in every turn."""

    operator: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    bare_in_order: list[float] = field(default_factory=list)
    """Of a bare client that makes the modules only once the schema is there, as anybody must."""


@dataclass(frozen=True)
class Spread:
    """Of many durations, in seconds."""

    p50: float
    p99: float
    count: int


def spread(durations: Sequence[float]) -> Spread:
    """Median and 99th percentile, by the nearest rank: each is a duration that was measured."""
    ordered = sorted(durations)
    return Spread(_rank(ordered, 0.5), _rank(ordered, 0.99), len(ordered))


def _rank(ordered: Sequence[float], quantile: float) -> float:
    return ordered[math.ceil(quantile * len(ordered)) - 1]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
