"""The example of a city in git, and everything that is made for other projects' controllers, at a real API server."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from localcluster.parts import ensure
from sensorthings_operator.api.parse import parse_service
from sensorthings_operator.cli.validate import validated
from sensorthings_operator.desired import podmonitor
from sensorthings_operator.desired.validation import validate
from tests.apiserver import upstream
from tests.apiserver.conftest import ROOT
from tests.unit.operator.samples import SETTINGS, service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.apiserver.conftest import Kubectl

pytestmark = pytest.mark.usefixtures("crds")

GITOPS: Final = ROOT / "examples" / "gitops"
CITY: Final = GITOPS / "hamburg"


@pytest.fixture(scope="module")
def _others(kubectl: Kubectl) -> Iterator[None]:
    """Flux's, Argo CD's and the Prometheus Operator's kinds, and the namespaces that the manifests name."""
    for name in ("flux-system", "argocd"):
        kubectl("create", "namespace", name)
    with upstream.installed(kubectl, *upstream.FLUX, upstream.ARGO_CD, upstream.POD_MONITOR):
        yield
    kubectl.run("delete", "namespace", "flux-system", "argocd", "--wait=false")


@pytest.fixture
def _hamburg(kubectl: Kubectl) -> Iterator[None]:
    """The city's namespace, which a dry run does not make; gone before the next test."""
    kubectl("create", "namespace", "hamburg")
    yield
    kubectl.run("delete", "namespace", "hamburg", "--timeout=60s")


def _rendered(kubectl: Kubectl, folder: Path) -> list[dict[str, Any]]:
    result = kubectl.run("kustomize", str(folder))
    assert result.returncode == 0, result.stderr
    return list(yaml.safe_load_all(result.stdout))


def test_the_city_is_rendered_into_its_own_namespace(kubectl: Kubectl) -> None:
    namespace, made = _rendered(kubectl, CITY)
    assert (namespace["kind"], namespace["metadata"]["name"]) == ("Namespace", "hamburg")
    assert made["metadata"]["namespace"] == "hamburg"
    assert made["spec"]["host"] == "iot.hamburg.example"
    assert made["spec"]["http"]["autoscaling"] == {"minReplicas": 2, "maxReplicas": 10}


def test_the_operator_acts_on_the_city(kubectl: Kubectl) -> None:
    _, made = _rendered(kubectl, CITY)
    validated(made)
    assert validate(parse_service(made, unknown_fields="refuse").spec) == ()


@pytest.mark.usefixtures("_hamburg")
def test_the_city_is_taken_as_it_is_and_shows_no_difference_afterwards(kubectl: Kubectl) -> None:
    dry = kubectl.run("apply", "--server-side", "--dry-run=server", "--validate=strict", f"--kustomize={CITY}")
    assert dry.returncode == 0, dry.stderr
    applied = kubectl.run("apply", "--server-side", "--validate=strict", f"--kustomize={CITY}")
    assert applied.returncode == 0, applied.stderr
    difference = kubectl.run("diff", "--server-side", f"--kustomize={CITY}")
    assert difference.returncode == 0, difference.stdout


def test_the_dashboards_become_configmaps_for_grafana(kubectl: Kubectl, namespace: str) -> None:
    made = _rendered(kubectl, ROOT / "dashboards")
    assert len(made) == len(list((ROOT / "dashboards").glob("*.json")))
    assert all(configmap["metadata"]["labels"] == {"grafana_dashboard": "1"} for configmap in made)
    applied = kubectl.run(
        "apply", "--server-side", "--dry-run=server", f"--namespace={namespace}", f"--kustomize={ROOT / 'dashboards'}"
    )
    assert applied.returncode == 0, applied.stderr


def _take(kubectl: Kubectl, manifest: dict[str, Any], *options: str) -> None:
    """A dry run that refuses what the schema does not know."""
    kubectl("create", "--dry-run=server", "--validate=strict", "--filename=-", *options, manifest=manifest)


_FILES: Final = sorted([*(GITOPS / "flux").glob("*.yaml"), *(GITOPS / "argocd").glob("*.yaml")])


@pytest.mark.usefixtures("_others")
@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.name)
def test_manifests_are_such_as_argo_cd_and_flux_define_them(file: Path, kubectl: Kubectl) -> None:
    for manifest in yaml.safe_load_all(file.read_text()):
        _take(kubectl, manifest)


@pytest.mark.usefixtures("_others")
def test_a_mistyped_field_would_be_refused(kubectl: Kubectl) -> None:
    manifest = yaml.safe_load((GITOPS / "flux" / "hamburg.yaml").read_text())
    manifest["spec"]["healthCheckExpr"] = manifest["spec"].pop("healthCheckExprs")
    refused = kubectl.run("create", "--dry-run=server", "--validate=strict", "--filename=-", manifest=manifest)
    assert "healthCheckExpr" in refused.stderr


@pytest.mark.usefixtures("_others")
@pytest.mark.parametrize("version", ["2.0.0", "2.8.0"])
def test_podmonitors_are_such_as_the_prometheus_operator_defines_them(
    version: str, kubectl: Kubectl, namespace: str
) -> None:
    spec = {
        "version": version,
        "host": "air.hamburg.example",
        "certificate": {"issuerRef": {"name": "city-ca"}},
        "monitoring": {"podMonitor": True},
    }
    (made,) = podmonitor.build(service(spec), SETTINGS)
    _take(kubectl, {**made, "metadata": {**made["metadata"], "namespace": namespace}})


@pytest.mark.usefixtures("_others")
def test_the_chart_s_podmonitors_are_such_too_and_are_off_by_default(kubectl: Kubectl, namespace: str) -> None:
    labels = {"release": "kube-prometheus-stack"}
    made = _chart({"podMonitor": {"enabled": True, "labels": labels}})
    monitors = [manifest for manifest in made if manifest["kind"] == "PodMonitor"]
    pods = [manifest["spec"]["template"]["metadata"] for manifest in made if manifest["kind"] == "Deployment"]
    assert len(monitors) == len(pods) == 2
    for monitor, pod in zip(monitors, pods, strict=True):
        assert monitor["metadata"]["labels"].items() >= labels.items()
        assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["labels"].items()
        _take(kubectl, {**monitor, "metadata": {**monitor["metadata"], "namespace": namespace}})
    (settings,) = (manifest for manifest in made if manifest["kind"] == "ConfigMap")
    assert yaml.safe_load(settings["data"]["settings.yaml"])["podMonitorLabels"] == labels
    assert not [manifest for manifest in _chart({}) if manifest["kind"] == "PodMonitor"]


def _chart(values: dict[str, Any]) -> list[dict[str, Any]]:
    helm, chart = str(ensure("helm") / "helm"), str(ROOT / "charts" / "sensorthings-operator")
    rendered = subprocess.run(
        [helm, "template", "operator", chart, "--kube-version=1.36.0", "--values=-"],
        input=yaml.safe_dump(values),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [manifest for manifest in yaml.safe_load_all(rendered.stdout) if manifest]
