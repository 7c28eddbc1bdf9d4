"""The cert-manager that is put together here, against a real API server: it issues, tells its state, and stops."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
import yaml
from cryptography import x509

from localcluster import modules, parts
from localcluster.kubectl import Kubectl
from tests.e2e.images.conftest import call, free_port
from tests.e2e.images.containers import await_true

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.controlplane import ControlPlane
    from tests.e2e.images.containers import Runtime

GROUP = "cert-manager.io/v1"


@pytest.fixture
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """The administrator's, with cert-manager's custom resource definitions served."""
    kubectl = Kubectl(control_plane.config.kubernetes / "kubectl", control_plane.kubeconfig)
    module = modules.fetch(modules.required_by(parts.CERT_MANAGER, "github.com/cert-manager/cert-manager"))
    files = sorted((module / "deploy" / "crds").glob("*.yaml"))
    kubectl.apply(yaml.safe_load(file.read_text()) for file in files)
    kubectl.run("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    return kubectl


def test_it_issues_from_an_authority_of_its_own(
    runtime: Runtime, control_plane: ControlPlane, kubectl: Kubectl, tmp_path: Path
) -> None:
    health, metrics = free_port(), free_port()
    config = tmp_path / "kubeconfig"
    config.write_bytes(control_plane.client("cert-manager", "cert-manager", "system:masters").read_bytes())
    runtime.give("cert-manager", config)
    container = runtime.run(
        "cert-manager",
        command=[
            "/controller",
            "--kubeconfig=/mnt/kubeconfig",
            "--cluster-resource-namespace=default",
            f"--internal-healthz-listen-address=127.0.0.1:{health}",
            f"--metrics-listen-address=127.0.0.1:{metrics}",
        ],
        mounts={"/mnt/kubeconfig": config},
    )
    await_true(lambda: call(f"http://127.0.0.1:{health}/livez").code == 200, "it is alive")
    kubectl.apply(
        [
            {
                "apiVersion": GROUP,
                "kind": "ClusterIssuer",
                "metadata": {"name": "selfsigned"},
                "spec": {"selfSigned": {}},
            },
            _certificate("authority", "selfsigned", isCA=True, commonName="authority"),
            {
                "apiVersion": GROUP,
                "kind": "ClusterIssuer",
                "metadata": {"name": "city-ca"},
                "spec": {"ca": {"secretName": "authority"}},
            },
            _certificate("iot", "city-ca", dnsNames=["iot.city.example"]),
        ]
    )
    kubectl.run("wait", "--for=condition=Ready", "certificate/authority", "certificate/iot", "--timeout=60s")
    data = kubectl.get("secret/iot")["data"]
    issued, authority = (x509.load_pem_x509_certificate(base64.b64decode(data[name])) for name in ("tls.crt", "ca.crt"))
    issued.verify_directly_issued_by(authority)
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["iot.city.example"]
    figures = call(f"http://127.0.0.1:{metrics}/metrics").body
    assert 'certmanager_certificate_ready_status{condition="True"' in figures
    code, seconds = container.stop()
    assert code == 0, container.log
    assert seconds < 10


def _certificate(name: str, issuer: str, **spec: object) -> dict[str, object]:
    reference = {"kind": "ClusterIssuer", "name": issuer}
    return {
        "apiVersion": GROUP,
        "kind": "Certificate",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"secretName": name, "issuerRef": reference, **spec},
    }
