"""What the edge costs: HTTPS and MQTT over TLS through ingress-nginx, against the same processes bare and plain; what a
step of load does to a service that scales; and what clients notice of changes.

Run as ``python -m benchmarks.edge``; ends with BENCH lines, and with 0 also where a goal is missed.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
import yaml
from rich.console import Console

from benchmarks.bare import prepared
from benchmarks.edge import changes, picture, pods, step
from benchmarks.edge.service import PLAIN, exposed
from benchmarks.report import bench_line, machine
from localcluster import addons, plan
from localcluster import cluster as local
from localcluster.addons import cert_manager, ingress_nginx, metrics_server
from localcluster.display import Display
from localcluster.installation import Installation
from sensorthings_operator.desired import mqttgate
from sensorthings_operator.desired.settings import OperatorSettings
from tests.e2e.kubernetes import Kubernetes

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.edge.changes import Noticed
    from benchmarks.edge.service import Edge

_ADD_ONS: Final = (ingress_nginx.ADD_ON.name, cert_manager.ADD_ON.name, metrics_server.ADD_ON.name)
_PICTURE: Final = Path(__file__).parents[2] / "docs" / "pictures" / "load-step.svg"
_P50_GOAL: Final = 1.5
_P99_GOAL: Final = 2.0
_COST_GOAL: Final = 1 / 0.9
"""Of what one Observation costs: nine tenths of the floor's rate."""
_SCALE_OUT_GOAL: Final = 1.5

Measured = dict[str, Any]


class Part(StrEnum):
    """What can be measured by itself; in this order, since the step leaves autoscalers behind."""

    COST = "cost"
    CHANGES = "changes"
    STEP = "step"


class _Measurement:
    """One run of everything against one service.

    Args:
        edge: the service.
        console: for people.
    """

    def __init__(self, edge: Edge, console: Console) -> None:
        self._edge = edge
        self._say = console.print
        self.lines: list[str] = []

    def cost(self, settings: OperatorSettings, runs: int, seconds: float) -> None:
        """Latency at a steady rate, and the highest rate, in turns with bare processes."""
        metadata = {"name": "floor", "namespace": "floor"}
        body = {"apiVersion": "sensorthings.city/v1alpha1", "kind": "SensorThingsService", "metadata": metadata}
        broker = f"mqtt://{mqttgate.FROST_HOST}:{mqttgate.FROST_PORT}"
        plain = ["--url", "http://127.0.0.1:8080/FROST-Server/v1.1", "--mqtt", broker]
        edge, bare = list[Measured](), list[Measured]()
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            Path(folder).chmod(0o755)
            # Both stay up for all runs, since a JVM gets faster with all that it has done.
            with prepared({**body, "spec": PLAIN}, settings, Path(folder)) as floor, floor.running():
                for run in range(runs):
                    bare.append(_load(*plain, seconds=seconds, enter=("nsenter", f"--net={floor.netns}")))
                    edge.append(_load(*self._edge.options(), seconds=seconds))
                    self._say(f"run {run + 1} of {runs}: edge {_told(edge[-1])}; bare {_told(bare[-1])}")
        for name, figure, goal in (
            ("edge-latency-p50", _p50, _P50_GOAL),
            ("edge-latency-p99", _p99, _P99_GOAL),
            ("edge-observation", _milliseconds_each, _COST_GOAL),
        ):
            self._tell(name, _middle(edge, figure), "ms", floor=_middle(bare, figure), goal=goal)

    def changes(self) -> None:
        """What clients notice of each change, and of each failure."""
        for name, change in changes.CHANGES.items():
            noticed = self._noticed(name, change)
            self._tell(f"edge-failed-{name}", len(noticed.failed) + noticed.missing, "requests", goal=0)
        for name, failure in changes.FAILURES.items():
            self._tell(f"edge-missing-{name}", self._noticed(name, failure).missing, "Observations", goal=0)

    def step(self, runs: int) -> None:
        """Twice the load, and back."""
        window = step.metrics_window(self._edge)
        starts = {part: step.pod_start(self._edge, part, runs) for part in pods.PARTS}
        done = asyncio.run(step.run(self._edge))
        self._say(str(done))
        _PICTURE.parent.mkdir(parents=True, exist_ok=True)
        picture.draw(done, _PICTURE)
        for part, start in starts.items():
            self._say(f"a pod of {part} by itself is ready after {start:.1f} s; metrics come every {window:.0f} s")
            added = done.pods.since(part, 2, done.up)
            if added is None:
                self._say(f"no pod of {part} was added")
            else:
                self._tell(f"edge-scale-out-{part}", added, "s", floor=start + window, goal=_SCALE_OUT_GOAL)
            removed = done.pods.since(part, 1, done.down)
            fate = "kept its second pod" if removed is None else f"had one pod {removed:.0f} s after the load halved"
            self._say(f"{part} {fate}; the load ended after {done.ended - done.down:.0f} s")
        self._tell("edge-failed-scaling", len(done.client.failed) + done.missing, "requests", goal=0)

    def _noticed(self, name: str, change: Callable[[Edge], None]) -> Noticed:
        noticed = asyncio.run(changes.noticed(self._edge, name, change))
        self._say(str(noticed))
        return noticed

    def _tell(self, name: str, value: float, unit: str, *, goal: float, floor: float | None = None) -> None:
        self.lines.append(bench_line(name, value, unit, goal=goal, floor=floor))
        self._say(self.lines[-1])


