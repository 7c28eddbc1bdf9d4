"""A managed database of two instances, as tests and benchmarks see it, and what befalls its primary."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from tests.e2e.services import managed_database, processes
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from tests.e2e.services import Service

PATIENCE: Final = 240.0
"""Seconds until all is as before: a former primary may have to copy its successor."""
_ROLE: Final = "sensorthings.city/role"
_SYNCHRONOUS: Final = "select count(*) from pg_stat_replication where state = 'streaming' and sync_state = 'sync'"


def of_instances(instances: int, **managed: Any) -> dict[str, Any]:
    """``spec.database`` of so many."""
    database = managed_database("Delete")
    return {**database, "managed": {**database["managed"], "instances": instances, **managed}}


def role(pod: dict[str, Any]) -> str:
    """What Patroni says of a pod; empty where it says nothing."""
    return str(pod["metadata"]["labels"].get(_ROLE, ""))


def primary(service: Service) -> dict[str, Any]:
    """The pod that is the primary; it has to be one alone."""
    (found,) = (pod for pod in service.ready_pods("database") if role(pod) == "primary")
    return found


def sql(service: Service, pod: dict[str, Any], statement: str) -> str:
    """Run SQL as the superuser in a pod; what it gives, without headings."""
    psql = ("psql", "--host=/tmp", "--username=postgres", "--dbname=sensorthings", "-XAt", "--command", statement)
    return service.kubectl("exec", pod["metadata"]["name"], "--", *psql).strip()


def await_pair(service: Service) -> None:
    """Wait until a standby has whatever is acknowledged, and all is Ready."""
    service.await_condition("InstancesAvailable", "True", seconds=PATIENCE)

    def synchronous() -> bool:
        primaries = [pod for pod in service.ready_pods("database") if role(pod) == "primary"]
        return len(primaries) == 1 and sql(service, primaries[0], _SYNCHRONOUS) == "1"

    eventually("a synchronous standby", synchronous, PATIENCE)
    service.await_ready(PATIENCE)


def killed(service: Service, primary: dict[str, Any]) -> None:
    """PostgreSQL alone, as for want of memory."""
    _signal(primary, b"postgres", signal.SIGKILL)


def deleted(service: Service, primary: dict[str, Any]) -> None:
    """The pod, without a moment to end."""
    name = primary["metadata"]["name"]
    service.kubectl("delete", f"pod/{name}", "--grace-period=0", "--force", "--wait=false")


def lost(service: Service, primary: dict[str, Any]) -> None:
    """Everything in the pod, and no node takes another one: as with its machine, until ``found``."""
    name = primary["metadata"]["name"]
    service.kubernetes.run("cordon", primary["spec"]["nodeName"])
    # Without the pod in the API the kubelet starts none of its containers again.
    service.kubectl("delete", f"pod/{name}", "--grace-period=0", "--force", "--wait=false")
    _signal(primary, b"", signal.SIGKILL)


def found(service: Service, primary: dict[str, Any]) -> None:
    """The machine is back, if it was away."""
    service.kubernetes.run("uncordon", primary["spec"]["nodeName"])


def frozen(service: Service, primary: dict[str, Any]) -> None:
    """Everything in the pod stands still and keeps its connections, as on a machine that hangs."""
    _signal(primary, b"", signal.SIGSTOP)


def all_killed(service: Service, primary: dict[str, Any]) -> None:
    """Everything in all pods."""
    for pod in service.pods("database"):
        _signal(pod, b"", signal.SIGKILL)


def drained(service: Service, primary: dict[str, Any]) -> None:
    """The primary is asked to end, in time."""
    service.kubernetes.evict(primary)


def switched(service: Service, primary: dict[str, Any]) -> None:
    """A person has the standby take over."""
    (standby,) = (pod for pod in service.ready_pods("database") if role(pod) == "replica")
    leader, candidate = primary["metadata"]["name"], standby["metadata"]["name"]
    command = ("patronictl", "switchover", f"{service.name}-db", f"--leader={leader}", f"--candidate={candidate}")
    service.kubectl("exec", leader, "--", *command, "--force")


def _signal(pod: dict[str, Any], command: bytes, number: signal.Signals) -> None:
    """To the processes of a pod whose command line begins with ``command``, but the one that holds its network."""
    for process in processes(pod, command):
        with suppress(FileNotFoundError, ProcessLookupError):  # it went with another
            if not (process / "cmdline").read_bytes().startswith(b"/pause"):
                os.kill(int(process.name), number)
