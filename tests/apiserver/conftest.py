"""A control plane for the whole run, and a fresh namespace with clients for each test."""

from __future__ import annotations

import fcntl
import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pytest
from kubernetes import config
from kubernetes.client import CustomObjectsApi
from kubernetes.dynamic import DynamicClient

from localcluster.controlplane import ControlPlane, ControlPlaneConfig
from localcluster.parts import ensure
from sensorthings_operator.api import crd
from sensorthings_operator.api.base import GROUP, VERSION
from tests.apiserver.reconcile.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.unit.api.examples import Manifest

ROOT: Final = Path(__file__).parents[2]
CRDS: Final = ROOT / "crds"
_PLURALS: Final = {resource.kind: resource.plural for resource in crd.RESOURCES}
OWNER: Final = "owner.lock"
"""In the folder of a control plane: locked as long as the run that started it lives."""


@dataclass(frozen=True)
class Kubectl:
    """The kubectl of the cluster's own version."""

    binary: Path
    kubeconfig: Path

    def run(self, *arguments: str, manifest: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        """Exit code and output as a person sees them; a manifest goes to standard input."""
        stdin = None if manifest is None else json.dumps(manifest)
        command = [str(self.binary), f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(command, input=stdin, text=True, capture_output=True, check=False, timeout=60)

    def __call__(self, *arguments: str, manifest: Mapping[str, Any] | None = None) -> Any:
        """The parsed result of a command that takes ``--output=json``; fails the test where kubectl fails."""
        result = self.run(*arguments, "--output=json", manifest=manifest)
        assert result.returncode == 0, f"kubectl {' '.join(arguments)}: {result.stderr}"
        return json.loads(result.stdout)


def end_abandoned(folder: Path) -> None:
    """End the control planes of runs that were killed: nobody holds the lock on theirs."""
    for lock in folder.glob(f"*/control-plane*/{OWNER}"):
        with lock.open() as owner:
            try:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            ControlPlane(ControlPlaneConfig(folder=lock.parent, kubernetes=Path(), etcd=Path())).stop()


@contextmanager
def running_control_plane(folder: Path) -> Iterator[ControlPlane]:
    """etcd, kube-apiserver and kube-controller-manager on loopback; the next run ends them where this one is killed."""
    settings = ControlPlaneConfig.on_loopback(
        folder, kubernetes=ensure("kubernetes"), etcd=ensure("etcd"), audited=True
    )
    with (folder / OWNER).open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        with ControlPlane(settings) as running:
            yield running


@contextmanager
def client_of(kubeconfig: Path) -> Iterator[DynamicClient]:
    """The dynamic client of the Kubernetes project."""
    with config.new_client_from_config(str(kubeconfig)) as client:  # type: ignore[no-untyped-call]
        yield DynamicClient(client)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Most tests share it; ended with the run."""
    end_abandoned(tmp_path_factory.getbasetemp().parent)
    with running_control_plane(tmp_path_factory.mktemp("control-plane")) as running:
        yield running


@pytest.fixture(scope="session")
def kubeconfig(control_plane: ControlPlane) -> Path:
    """Of the cluster's administrator."""
    return control_plane.kubeconfig


@pytest.fixture(scope="session")
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """kubectl as the cluster's administrator."""
    return Kubectl(control_plane.config.kubernetes / "kubectl", control_plane.kubeconfig)


@pytest.fixture(scope="session")
def kubernetes_client(kubeconfig: Path) -> Iterator[DynamicClient]:
    """As the cluster's administrator."""
    with client_of(kubeconfig) as client:
        yield client


@pytest.fixture
def created(kubernetes_client: DynamicClient) -> Callable[[Manifest], Any]:
    """Creates a manifest as a dry run with strict field validation, and gives what the API server would store."""
    api = CustomObjectsApi(kubernetes_client.client)

    def create(manifest: Manifest) -> Any:
        return api.create_namespaced_custom_object(
            group=GROUP,
            version=VERSION,
            namespace="default",
            plural=_PLURALS[manifest["kind"]],
            body=manifest,
            dry_run="All",
            field_validation="Strict",
        )

    return create


@pytest.fixture(scope="session")
def crds(kubectl: Kubectl) -> str:
    """The project's CRDs, installed and established; what kubectl wrote to standard error meanwhile."""
    applied = kubectl.run("apply", "--server-side", f"--filename={CRDS}")
    assert applied.returncode == 0, applied.stderr
    waited = kubectl.run("wait", "--for=condition=Established", "--timeout=30s", f"--filename={CRDS}")
    assert waited.returncode == 0, waited.stderr
    return applied.stderr


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A namespace of the test's own; its deletion is asked for and not awaited."""
    name = f"test-{uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl.run("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def cluster(kubernetes_client: DynamicClient, kubectl: Kubectl) -> Iterator[Cluster]:
    """A namespace for all tests: each has an object of a name of its own."""
    name = f"test-{uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield Cluster(kubernetes_client, name)
    kubectl.run("delete", "namespace", name, "--wait=false")


@pytest.fixture
def name() -> str:
    """Of one object, in a namespace that tests share."""
    return f"probe-{uuid4().hex[:8]}"
