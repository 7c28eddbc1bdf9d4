"""One operator behind a proxy, on a control plane of its own: what happens to it disturbs no other test."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from tests.apiserver.conftest import CRDS, client_of
from tests.apiserver.reconcile.cluster import Cluster
from tests.apiserver.reconcile.conftest import SETTINGS, account_kubeconfig, install_chart
from tests.apiserver.reconcile.faulty_api import FaultyApi
from tests.apiserver.reconcile.process import OperatorProcess
from tests.apiserver.reconcile.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubernetes.dynamic import DynamicClient

    from localcluster.controlplane import ControlPlane
    from tests.apiserver.conftest import Kubectl


@dataclass
class Stage:
    """The operator, and the ways to it."""

    client: DynamicClient
    kubectl: Kubectl
    operator: OperatorProcess
    proxy: FaultyApi

    @contextmanager
    def walk(self) -> Iterator[Walk]:
        """A namespace for one run."""
        name = f"stage-{uuid4().hex[:8]}"
        self.kubectl("create", "namespace", name)
        walk = Walk(Cluster(self.client, name), self.operator)
        yield walk
        walk.end()
        self.kubectl.run("delete", "namespace", name, "--wait=false")


@contextmanager
def staged(rough: ControlPlane, kubectl: Kubectl, folder: Path) -> Iterator[Stage]:
    """Bring it up; at its end the operator must stop as it should."""
    kubectl("apply", "--server-side", f"--filename={CRDS}")
    install_chart(kubectl)
    account = account_kubeconfig(kubectl, rough.kubeconfig, folder)
    with (
        FaultyApi(account, folder) as proxy,
        client_of(rough.kubeconfig) as client,
        OperatorProcess(folder, proxy.kubeconfig, SETTINGS) as operator,
    ):
        yield Stage(client, kubectl, operator, proxy)
        assert operator.stop() == 0
