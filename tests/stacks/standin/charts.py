"""The charts that the platform layer names by their repositories, as far as published Go modules hold them.

ingress-nginx's and cert-manager's are their projects' own, less what can't run here: cert-manager's webhook and CA
injector, whose images can't be built from the module. kube-prometheus-stack is in no module: a chart of its definitions
alone stands for it.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import yaml

from localcluster import modules, parts
from tests.apiserver import upstream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_ABSENT: Final = ("webhook-*", "cainjector-*", "startupapicheck-*", "networkpolicy-*")
_ELECTION: Final = "- --leader-election-namespace={{ .namespace }}"
WITHOUT_WEBHOOKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ingress-nginx": {"controller": {"admissionWebhooks": {"enabled": False}}},
    "cert-manager": {"startupapicheck": {"enabled": False}, "cainjector": {"enabled": False}},
}
"""Values of the charts by which nothing is left that waits for a webhook."""


def write(folder: Path) -> dict[str, Path]:
    """Folders of the charts, by the names that the programs give them.

    Raises:
        LocalClusterError: A module can't be had.
    """
    return {
        "ingress-nginx": _ingress_nginx(folder / "ingress-nginx"),
        "cert-manager": _cert_manager(folder / "cert-manager"),
        "kube-prometheus-stack": _definitions_of_monitoring(folder / "kube-prometheus-stack"),
    }


def _ingress_nginx(target: Path) -> Path:
    module = modules.fetch(modules.required_by(parts.INGRESS_NGINX, "k8s.io/ingress-nginx"))
    _copy(module / "charts" / "ingress-nginx", target)
    # A commit between two releases has no version by which the chart would know that it is new enough.
    helpers = target / "templates" / "_helpers.tpl"
    helpers.write_text(helpers.read_text().replace(">=0.27.0-0", ">=0.0.0-0"))
    return target


def _cert_manager(target: Path) -> Path:
    module = modules.fetch(modules.required_by(parts.CERT_MANAGER, "github.com/cert-manager/cert-manager"))
    _copy(module / "deploy" / "charts" / "cert-manager", target)
    for pattern in _ABSENT:
        for template in (target / "templates").glob(pattern):
            template.unlink()
    # The controller that can be built from the module runs alone, and knows no options of an election.
    deployment = target / "templates" / "deployment.yaml"
    deployment.write_text(deployment.read_text().replace(_ELECTION, ""))
    return target


def _definitions_of_monitoring(target: Path) -> Path:
    module = modules.fetch(upstream.POD_MONITOR.module)
    _copy(module / "example" / "prometheus-operator-crd", target / "crds")
    chart = {"apiVersion": "v2", "name": "kube-prometheus-stack", "version": "0.0.0"}
    (target / "Chart.yaml").write_text(yaml.safe_dump(chart))
    return target


def _copy(source: Path, target: Path) -> None:
    """A copy that can be written to: Go's module cache can't."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
