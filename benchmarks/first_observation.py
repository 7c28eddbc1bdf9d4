"""From ``kubectl apply`` to the first Observation delivered over MQTT, against the same processes started bare.

Run as ``python -m benchmarks.first_observation``; ends with a BENCH line, and with 0 also where the goal is missed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.bare import prepared
from benchmarks.client import FirstObservation
from benchmarks.picture import Row, draw
from benchmarks.report import bench_line, machine
from benchmarks.timeline import Timeline
from localcluster import cluster as local
from localcluster import plan, storage
from sensorthings_operator.desired.settings import OperatorSettings
from tests.e2e.kubernetes import Kubernetes
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.bare import Bare

_ROOT: Final = Path(__file__).parents[1]
_EXAMPLE: Final = _ROOT / "examples" / "hamburg" / "inside.yaml"
_PICTURE: Final = _ROOT / "docs" / "pictures" / "first-observation.svg"
_GOAL: Final = 1.5
_NAMESPACE: Final = "bench"
_HTTP_PORT: Final = 80

# What is shown of a run, in order: name, and the mark at which it ends.
_OPERATOR_PHASES: Final = (
    ("database pod starts", "database container postgresql started"),
    ("database answers", "database container postgresql passed its startup probe"),
    ("schema pod starts", "schema container migrate started"),
    ("schema complete", "schema container migrate passed its startup probe"),
    ("Job ends", "schema job Complete"),
    ("module pods start", "http container frost-http started"),
    ("HTTP answers", "HTTP answers"),
    ("delivered", "delivered"),
)
_FLOOR_PHASES: Final = (
    ("database answers", "database answers"),
    ("schema complete", "schema complete"),
    ("HTTP answers", "HTTP answers"),
    ("delivered", "delivered"),
)
Marks = dict[str, float]


def main(
    *,
    runs: Annotated[int, typer.Option(min=1, max=50, help="Runs of each, in turns.")] = 5,
    name: Annotated[str, typer.Option(help="The cluster; brought up if it is not there.")] = "bench",
    keep: Annotated[bool, typer.Option(help="Leave the cluster up.")] = False,
) -> None:
    """Measure how long the operator takes from a manifest to a delivered Observation, and the floor in the same run."""
    console = Console(highlight=False, soft_wrap=True)
    _command("up", "--name", name, "--output", "json")
    try:
        operator, floor = _measure(plan.find(name), runs, console)
    finally:
        if not keep:
            _command("down", "--name", name)
    _report(operator, floor, console)


def _command(*arguments: str) -> None:
    subprocess.run([Path(sys.executable).with_name("sensorthings"), *arguments], check=True, stdout=subprocess.DEVNULL)


def _measure(cluster: plan.Cluster, runs: int, console: Console) -> tuple[list[Marks], list[Marks]]:
    kubernetes = Kubernetes.connect(local.kubectl(cluster).binary, cluster.kubeconfig, cluster.netns_path)
    body = yaml.safe_load(_EXAMPLE.read_text())
    _remove(kubernetes, body["metadata"]["namespace"])
    body["metadata"]["namespace"] = _NAMESPACE
    configuration = kubernetes.get("/api/v1/namespaces/sensorthings-system/configmaps/sensorthings-operator")
    settings = OperatorSettings.model_validate(yaml.safe_load(configuration["data"]["settings.yaml"]))
    operator: list[Marks] = []
    floor: list[Marks] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)
        with prepared(body, settings, Path(folder)) as bare:
            for run in range(runs):
                floor.append(_floor_run(bare))
                storage.recycle(cluster, local.kubectl(cluster))
                operator.append(_operator_run(kubernetes, body))
                delivered = [marks[run]["delivered"] for marks in (operator, floor)]
                console.print(f"run {run + 1} of {runs}: operator {delivered[0]:.2f} s, bare {delivered[1]:.2f} s")
    return operator, floor


def _floor_run(bare: Bare) -> Marks:
    return bare.measure()


def _operator_run(kubernetes: Kubernetes, body: dict[str, Any]) -> Marks:
    service = body["metadata"]["name"]
    kubernetes.create_namespace(_NAMESPACE)

    def cluster_ip(part: str) -> str | None:
        found = kubernetes.get(f"/api/v1/namespaces/{_NAMESPACE}/services/{service}-{part}")
        return str(found["spec"]["clusterIP"]) if found else None

    begun = time.monotonic()
    client = FirstObservation(
        kubernetes.netns, begun, http=lambda: cluster_ip("http"), mqtt=lambda: cluster_ip("mqtt"), http_port=_HTTP_PORT
    )
    with Timeline(kubernetes, _NAMESPACE, begun) as timeline:
        kubernetes.apply(body)
        client.mark("applied")
        marks = client.measure()
        eventually("Ready", lambda: "service sensorthingsservice Ready" in timeline.marks)
    _remove(kubernetes, _NAMESPACE)
    return {**timeline.marks, **marks}


def _remove(kubernetes: Kubernetes, namespace: str) -> None:
    """Delete a namespace, and wait until nothing of it runs any more."""
    kubernetes.run("delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s")


def _report(operator: Sequence[Marks], floor: Sequence[Marks], console: Console) -> None:
    table = Table("seconds since the beginning, medians", "operator", "bare")
    medians = [_medians(marks) for marks in (operator, floor)]
    names = sorted({*medians[0], *medians[1]}, key=lambda name: min(each.get(name, 1e9) for each in medians))
    for name in names:
        table.add_row(name, *(f"{each[name]:.2f}" if name in each else "" for each in medians))
    console.print(table)
    console.print(*machine(), f"{len(operator)} runs of each, in turns; quoted are medians", sep="\n")
    rows = [
        Row("operator", _phases(medians[0], _OPERATOR_PHASES)),
        Row("bare processes", _phases(medians[1], _FLOOR_PHASES)),
    ]
    _PICTURE.parent.mkdir(parents=True, exist_ok=True)
    _PICTURE.write_text(draw("From kubectl apply to the first Observation delivered over MQTT", rows))
    delivered = [each["delivered"] for each in medians]
    console.print(bench_line("first-observation", delivered[0], "s", goal=_GOAL, floor=delivered[1]))


def _medians(runs: Sequence[Marks]) -> Marks:
    """The median of each mark that every run has."""
    return {name: median(marks[name] for marks in runs) for name in runs[0] if all(name in marks for marks in runs)}


def _phases(marks: Marks, phases: Sequence[tuple[str, str]]) -> list[tuple[str, float]]:
    """The phases whose ends are known, in the order of their ends."""
    return sorted(((name, marks[mark]) for name, mark in phases if mark in marks), key=lambda phase: phase[1])


if __name__ == "__main__":
    typer.run(main)
