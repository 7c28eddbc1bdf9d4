"""Custom resource definitions of other projects, out of their published Go modules: manifests are held against them.

Nothing of them is committed. Each module is fetched once; the definitions are kept in the cache folder.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from localcluster import modules, parts
from localcluster.modules import Module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.apiserver.conftest import Kubectl

_FLUX: Final = "github.com/fluxcd"
_KUSTOMIZE: Final = Module(f"{_FLUX}/kustomize-controller", "v1.9.6", "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=")
_SOURCE: Final = Module(f"{_FLUX}/source-controller", "v1.9.6", "h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc=")
_ARGO_CD: Final = Module("github.com/argoproj/argo-cd/v3", "v3.5.7", "h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0=")
_PROMETHEUS_OPERATOR: Final = Module(
    "github.com/prometheus-operator/prometheus-operator",
    "v0.85.0",
    "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
)


@dataclass(frozen=True)
class Definition:
    """A custom resource definition, by where it lies."""

    name: str
    module: Module
    file: str

    def manifest(self) -> dict[str, Any]:
        """As its project publishes it."""

        def read(folder: Path) -> list[dict[str, Any]]:
            return [yaml.safe_load((folder / self.file).read_text())]

        return modules.extract(f"definition-{self.name}", self.module, read)[0]


_FLUX_BASES: Final = "config/crd/bases"
FLUX: Final = (
    Definition("flux-kustomization", _KUSTOMIZE, f"{_FLUX_BASES}/kustomize.toolkit.fluxcd.io_kustomizations.yaml"),
    Definition("flux-gitrepository", _SOURCE, f"{_FLUX_BASES}/source.toolkit.fluxcd.io_gitrepositories.yaml"),
    Definition("flux-ocirepository", _SOURCE, f"{_FLUX_BASES}/source.toolkit.fluxcd.io_ocirepositories.yaml"),
)
ARGO_CD: Final = Definition("argocd-application", _ARGO_CD, "manifests/crds/application-crd.yaml")
POD_MONITOR: Final = Definition(
    "podmonitor",
    _PROMETHEUS_OPERATOR,
    "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
)

CERTIFICATE: Final = Definition(
    "certificate",
    modules.required_by(parts.CERT_MANAGER, "github.com/cert-manager/cert-manager"),
    "deploy/crds/cert-manager.io_certificates.yaml",
)
_GATEWAY_API: Final = modules.required_by(parts.ENVOY_GATEWAY, "sigs.k8s.io/gateway-api")
GATEWAY_API: Final = tuple(
    Definition(f"gateway-{plural}", _GATEWAY_API, f"config/crd/standard/gateway.networking.k8s.io_{plural}.yaml")
    for plural in ("gateways", "listenersets", "httproutes", "tlsroutes", "referencegrants")
)
_ENVOY_GATEWAY: Final = modules.required_by(parts.ENVOY_GATEWAY, "github.com/envoyproxy/gateway")
ENVOY_GATEWAY: Final = tuple(
    Definition(
        f"envoy-gateway-{plural}",
        _ENVOY_GATEWAY,
        f"charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_{plural}.yaml",
    )
    for plural in ("clienttrafficpolicies", "backendtrafficpolicies")
)


@contextmanager
def installed(kubectl: Kubectl, *definitions: Definition) -> Iterator[None]:
    """The API server serves these kinds within the block, and not after it: other tests count on their absence."""
    for definition in definitions:
        kubectl("apply", "--server-side", "--filename=-", manifest=definition.manifest())
    names = [definition.manifest()["metadata"]["name"] for definition in definitions]
    try:
        waited = kubectl.run("wait", "--for=condition=Established", "--timeout=30s", "crd", *names)
        assert waited.returncode == 0, waited.stderr
        yield
    finally:
        gone = kubectl.run("delete", "crd", *names, "--timeout=60s")
        assert gone.returncode == 0, gone.stderr
