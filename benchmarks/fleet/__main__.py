"""A fleet of services on one operator: what it costs to make, to change, to mend, to keep and to start again.

Run as ``python -m benchmarks.fleet``. The API server, the controllers and PostgreSQL are real, the nodes and their pods
are simulated by kwok. Ends with BENCH lines, and with 0 also where a goal is missed.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
import uvloop
from rich.console import Console

from benchmarks.fleet import create, life, services
from benchmarks.fleet.client import BareClient
from benchmarks.fleet.cluster import FleetCluster, fleet_cluster
from benchmarks.fleet.database import running_database
from benchmarks.fleet.eyes import open_eyes
from benchmarks.fleet.helm import Installing
from benchmarks.fleet.measuring import Turns, spread
from benchmarks.fleet.single import Single
from benchmarks.report import bench_line, machine
from sensorthings_operator.clients.resources import SERVICES
from sensorthings_operator.desired.settings import OperatorSettings
from tests.apiserver.reconcile.process import REAL, OperatorProcess

if TYPE_CHECKING:
    from benchmarks.fleet.services import Credentials

_KIB_PER_MIB: Final = 1024.0


@dataclass(frozen=True)
class _Sizes:
    services: int
    turns: int
    rest: float
    helm: int


class _Fleet:
    """One run of everything."""

    def __init__(self, console: Console, sizes: _Sizes, folder: Path, python: str) -> None:
        self._console = console
        self._sizes = sizes
        self._folder = folder
        self._python = python
        self._settings = OperatorSettings()
        self._fleet = list(services.names(sizes.services))
        self._lines: list[str] = []

    def run(self) -> list[str]:
        """The BENCH lines."""
        with running_database(self._folder / "database") as credentials:
            floor = self._floor(credentials)
            with fleet_cluster(self._folder / "operator") as cluster:
                # No process is behind the addresses of kwok's pods.
                settings: dict[str, Any] = {"log_level": "WARNING", "delivery_probe_seconds": 0}
                operator = OperatorProcess(
                    self._folder / "process", cluster.account, settings, module=REAL, python=self._python
                )
                with operator:
                    uvloop.run(self._with_operator(cluster, operator, credentials, floor))
        return self._lines

    def _floor(self, credentials: Credentials) -> create.Created:
        self._say(f"the children of {len(self._fleet)} services by a bare client")
        with fleet_cluster(self._folder / "floor") as cluster:
            return uvloop.run(self._bare(cluster, credentials))

    async def _bare(self, cluster: FleetCluster, credentials: Credentials) -> create.Created:
        async with BareClient(cluster.control_plane.kubeconfig) as client, open_eyes(client) as eyes:
            await create.prepare(client, self._fleet, credentials)
            return await create.by_bare_client(client, eyes, self._fleet, credentials, self._settings)

    async def _with_operator(
        self, cluster: FleetCluster, operator: OperatorProcess, credentials: Credentials, floor: create.Created
    ) -> None:
        empty = operator.rss_mebibytes()
        async with BareClient(cluster.control_plane.kubeconfig) as client, open_eyes(client) as eyes:
            await create.prepare(client, self._fleet, credentials)
            self._say(f"{len(self._fleet)} services by the operator")
            made = await create.by_operator(client, eyes, self._fleet, credentials, self._settings)
            self._tell("fleet-create", made.children, "s", floor=floor.children, goal=1.25, digits=1)
            self._say(f"all Ready after {made.ready:.1f} s")
            await life.until_quiet(cluster)
            full = operator.rss_mebibytes()
            self._tell("fleet-memory", full, "MiB", goal=150, digits=0)
            growth = (full - empty) / len(self._fleet) * _KIB_PER_MIB
            self._say(f"{empty:.0f} MiB without a service, {growth:.0f} KiB more for each")
            await self._one_among_many(Single(client, eyes, credentials, self._settings))
            await life.until_quiet(cluster)
            installing = Installing(cluster, client, eyes, credentials, self._settings, self._folder)
            await self._beside_helm(installing)
            await life.until_quiet(cluster)
            await self._life(cluster, operator, client)

    async def _one_among_many(self, single: Single) -> None:
        self._say("one service more, in turns with a bare client")
        made = await single.made(self._sizes.turns)
        self._tell_spread("fleet-one", made, goal=2.0)
        in_order = spread(made.bare_in_order)
        p99 = spread(made.operator).p99
        self._say(
            f"a bare client that waits for the schema's Job as well: p50 {1000 * in_order.p50:.0f} ms, "
            f"p99 {1000 * in_order.p99:.0f} ms; the operator's p99 is {p99 / in_order.p99:.2f} times that"
        )
        self._say("edits and repairs, in turns with a bare client")
        chosen = self._fleet[: self._sizes.turns]
        self._tell_spread("fleet-edit", await single.edited(chosen), goal=3.0)
        self._tell_spread("fleet-drift", await single.repaired(chosen), goal=3.0)

    async def _beside_helm(self, installing: Installing) -> None:
        for at_once, rounds in ((1, self._sizes.helm), (8, max(1, self._sizes.helm // 2))):
            self._say(f"helm install of the same children, {at_once} at once")
            turns = await installing.compared(rounds, at_once=at_once)
            ours, theirs = spread(turns.operator), spread(turns.bare)
            self._tell(f"fleet-helm-{at_once}", 1000 * ours.p50, "ms", floor=1000 * theirs.p50, goal=1.0, digits=0)

    async def _life(self, cluster: FleetCluster, operator: OperatorProcess, client: BareClient) -> None:
        count = len((await client.list(SERVICES))[0])
        self._say(f"at rest for {self._sizes.rest:.0f} s, with {count} services")
        rest = await life.at_rest(cluster, operator, self._sizes.rest)
        self._tell("fleet-rest-writes", rest.writes, "writes", goal=0, digits=0)
        self._tell("fleet-rest-cpu", 100 * rest.core, "% of a core", goal=1)
        self._say(f"{rest.leases} writes of the Lease in {rest.seconds:.0f} s")
        self._say("SIGTERM amid passes over edited services")
        stopped = await life.stopped(client, operator, self._fleet[:100])
        self._tell("fleet-stop", stopped, "s", goal=2)
        operator.start()
        await life.until_quiet(cluster)
        operator.stop()
        self._say("started again")
        again = await life.restarted(cluster, operator, count, self._python)
        self._tell("fleet-restart", again.looked_at_all, "s", floor=again.floor, goal=2)
        self._tell("fleet-restart-writes", again.writes, "writes", goal=0, digits=0)
        self._say(f"everything listed after {again.ready:.2f} s; {operator.rss_mebibytes():.0f} MiB")

    def _tell_spread(self, name: str, turns: Turns, *, goal: float) -> None:
        ours, bare = spread(turns.operator), spread(turns.bare)
        self._say(
            f"{name}: p50 {1000 * ours.p50:.0f} ms against {1000 * bare.p50:.0f} ms "
            f"({ours.p50 / bare.p50:.2f} times), {ours.count} turns"
        )
        self._tell(f"{name}-p99", 1000 * ours.p99, "ms", floor=1000 * bare.p99, goal=goal, digits=0)

    def _tell(  # noqa: PLR0913 - the fields of the line
        self, name: str, value: float, unit: str, *, goal: float, floor: float | None = None, digits: int = 2
    ) -> None:
        self._lines.append(bench_line(name, value, unit, goal=goal, floor=floor, digits=digits))
        self._say(self._lines[-1])

    def _say(self, text: str) -> None:
        self._console.print(text)


def main(
    *,
    count: Annotated[int, typer.Option("--services", min=10, help="Services of the fleet.")] = 1000,
    turns: Annotated[int, typer.Option(min=5, help="Services made, edited and disturbed one by one.")] = 100,
    rest: Annotated[float, typer.Option(min=5, help="Seconds at rest.")] = 600,
    helm: Annotated[int, typer.Option(min=4, help="Installations by Helm, one after the other.")] = 20,
    python: Annotated[str, typer.Option(help="Python with what the operator's image holds.")] = sys.executable,
) -> None:
    """Measure a fleet of services against a bare client that does the same."""
    console = Console(highlight=False, soft_wrap=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sensorthings-fleet-")))
        folder.chmod(0o755)
        lines = _Fleet(console, _Sizes(count, min(turns, count), rest, helm), folder, python).run()
    console.print(*machine(), sep="\n")
    console.print(*lines, sep="\n")


if __name__ == "__main__":
    typer.run(main)
