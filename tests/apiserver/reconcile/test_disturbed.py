"""What happens around the operator: no CRDs yet, an API server that goes away, few namespaces, a stop at any time.

On a control plane of its own, which may be treated roughly.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.apiserver.conftest import CRDS, Kubectl, client_of
from tests.apiserver.reconcile.cluster import Cluster
from tests.apiserver.reconcile.conftest import SETTINGS, SYSTEM, account_kubeconfig, install_chart
from tests.apiserver.reconcile.process import REAL, OperatorProcess
from tests.apiserver.reconcile.waiting import eventually
from tests.apiserver.reconcile.walk import Walk

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.controlplane import ControlPlane


def _operator(rough: ControlPlane, kubectl: Kubectl, folder: Path, **settings: Any) -> OperatorProcess:
    return OperatorProcess(folder, account_kubeconfig(kubectl, rough.kubeconfig, folder), {**SETTINGS, **settings})


def _logged(operator: OperatorProcess, words: str) -> None:
    assert any(words in record["message"] for record in operator.records()), operator.log()


def test_it_waits_for_its_crds_and_outlives_the_api_server(
    rough: ControlPlane, rough_kubectl: Kubectl, tmp_path: Path
) -> None:
    install_chart(rough_kubectl)
    operator = _operator(rough, rough_kubectl, tmp_path)
    operator.start(until_ready=False)
    try:
        eventually(lambda: _logged(operator, "is not served yet: install the CRDs"))
        assert operator.answers("/livez") == 200
        assert operator.answers("/readyz") == 503
        assert operator.stop() == 0, "stopped while it waits"

        operator.start(until_ready=False)
        rough_kubectl("apply", "--server-side", f"--filename={CRDS}")
        eventually(lambda: _ready(operator), seconds=30)
        rough_kubectl("create", "namespace", "city")
        with client_of(rough.kubeconfig) as client:
            walk = Walk(Cluster(client, "city"), operator)
            walk.external()
            walk.becomes_ready()
            walk.settle()

            rough.stop()
            eventually(lambda: _ended(operator), seconds=30)
            assert "could not be renewed in time" in operator.log()
            operator.start(until_ready=False)  # as the kubelet does
            eventually(lambda: _logged(operator, "can't be asked for"))
            rough.start()
            eventually(lambda: _ready(operator), seconds=30)
            walk.cluster.delete("Deployment", "air-mqtt")
            walk.appears("Deployment", "air-mqtt")
            walk.becomes_ready()
            assert operator.writes() > 0
            assert operator.answers("/livez") == 200
            walk.end()
        assert operator.stop() == 0
    finally:
        operator.kill()


def _ready(operator: OperatorProcess) -> None:
    assert operator.answers("/readyz") == 200, operator.log()


def test_it_serves_some_namespaces_with_rights_in_these_only(
    rough: ControlPlane, rough_kubectl: Kubectl, tmp_path: Path
) -> None:
    rough_kubectl("apply", "--server-side", f"--filename={CRDS}")
    for name in ("ours", "theirs"):
        rough_kubectl("create", "namespace", name)
    rough_kubectl.run("delete", "clusterrolebinding,clusterrole", "sensorthings-operator")
    install_chart(rough_kubectl, watchNamespaces=["ours"])
    with (
        _operator(rough, rough_kubectl, tmp_path, watch_namespaces=["ours"]) as operator,
        client_of(rough.kubeconfig) as client,
    ):
        theirs = Walk(Cluster(client, "theirs"), operator)
        theirs.external()
        ours = Walk(Cluster(client, "ours"), operator)
        ours.external()
        ours.becomes_ready()
        assert theirs.service()["status"] == {"observedGeneration": -1}, "nobody looked at it"
        ours.end()
        theirs.end()
        assert operator.stop() == 0


def test_the_real_entry_point_starts_and_stops(rough: ControlPlane, rough_kubectl: Kubectl, tmp_path: Path) -> None:
    """With nothing faked: an unreachable database shows as a condition."""
    rough_kubectl("apply", "--server-side", f"--filename={CRDS}")
    rough_kubectl("create", "namespace", "real")
    rough_kubectl.run("create", "namespace", SYSTEM)
    with (
        OperatorProcess(tmp_path, rough.kubeconfig, {}, module=REAL) as operator,
        client_of(rough.kubeconfig) as client,
    ):
        walk = Walk(Cluster(client, "real"), operator)
        primary = {"host": "127.0.0.1", "port": 1}
        walk.external({"database": {"external": {"primary": primary}}})
        assert "127.0.0.1:1 does not answer" in walk.becomes("DatabaseReachable", "False", "DatabaseUnreachable")
        walk.end()
        assert operator.stop() == 0


def test_one_acts_and_the_other_stands_by(rough: ControlPlane, rough_kubectl: Kubectl, tmp_path: Path) -> None:
    rough_kubectl("apply", "--server-side", f"--filename={CRDS}")
    rough_kubectl("create", "namespace", "once")
    install_chart(rough_kubectl)

    def made(identity: str) -> OperatorProcess:
        kubeconfig = account_kubeconfig(rough_kubectl, rough.kubeconfig, tmp_path)
        return OperatorProcess(tmp_path / identity, kubeconfig, SETTINGS, identity=identity)

    with made("first") as first, made("second").standing_by() as second, client_of(rough.kubeconfig) as client:
        walk = Walk(Cluster(client, "once"), first)
        eventually(lambda: _logged(second, "is held by first"))
        assert second.answers("/readyz") == 503
        walk.external()
        walk.becomes_ready()
        assert second.writes() == 0

        first.kill()
        begun = time.monotonic()
        eventually(lambda: _ready(second), seconds=60)
        assert time.monotonic() - begun > 10, "whoever was killed may still be acting"
        walk = Walk(Cluster(client, "once"), second)
        walk.settle()

        first.start(until_ready=False)
        eventually(lambda: _logged(first, "is held by second"))
        assert second.stop() == 0
        eventually(lambda: _ready(first), seconds=10)
        walk = Walk(Cluster(client, "once"), first)
        lease = client.resources.get(api_version="coordination.k8s.io/v1", kind="Lease")
        lease.patch(
            body={"spec": {"holderIdentity": "somebody"}},
            name="sensorthings-operator",
            namespace=SYSTEM,
            content_type="application/merge-patch+json",
        )
        eventually(lambda: _ended(first), seconds=10)
        assert "was taken by somebody" in first.log()
        first.start(until_ready=False)
        eventually(lambda: _ready(first), seconds=60)
        walk.end()
        assert first.stop() == 0


def _ended(operator: OperatorProcess) -> None:
    assert operator.exit_code() == 1
