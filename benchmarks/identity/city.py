"""A control plane with the chart on it, and a Keycloak with a realm: where operator and token service are measured."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.fleet.services import NAMESPACES
from benchmarks.identity.tally import counting
from localcluster import parts
from localcluster.controlplane import ControlPlane, ControlPlaneConfig
from tests.apiserver.conftest import CRDS, Kubectl
from tests.apiserver.reconcile.conftest import account_kubeconfig, install_chart
from tests.keycloak.conftest import OPERATOR
from tests.keycloak.server import Keycloak, distribution

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.identity.tally import Tally

REALM: Final = "hamburg"


@dataclass(frozen=True)
class City:
    """Where it is measured."""

    keycloak: Keycloak
    tally: Tally
    control_plane: ControlPlane
    kubectl: Kubectl
    folder: Path

    def account(self, name: str) -> Path:
        """The kubeconfig of a ServiceAccount of the chart."""
        return account_kubeconfig(self.kubectl, self.control_plane.kubeconfig, self.folder, name)

    def settings(self) -> dict[str, Any]:
        """The operator's, with the realm."""
        realm = {"url": self.tally.url, "realm": REALM, "folder": str(self.folder / "realm")}
        return {"log_level": "WARNING", "keycloak_realms": {"city": realm}}


def make_realm(keycloak: Keycloak, folder: Path) -> None:
    """A realm, and the files of an operator's client in it that may manage clients and no more."""
    admin = keycloak.admin()
    admin.make_realm(REALM)
    secret = admin.make_account(REALM, OPERATOR, {"realm-management": ["manage-clients"]})
    folder.mkdir()
    for name, text in (("client-id", OPERATOR), ("client-secret", secret)):
        (folder / name).write_text(text)


def service(namespace: str, name: str) -> dict[str, Any]:
    """A SensorThingsService that takes the realm's tokens, on a bus and a database run elsewhere."""
    return {
        "apiVersion": "sensorthings.city/v1alpha1",
        "kind": "SensorThingsService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "version": "2.0.0",
            "bus": {"type": "External", "external": {"host": "127.0.0.1"}},
            "database": {
                "type": "External",
                "external": {
                    "primary": {"host": "127.0.0.1"},
                    "credentialsSecretRef": {"name": "database"},
                    "tls": {"mode": "disable"},
                },
            },
            "exposure": {"type": "None"},
            "auth": {"type": "Keycloak", "keycloak": {"realm": "city"}},
        },
    }


@contextmanager
def running_keycloak(folder: Path) -> Iterator[Keycloak]:
    """Ready."""
    folder.mkdir()
    keycloak = Keycloak(distribution(), folder)
    try:
        keycloak.await_ready()
        yield keycloak
    finally:
        keycloak.stop()


@contextmanager
def running_city(folder: Path) -> Iterator[City]:
    """All of it, with namespaces and nothing in them."""
    config = ControlPlaneConfig.on_loopback(
        folder / "control-plane",
        kubernetes=parts.ensure(parts.KUBERNETES),
        etcd=parts.ensure(parts.ETCD),
    )
    with (
        running_keycloak(folder / "keycloak") as keycloak,
        counting(keycloak.port) as tally,
        ControlPlane(config) as control_plane,
    ):
        kubectl = Kubectl(config.kubernetes / "kubectl", control_plane.kubeconfig)
        kubectl("apply", "--server-side", f"--filename={CRDS}")
        kubectl("wait", "--for=condition=Established", "--timeout=30s", f"--filename={CRDS}")
        install_chart(kubectl)
        for namespace in NAMESPACES:
            kubectl("create", "namespace", namespace)
        make_realm(keycloak, folder / "realm")
        yield City(keycloak, tally, control_plane, kubectl, folder)
