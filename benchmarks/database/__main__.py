"""How long a managed pair of databases takes no writes when its primary is lost, what its standby costs, and how long a
restore to a point in time takes.

Run as ``python -m benchmarks.database``; ends with BENCH lines, and with 0 also where a goal is missed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from benchmarks.database import restore
from benchmarks.database.faults import FAULTS, SWITCHOVER_SECONDS, Outage, outage
from benchmarks.database.throughput import per_second
from benchmarks.report import bench_line, machine
from localcluster import cluster as local
from localcluster import plan
from localcluster.display import Display
from localcluster.installation import Installation
from tests.e2e import pairs
from tests.e2e.kubernetes import Kubernetes
from tests.e2e.services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMESPACE: Final = "bench-database"
_COST_GOAL: Final = 1 / 0.8
"""Of what one Observation costs: eight tenths of the rate of a single database."""

Say = Callable[[str], None]


class Part(StrEnum):
    """What can be measured by itself."""

    COST = "cost"
    OUTAGES = "outages"
    RESTORE = "restore"


@contextmanager
def _started(kubernetes: Kubernetes, instances: int) -> Iterator[Service]:
    """A service on a database of so many instances, Ready; deleted at the end with its namespace."""
    namespace = f"{_NAMESPACE}-{instances}"
    kubernetes.create_namespace(namespace)
    service = Service(kubernetes, namespace)
    try:
        # What is measured are the clients' own Observations.
        service.apply(database=pairs.of_instances(instances), monitoring={"verifyDelivery": False})
        service.await_ready(pairs.PATIENCE)
        yield service
    finally:
        kubernetes.run("delete", "namespace", namespace, "--timeout=180s")


def _outages(service: Service, runs: int, say: Say) -> Iterator[str]:
    lost = 0
    for name, fault in FAULTS.items():
        seen = [_said(f"{name}, run {run + 1} of {runs}", outage(service, fault.cause), say) for run in range(runs)]
        lost += sum(each.lost for each in seen)
        worst = max(each.answered for each in seen)
        yield bench_line(f"database-{name}", worst, "s", goal=fault.seconds)
    seen = [_said(f"switchover, run {run + 1} of {runs}", outage(service, pairs.switched), say) for run in range(runs)]
    lost += sum(each.lost for each in seen)
    yield bench_line("database-switchover", max(each.pause for each in seen), "s", goal=SWITCHOVER_SECONDS)
    yield bench_line("database-switchover-failed", sum(each.given_up for each in seen), "requests", goal=0, digits=0)
    yield bench_line("database-observations-lost", lost, "Observations", goal=0, digits=0)


def _said(what: str, seen: Outage, say: Say) -> Outage:
    say(f"{what}: {seen}")
    return seen


def _cost(single: Service, pair: Service, runs: int, seconds: float, say: Say) -> str:
    """Milliseconds that an Observation costs, in turns."""
    pairs.await_pair(pair)
    rates: dict[str, list[float]] = {"single": [], "pair": []}
    for run in range(runs):
        for name, service in (("single", single), ("pair", pair)):
            rates[name].append(per_second(service, seconds))
        say(f"run {run + 1} of {runs}: " + ", ".join(f"{name} {each[-1]:.0f}/s" for name, each in rates.items()))
    cost = {name: 1000 / median(each) for name, each in rates.items()}
    return bench_line("database-observation", cost["pair"], "ms", floor=cost["single"], goal=_COST_GOAL)


def _of_a_cluster(name: str, parts: list[Part], runs: int, seconds: float, say: Say) -> Iterator[str]:
    """What is measured in a cluster, which is brought up where it is not there."""
    with Display(Console(stderr=True)) as display:
        local.up(name, display, Installation(example=None, add_ons=()))
    cluster = plan.find(name)
    kubernetes = Kubernetes.connect(local.kubectl(cluster).binary, cluster.kubeconfig, cluster.netns_path)
    with _started(kubernetes, 2) as pair:
        if Part.COST in parts:
            with _started(kubernetes, 1) as single:
                yield _cost(single, pair, runs, seconds, say)
        if Part.OUTAGES in parts:
            yield from _outages(pair, runs, say)


def main(  # noqa: PLR0913 - one parameter is one option of the command line
    *,
    part: Annotated[list[Part] | None, typer.Option(help="All of them where none is named.")] = None,
    runs: Annotated[int, typer.Option(min=1, max=20, help="Runs of each.")] = 3,
    seconds: Annotated[float, typer.Option(min=5, help="Of each loop of throughput.")] = 30,
    gibibytes: Annotated[float, typer.Option(min=0.01, help="Of the database that is restored.")] = 1,
    name: Annotated[str, typer.Option(help="The cluster; brought up if it is not there.")] = "bench",
    keep: Annotated[bool, typer.Option(help="Leave the cluster up.")] = False,
) -> None:
    """Measure a managed pair: its outages, its switchover, what its standby costs; and a restore."""
    console = Console(highlight=False, soft_wrap=True)
    parts = part or list(Part)
    lines: list[str] = []
    if parts != [Part.RESTORE]:
        try:
            lines += _of_a_cluster(name, parts, runs, seconds, console.print)
        finally:
            if not keep:
                subprocess.run([Path(sys.executable).with_name("sensorthings"), "down", "--name", name], check=True)
    if Part.RESTORE in parts:
        lines.append(restore.measured(runs, gibibytes, console.print))
    told = f"{runs} runs of each; of outages the longest, of all else the median"
    console.print(*machine(), told, *lines, sep="\n")


if __name__ == "__main__":
    typer.run(main)