def _load(*arguments: str, seconds: float, enter: tuple[str, ...] = ()) -> Measured:
    command = [*enter, sys.executable, "-m", "benchmarks.edge.load", *arguments, f"--seconds={seconds}"]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    measured: Measured = json.loads(told)
    return measured


def _told(measured: Measured) -> str:
    return (
        f"p50 {_p50(measured):.1f} ms, p99 {_p99(measured):.1f} ms, untold {measured['untold']}, "
        f"{measured['per_second']:.0f}/s, failed {measured['failed']}"
    )


def _middle(of: list[Measured], figure: Callable[[Measured], float]) -> float:
    return median([figure(each) for each in of])


def _p50(measured: Measured) -> float:
    return float(median(measured["milliseconds"]))


def _p99(measured: Measured) -> float:
    return float(quantiles(measured["milliseconds"], n=100)[98])


def _milliseconds_each(measured: Measured) -> float:
    return 1000 / float(measured["per_second"])


def main(
    *,
    part: Annotated[list[Part] | None, typer.Option(help="All of them where none is named.")] = None,
    runs: Annotated[int, typer.Option(min=1, max=20, help="Runs of each, in turns.")] = 3,
    seconds: Annotated[float, typer.Option(min=5, help="Of each loop.")] = 30,
    name: Annotated[str, typer.Option(help="The cluster; brought up if it is not there.")] = "bench",
    keep: Annotated[bool, typer.Option(help="Leave the cluster up.")] = False,
) -> None:
    """Measure a service over the edge: what it costs, what clients notice of changes, and a step of load."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        with Display(Console(stderr=True)) as display:
            local.up(name, display, Installation(example=None, add_ons=addons.choose(*_ADD_ONS)))
        lines = _measured(plan.find(name), [each for each in Part if each in (part or Part)], runs, seconds, console)
    finally:
        if not keep:
            subprocess.run([Path(sys.executable).with_name("sensorthings"), "down", "--name", name], check=True)
    console.print(*machine(), f"{runs} runs of each, in turns; quoted are medians", *lines, sep="\n")


def _measured(cluster: plan.Cluster, parts: list[Part], runs: int, seconds: float, console: Console) -> list[str]:
    kubernetes = Kubernetes.connect(local.kubectl(cluster).binary, cluster.kubeconfig, cluster.netns_path)
    configuration = kubernetes.get("/api/v1/namespaces/sensorthings-system/configmaps/sensorthings-operator")
    settings = OperatorSettings.model_validate(yaml.safe_load(configuration["data"]["settings.yaml"]))
    with exposed(kubernetes, cluster) as edge:
        measurement = _Measurement(edge, console)
        for part in parts:
            match part:
                case Part.COST:
                    measurement.cost(settings, runs, seconds)
                case Part.CHANGES:
                    measurement.changes()
                case Part.STEP:
                    measurement.step(runs)
    return measurement.lines


if __name__ == "__main__":
    typer.run(main)
