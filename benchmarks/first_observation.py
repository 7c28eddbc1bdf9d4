"""From ``kubectl apply`` to the first Observation delivered over MQTT, against the same processes started bare.

Run as ``python -m benchmarks.first_observation``; ends with a BENCH line, and with 0 also where the goal is missed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
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
from benchmarks.reach import Edge, Inside
from benchmarks.report import bench_line, machine
from benchmarks.timeline import Timeline
from localcluster import cluster as local
from localcluster import plan, storage
from localcluster.install import ServiceName
from sensorthings_operator.desired.settings import OperatorSettings
from tests.e2e.kubernetes import Kubernetes
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.reach import Reach

_ROOT: Final = Path(__file__).parents[1]
_HAMBURG: Final = _ROOT / "examples" / "hamburg"
_PICTURE: Final = _ROOT / "docs" / "pictures" / "first-observation.svg"
_GOAL: Final = 1.5
_NAMESPACE: Final = "bench"
_HTTP_PORT: Final = 80
_INSIDE: Final = "inside"
_EDGE: Final = "edge"
_BARE: Final = "bare"
# The manifest of each way, and what its BENCH line is called.
_WAYS: Final = {
    _INSIDE: (_HAMBURG / "inside.yaml", "first-observation"),
    _EDGE: (_HAMBURG / "traffic-lights.yaml", "first-observation-edge"),
}

# What is shown of a run, in order: name, and the mark at which it ends.
_OPERATOR_PHASES: Final = (
    ("database pod starts", "database container postgresql started"),
    ("database answers", "database container postgresql passed its startup probe"),
    ("schema pod starts", "schema container migrate started"),
    ("schema complete", "schema container migrate passed its startup probe"),
    ("Job ends", "schema job Complete"),
    ("module pods start", "http container frost-http started"),
    ("HTTP answers", "HTTP answers"),
    ("subscribed", "subscribed"),
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
    """Measure how long the operator takes from a manifest to a delivered Observation, and the floor in the same run.

    Twice: inside the cluster with nothing but the modules, and over the edge with a token, as the example says it.
    """
    console = Console(highlight=False, soft_wrap=True)
    _command("up", "--name", name, "--output", "json")
    try:
        measured = _measure(plan.find(name), runs, console)
    finally:
        if not keep:
            _command("down", "--name", name)
    _report(measured, console)


def _command(*arguments: str) -> None:
    subprocess.run([Path(sys.executable).with_name("sensorthings"), *arguments], check=True, stdout=subprocess.DEVNULL)


def _measure(cluster: plan.Cluster, runs: int, console: Console) -> dict[str, list[Marks]]:
    kubernetes = Kubernetes.connect(local.kubectl(cluster).binary, cluster.kubeconfig, cluster.netns_path)
    bodies = {way: yaml.safe_load(file.read_text()) for way, (file, _) in _WAYS.items()}
    _remove(kubernetes, bodies[_EDGE]["metadata"]["namespace"])
    for body in bodies.values():
        body["metadata"]["namespace"] = _NAMESPACE
    configuration = kubernetes.get("/api/v1/namespaces/sensorthings-system/configmaps/sensorthings-operator")
    settings = OperatorSettings.model_validate(yaml.safe_load(configuration["data"]["settings.yaml"]))
    measured: dict[str, list[Marks]] = {_BARE: [], **{way: [] for way in _WAYS}}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)
        with prepared(bodies[_INSIDE], settings, Path(folder)) as bare:
            for run in range(runs):
                measured[_BARE].append(bare.measure())
                for way, body in bodies.items():
                    storage.recycle(cluster, local.kubectl(cluster))
                    measured[way].append(_operator_run(cluster, kubernetes, way, body))
                delivered = ", ".join(f"{way} {marks[run]['delivered']:.2f} s" for way, marks in measured.items())
                console.print(f"run {run + 1} of {runs}: {delivered}")
    return measured


def _operator_run(cluster: plan.Cluster, kubernetes: Kubernetes, way: str, body: dict[str, Any]) -> Marks:
    kubernetes.create_namespace(_NAMESPACE)
    begun = time.monotonic()
    with _reach(cluster, kubernetes, way, body) as reach, Timeline(kubernetes, _NAMESPACE, begun) as timeline:
        client = FirstObservation(reach, begun)
        kubernetes.apply(body)
        client.mark("applied")
        marks = client.measure()
        eventually("Ready", lambda: "service sensorthingsservice Ready" in timeline.marks)
    _remove(kubernetes, _NAMESPACE)
    return {**timeline.marks, **marks}


@contextmanager
def _reach(cluster: plan.Cluster, kubernetes: Kubernetes, way: str, body: dict[str, Any]) -> Iterator[Reach]:
    name = body["metadata"]["name"]
    if way == _EDGE:
        edge = Edge(cluster, local.kubectl(cluster), ServiceName(_NAMESPACE, name), body["spec"]["host"])
        try:
            yield edge
        finally:
            edge.close()
        return

    def cluster_ip(part: str) -> str | None:
        found = kubernetes.get(f"/api/v1/namespaces/{_NAMESPACE}/services/{name}-{part}")
        return str(found["spec"]["clusterIP"]) if found else None

    yield Inside(kubernetes.netns, lambda: cluster_ip("http"), _HTTP_PORT, lambda: cluster_ip("mqtt"))


def _remove(kubernetes: Kubernetes, namespace: str) -> None:
    """Delete a namespace, and wait until nothing of it runs any more."""
    kubernetes.run("delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s")


def _report(measured: Mapping[str, Sequence[Marks]], console: Console) -> None:
    medians = {way: _medians(marks) for way, marks in measured.items()}
    table = Table("seconds since the beginning, medians", *medians)
    names = sorted({name for marks in medians.values() for name in marks}, key=lambda name: _earliest(name, medians))
    for name in names:
        table.add_row(name, *(f"{marks[name]:.2f}" if name in marks else "" for marks in medians.values()))
    console.print(table)
    console.print(*machine(), f"{len(measured[_BARE])} runs of each, in turns; quoted are medians", sep="\n")
    rows = [
        Row("over the edge", _phases(medians[_EDGE], _OPERATOR_PHASES)),
        Row("in the cluster", _phases(medians[_INSIDE], _OPERATOR_PHASES)),
        Row("bare processes", _phases(medians[_BARE], _FLOOR_PHASES)),
    ]
    _PICTURE.parent.mkdir(parents=True, exist_ok=True)
    _PICTURE.write_text(draw("From kubectl apply to the first Observation delivered over MQTT", rows))
    floor = medians[_BARE]["delivered"]
    for way, (_, name) in _WAYS.items():
        console.print(bench_line(name, medians[way]["delivered"], "s", goal=_GOAL, floor=floor))


def _earliest(name: str, medians: Mapping[str, Marks]) -> float:
    return min(marks[name] for marks in medians.values() if name in marks)


def _medians(runs: Sequence[Marks]) -> Marks:
    """The median of each mark that every run has."""
    return {name: median(marks[name] for marks in runs) for name in runs[0] if all(name in marks for marks in runs)}


def _phases(marks: Marks, phases: Sequence[tuple[str, str]]) -> list[tuple[str, float]]:
    """The phases whose ends are known, in the order of their ends."""
    return sorted(((name, marks[mark]) for name, mark in phases if mark in marks), key=lambda phase: phase[1])


if __name__ == "__main__":
    typer.run(main)
