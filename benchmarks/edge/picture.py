"""The picture of a step of load: Observations a second, pods, and how long each takes to subscribers."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Final

from matplotlib import rc_context
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from benchmarks.edge.step import Step

_BIN_SECONDS: Final = 5.0
_SIZE: Final = (9.0, 8.5)
"""Inches."""


def draw(step: Step, file: Path) -> None:
    """Write an SVG file, which differs only where the step does."""
    # Text stays text, and no name in the file is drawn by chance.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "edge", "font.size": 9}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        figure.suptitle("A step of load over the edge: twice the Observations, twice the subscribers")
        rate, cores, pods, latency = figure.subplots(4, 1, sharex=True)
        _draw_rate(rate, step)
        _draw_cores(cores, step)
        _draw_pods(pods, step)
        _draw_latency(latency, step)
        for axes in (rate, cores, pods, latency):
            axes.axvspan(step.up, step.down, color="0.92")
            axes.axvline(step.ended, color="0.6", linewidth=0.8, linestyle=":")
            axes.legend(loc="upper right")
        figure.savefig(file, format="svg", metadata={"Date": None})


def _draw_rate(axes: Axes, step: Step) -> None:
    sent = [each - step.pods.begun for each in step.client.begun]
    taken = [each - step.pods.begun for each in step.client.acknowledged.values()]
    axes.plot(*_binned(sent, sent, _a_second), label="sent", color="0.6")
    axes.plot(*_binned(taken, taken, _a_second), label="acknowledged", linestyle="--")
    axes.set(ylabel="Observations/s", ylim=(0, None))


def _draw_cores(axes: Axes, step: Step) -> None:
    for part, looks in step.pods.cores.items():
        (line,) = axes.step([at for at, _ in looks], [cores for _, cores in looks], where="post", label=part.upper())
        axes.axhline(step.held(part), color=line.get_color(), linewidth=0.8, linestyle=":")
    axes.set(ylabel="cores a pod", ylim=(0, None))


def _draw_pods(axes: Axes, step: Step) -> None:
    for part, counted in step.pods.ready.items():
        axes.step([at for at, _ in counted], [count for _, count in counted], where="post", label=part.upper())
    axes.set(ylabel="pods ready", ylim=(0, None))


def _draw_latency(axes: Axes, step: Step) -> None:
    arrived = step.told[0].arrived
    numbers = sorted(arrived)
    at = [step.client.begun[number] - step.pods.begun for number in numbers]
    milliseconds = [1000 * (arrived[number] - step.client.begun[number]) for number in numbers]
    axes.plot(*_binned(at, milliseconds, median), label="median")
    axes.plot(*_binned(at, milliseconds, max), label="slowest", linewidth=0.8)
    axes.set(yscale="log", ylabel="POST to MQTT, ms", xlabel="seconds")


def _a_second(values: Sequence[float]) -> float:
    return len(values) / _BIN_SECONDS


def _binned(
    at: Sequence[float], values: Sequence[float], of: Callable[[Sequence[float]], float]
) -> tuple[list[float], list[float]]:
    """The middle of each bin of time that holds any, and one figure of its values."""
    bins = defaultdict[int, list[float]](list)
    for when, value in zip(at, values, strict=True):
        bins[int(when // _BIN_SECONDS)].append(value)
    return [(number + 0.5) * _BIN_SECONDS for number in sorted(bins)], [of(bins[number]) for number in sorted(bins)]
