"""The operator's own life with a fleet: at rest, stopped amid its work, and started again."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.fleet.measuring import cpu_seconds
from sensorthings_operator.clients.connection import from_kubeconfig
from sensorthings_operator.clients.resources import PODS, SERVICES, WATCHED_CHILDREN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.fleet.client import BareClient
    from benchmarks.fleet.cluster import Audited, FleetCluster
    from tests.apiserver.reconcile.process import OperatorProcess

_ROOT: Final = Path(__file__).parents[2]
_PATIENCE: Final = 300.0
_PERIOD: Final = 0.05
_AMID: Final = 0.1
"""Seconds after an edit of many services, when passes are running."""


@dataclass(frozen=True)
class Rest:
    """What a settled fleet costs."""

    writes: int
    """But for the Lease."""
    leases: int
    core: float
    """Part of a core."""
    seconds: float


async def at_rest(cluster: FleetCluster, operator: OperatorProcess, seconds: float) -> Rest:
    """Look on for a while."""
    cluster.audited()
    begun, before = time.monotonic(), cpu_seconds(operator.pid)
    await asyncio.sleep(seconds)
    elapsed, used = time.monotonic() - begun, cpu_seconds(operator.pid) - before
    writes = _writes(cluster.audited())
    leases = [call for call in writes if call.resource == "leases"]
    return Rest(len(writes) - len(leases), len(leases), used / elapsed, elapsed)


async def until_quiet(cluster: FleetCluster, seconds: float = 5.0) -> None:
    """Wait until the operator has written nothing for some time.

    Raises:
        TimeoutError: It never stops.
    """
    async with asyncio.timeout(_PATIENCE):
        quiet = False
        while not quiet:
            cluster.audited()
            await asyncio.sleep(seconds)
            quiet = all(call.resource == "leases" for call in _writes(cluster.audited()))


def _writes(calls: Sequence[Audited]) -> list[Audited]:
    return [call for call in calls if call.verb != "get"]


async def stopped(client: BareClient, operator: OperatorProcess, fleet: Sequence[tuple[str, str]]) -> float:
    """Seconds from SIGTERM amid passes over edited services until the process is gone.

    Raises:
        RuntimeError: It ended otherwise than with 0.
    """
    edit = {"spec": {"mqtt": {"resources": {"requests": {"memory": "700Mi"}}}}}
    edits = asyncio.gather(*(client.patch(SERVICES, namespace, name, edit) for namespace, name in fleet))
    await asyncio.sleep(_AMID)
    begun = time.monotonic()
    code = await asyncio.to_thread(operator.stop)
    seconds = time.monotonic() - begun
    await edits
    if code != 0:
        raise RuntimeError(f"the operator ended with {code}:\n{operator.log()[-2000:]}")
    return seconds


@dataclass(frozen=True)
class Restart:
    """A start with a settled fleet."""

    ready: float
    """Seconds until everything was listed."""
    looked_at_all: float
    """Seconds until the last service had its first pass."""
    writes: int
    floor: float
    """Seconds of a bare process that lists each watched kind once."""


async def restarted(cluster: FleetCluster, operator: OperatorProcess, services: int, python: str) -> Restart:
    """Start the operator, which is not running, and see how long it takes until it has looked at everything."""
    floor = await asyncio.to_thread(_listed, cluster, python)
    cluster.audited()
    begun = time.time()
    await asyncio.to_thread(operator.start, until_ready=False)
    while operator.answers("/readyz") != 200:  # noqa: ASYNC110 - there is nothing to be woken by
        await asyncio.sleep(_PERIOD)
    ready = time.time() - begun
    calls: list[Audited] = []
    deadline = begun + _PATIENCE
    while len(_first_passes(calls)) < services:
        if time.time() > deadline:
            raise RuntimeError(f"{len(_first_passes(calls))} of {services} services were looked at")
        await asyncio.sleep(_PERIOD)
        calls += cluster.audited()
    last = max(_first_passes(calls).values())
    await asyncio.sleep(2)
    calls += cluster.audited()
    writes = [call for call in _writes(calls) if call.resource != "leases"]
    return Restart(ready, last - begun, len(writes), floor)


def _first_passes(calls: Sequence[Audited]) -> dict[tuple[str, str], float]:
    """When each service's Secret was read first: a pass does so once."""
    first: dict[tuple[str, str], float] = {}
    for call in calls:
        if call.verb == "get":
            first.setdefault((call.namespace, call.name), datetime.fromisoformat(call.at).timestamp())
    return first


def _listed(cluster: FleetCluster, python: str) -> float:
    connection = from_kubeconfig(cluster.account)
    paths = [resource.path(None) for resource in (*WATCHED_CHILDREN, PODS, SERVICES)]
    asked = {"server": connection.server, "ca": connection.ca, "token": connection.token(), "paths": paths}
    begun = time.monotonic()
    subprocess.run(
        [python, "-m", "benchmarks.fleet.listing"],
        input=json.dumps(asked),
        text=True,
        check=True,
        cwd=_ROOT,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - begun
