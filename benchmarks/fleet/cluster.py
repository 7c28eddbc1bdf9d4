"""A real control plane with simulated nodes, and the operator on it with the rights of its chart."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from benchmarks.fleet.measuring import cpu_seconds
from benchmarks.fleet.services import NAMESPACES
from localcluster import parts
from localcluster.controlplane import ControlPlane, ControlPlaneConfig
from localcluster.processes import ON_THE_HOST, Daemon
from tests.apiserver.conftest import CRDS, Kubectl
from tests.apiserver.reconcile.conftest import RELEASE, SYSTEM, account_kubeconfig, install_chart

if TYPE_CHECKING:
    from collections.abc import Iterator

_STAGES: Final = Path(__file__).with_name("kwok.yaml")
_NODES: Final = 10
_PODS_PER_NODE: Final = 1000
_LOOK: Final = 2.0
_AT_REST: Final = 0.5
"""Seconds of CPU in that time, of all its processes."""
_LONGEST_REST: Final = 60.0
_ACCOUNT: Final = f"system:serviceaccount:{SYSTEM}:{RELEASE}"
# Who acts at the same time in the controllers: their defaults (5 Deployments) are for clusters with fewer of them.
_CONTROLLERS: Final = tuple(f"--concurrent-{kind}-syncs=20" for kind in ("deployment", "replicaset", "job"))


@dataclass(frozen=True)
class Audited:
    """A call of the operator's account as the API server wrote it down."""

    verb: str
    resource: str
    namespace: str
    name: str
    at: str
    """When it was received: RFC 3339 with microseconds."""


@dataclass
class FleetCluster:
    """Where a fleet lives."""

    folder: Path
    control_plane: ControlPlane
    kubectl: Kubectl
    account: Path
    """Kubeconfig of the operator's ServiceAccount."""
    _read: int = field(default=0)

    def audited(self) -> list[Audited]:
        """The account's writes and its reads of Secrets since this was asked last."""
        with (self.folder / "audit.log").open("rb") as log:
            log.seek(self._read)
            text = log.read()
        whole = text.rpartition(b"\n")[0] + b"\n" if b"\n" in text else b""
        self._read += len(whole)
        return [_audited(json.loads(line)) for line in whole.splitlines()]


def _audited(event: dict[str, Any]) -> Audited:
    where = event["objectRef"]
    resource = "/".join(part for part in (where["resource"], where.get("subresource")) if part)
    return Audited(
        event["verb"],
        resource,
        where.get("namespace", ""),
        where.get("name", ""),
        event["requestReceivedTimestamp"],
    )


@contextmanager
def fleet_cluster(folder: Path) -> Iterator[FleetCluster]:
    """etcd, API server, controller manager, scheduler and kwok; CRDs, the chart without its Deployment, namespaces."""
    folder.mkdir(parents=True)
    policy = folder / "audit-policy.yaml"
    policy.write_text(yaml.safe_dump(_policy()))
    config = ControlPlaneConfig.on_loopback(
        folder / "control-plane",
        kubernetes=parts.ensure(parts.KUBERNETES),
        etcd=parts.ensure(parts.ETCD),
        scheduler=True,
        apiserver_args=(f"--audit-policy-file={policy}", f"--audit-log-path={folder / 'audit.log'}"),
        controller_manager_args=_CONTROLLERS,
    )
    with ExitStack() as stack:
        running = stack.enter_context(ControlPlane(config))
        stack.enter_context(_simulated_nodes(running, folder))
        kubectl = Kubectl(config.kubernetes / "kubectl", running.kubeconfig)
        kubectl("apply", "--server-side", f"--filename={CRDS}")
        install_chart(kubectl)
        for namespace in NAMESPACES:
            kubectl("create", "namespace", namespace)
        account = account_kubeconfig(kubectl, running.kubeconfig, folder)
        _await_rest(running)
        yield FleetCluster(folder, running, kubectl, account)


def _policy() -> dict[str, Any]:
    """What the account writes, and which Secrets it reads: each pass over a service reads the one of its database."""
    rule = {"level": "Metadata", "users": [_ACCOUNT], "omitStages": ["RequestReceived"]}
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "rules": [
            {**rule, "verbs": ["create", "update", "patch", "delete"]},
            {**rule, "verbs": ["get"], "resources": [{"group": "", "resources": ["secrets"]}]},
            {"level": "None"},
        ],
    }


def _await_rest(control_plane: ControlPlane) -> None:
    """An API server that was just started is busy with itself for some seconds."""
    pids = [daemon.pid for daemon in control_plane.daemons]
    deadline = time.monotonic() + _LONGEST_REST
    used = float("inf")
    while used > _AT_REST and time.monotonic() < deadline:
        before = [cpu_seconds(pid) for pid in pids if pid]
        time.sleep(_LOOK)
        used = sum(cpu_seconds(pid) for pid in pids if pid) - sum(before)


@contextmanager
def _simulated_nodes(control_plane: ControlPlane, folder: Path) -> Iterator[None]:
    size = {"cpu": "4000", "memory": "16Ti", "pods": str(_PODS_PER_NODE)}
    nodes = [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": f"simulated-{number}"},
            "status": {"allocatable": size, "capacity": size},
        }
        for number in range(_NODES)
    ]
    daemon = Daemon("kwok", folder / "run", folder / "log")
    daemon.start(
        [
            parts.ensure(parts.KWOK) / "kwok",
            f"--kubeconfig={control_plane.client('kwok', 'kwok', 'system:masters')}",
            f"--config={_STAGES}",
            "--manage-all-nodes=true",
            "--cidr=10.128.0.0/9",
            "--node-ip=192.0.2.1",
            "--node-lease-duration-seconds=40",
        ],
        ON_THE_HOST,
    )
    try:
        control_plane.kubectl(
            "apply",
            "--server-side",
            "--filename=-",
            stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes}),
        )
        control_plane.kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=30s")
        yield
    finally:
        daemon.stop()
