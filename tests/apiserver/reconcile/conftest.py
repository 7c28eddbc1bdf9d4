"""One operator for all tests, as its chart installs it but for the pod; a namespace with a service for each test."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pytest
import yaml

from localcluster.parts import ensure
from tests.apiserver.conftest import ROOT, Kubectl, running_control_plane
from tests.apiserver.reconcile.backed_up import BACKED_UP, ends, with_backups
from tests.apiserver.reconcile.cluster import Cluster
from tests.apiserver.reconcile.process import OperatorProcess
from tests.apiserver.reconcile.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubernetes.dynamic import DynamicClient

    from localcluster.controlplane import ControlPlane
    from tests.unit.api.examples import Manifest

RELEASE: Final = "sensorthings-operator"
SYSTEM: Final = "sensorthings-system"
SETTINGS: Final = {"database_probe_seconds": 0.2}
CHART: Final = ROOT / "charts" / "sensorthings-operator"


def render_chart(**settings: Any) -> list[Manifest]:
    """What Helm makes of the chart."""
    rendered = subprocess.run(
        [
            str(ensure("helm") / "helm"),
            "template",
            RELEASE,
            str(CHART),
            f"--namespace={SYSTEM}",
            "--kube-version=1.36.0",
            "--values=-",
        ],
        input=yaml.safe_dump({"settings": settings}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [manifest for manifest in yaml.safe_load_all(rendered.stdout) if manifest]


def install_chart(kubectl: Kubectl, **settings: Any) -> None:
    """Everything of the chart but the Deployment: tests run the operator themselves."""
    kubectl.run("create", "namespace", SYSTEM)
    manifests = [manifest for manifest in render_chart(**settings) if manifest["kind"] != "Deployment"]
    kubectl("apply", "--server-side", "--filename=-", manifest={"apiVersion": "v1", "kind": "List", "items": manifests})


def account_kubeconfig(kubectl: Kubectl, admin: Path, folder: Path, account: str = RELEASE) -> Path:
    """A kubeconfig with a token of a ServiceAccount of the chart's, and nothing of the administrator's."""
    token = kubectl.run("create", "token", account, f"--namespace={SYSTEM}", "--duration=2h").stdout.strip()
    assert token
    config = yaml.safe_load(admin.read_text())
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path = folder / f"{account}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane of the module's own, which may be treated roughly."""
    with running_control_plane(tmp_path_factory.mktemp("control-plane-rough")) as running:
        yield running


@pytest.fixture(scope="module")
def rough_kubectl(rough: ControlPlane) -> Kubectl:
    """Its kubectl."""
    return Kubectl(rough.config.kubernetes / "kubectl", rough.kubeconfig)


@pytest.fixture(scope="package")
def operator(
    crds: str, kubectl: Kubectl, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """The operator, with the rights of the chart's ServiceAccount and no more; gone before tests of other folders."""
    folder = tmp_path_factory.mktemp("operator")
    install_chart(kubectl)
    with OperatorProcess(folder, account_kubeconfig(kubectl, kubeconfig, folder), SETTINGS) as running:
        yield running
        assert running.stop() == 0, running.log()


@contextmanager
def _walk(client: DynamicClient, kubectl: Kubectl, operator: OperatorProcess) -> Iterator[Walk]:
    name = f"test-{uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    walk = Walk(Cluster(client, name), operator)
    yield walk
    walk.end()
    kubectl.run("delete", "namespace", name, "--wait=false")


@pytest.fixture
def walk(kubernetes_client: DynamicClient, kubectl: Kubectl, operator: OperatorProcess) -> Iterator[Walk]:
    """A namespace of the test's own, in which nothing is left that the operator would look at afterwards."""
    with _walk(kubernetes_client, kubectl, operator) as walk:
        yield walk


@pytest.fixture(scope="module")
def module_walk(kubernetes_client: DynamicClient, kubectl: Kubectl, operator: OperatorProcess) -> Iterator[Walk]:
    """The same for a whole module whose tests leave its service as they found it."""
    with _walk(kubernetes_client, kubectl, operator) as walk:
        yield walk


@pytest.fixture
def backed_up(walk: Walk) -> Walk:
    """A service whose first backup was made."""
    walk.managed(with_backups())
    walk.becomes_ready()
    ends(walk, "backup", BACKED_UP)
    walk.becomes("BackedUp", "True", "BackedUp")
    return walk
