"""Both charts at a real API server: installed, upgraded, rolled back, uninstalled; and ``install.yaml``.

No node: Deployments are taken and their pods never run. The control plane is the module's own, since the others' tests
need the definitions that are upgraded here.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from localcluster.install import NAMESPACE, RELEASE
from localcluster.parts import HELM, ensure
from sensorthings_operator.api import crd
from tests.apiserver.conftest import CRDS, ROOT, Kubectl, running_control_plane
from tests.unit.api.examples import SMALL_SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DEFINITIONS: Final = ROOT / "charts" / "sensorthings-crds"
_OPERATOR: Final = ROOT / "charts" / "sensorthings-operator"
_CRD_RELEASE: Final = "sensorthings-crds"
_NAMES: Final = sorted(f"customresourcedefinition.apiextensions.k8s.io/{resource.name}" for resource in crd.RESOURCES)


class _Cluster:
    """A cluster in which nothing was installed yet, as an administrator has it."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl

    def helm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        place = [f"--kubeconfig={self.kubectl.kubeconfig}", f"--namespace={NAMESPACE}"]
        command = [str(ensure(HELM) / "helm"), *arguments, *place]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    def done(self, *arguments: str) -> str:
        ended = self.helm(*arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def definitions(self) -> list[str]:
        return sorted(self.kubectl.run("get", "crd", "--output=name").stdout.split())

    def established(self) -> None:
        waited = self.kubectl.run("wait", "--for=condition=Established", "--timeout=30s", *_NAMES)
        assert waited.returncode == 0, waited.stderr

    def operator(self) -> dict[tuple[str, str], Any]:
        """What the operator's release consists of, less what the API server counts."""
        found: dict[tuple[str, str], Any] = {}
        for kind in ("deployment", "configmap", "role", "serviceaccount", "clusterrole"):
            labels = f"--selector=app.kubernetes.io/instance={RELEASE}"
            for each in self.kubectl("get", kind, labels, f"--namespace={NAMESPACE}")["items"]:
                content = {key: each.get(key) for key in ("spec", "data", "rules")}
                found[kind, each["metadata"]["name"]] = (each["metadata"]["labels"], content)
        return found


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Cluster]:
    """A cluster of the test's own."""
    with running_control_plane(tmp_path_factory.mktemp("control-plane-charts")) as running:
        yield _Cluster(Kubectl(running.config.kubernetes / "kubectl", running.kubeconfig))


def _next_version(chart: Path, folder: Path) -> Path:
    """A copy of a chart as its next release would be."""
    copy = folder / chart.name
    shutil.copytree(chart, copy)
    own = copy / "Chart.yaml"
    own.write_text(own.read_text().replace("ersion: 0.1.0", "ersion: 0.2.0"))
    return copy


def _with_another_column(chart: Path) -> None:
    file = chart / "templates" / f"{crd.SERVICE.name}.yaml"
    definition = yaml.safe_load(file.read_text())
    columns = definition["spec"]["versions"][0]["additionalPrinterColumns"]
    columns.append({"name": "Host", "type": "string", "jsonPath": ".spec.host"})
    file.write_text(yaml.safe_dump(definition))


def test_installed_upgraded_rolled_back_and_uninstalled(empty: _Cluster, tmp_path: Path) -> None:
    empty.done("install", _CRD_RELEASE, str(_DEFINITIONS), "--create-namespace")
    empty.established()
    empty.done("install", RELEASE, str(_OPERATOR))
    first = empty.operator()
    assert ("deployment", RELEASE) in first
    empty.kubectl("create", "--namespace=default", "--filename=-", manifest=SMALL_SERVICE)

    definitions, operator = (_next_version(chart, tmp_path) for chart in (_DEFINITIONS, _OPERATOR))
    _with_another_column(definitions)
    empty.done("upgrade", _CRD_RELEASE, str(definitions))
    empty.done("upgrade", RELEASE, str(operator), "--set=settings.resyncSeconds=60")
    assert "HOST" in empty.kubectl.run("get", "sta", "--namespace=default").stdout
    second = empty.operator()
    assert second.keys() == first.keys()
    labels, content = second["deployment", RELEASE]
    assert labels["app.kubernetes.io/version"] == "0.2.0"
    assert content["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":0.2.0")
    assert "resyncSeconds: 60" in second["configmap", RELEASE][1]["data"]["settings.yaml"]

    empty.done("rollback", RELEASE, "1")
    empty.done("rollback", _CRD_RELEASE, "1")
    assert empty.operator() == first
    assert "HOST" not in empty.kubectl.run("get", "sta", "--namespace=default").stdout

    uid = empty.kubectl("get", "sta/air", "--namespace=default")["metadata"]["uid"]
    empty.done("uninstall", RELEASE)
    kept = empty.helm("uninstall", _CRD_RELEASE)
    assert kept.returncode == 0
    assert "kept due to the resource policy" in kept.stdout + kept.stderr
    assert empty.operator() == {}
    assert empty.definitions() == _NAMES
    empty.done("install", _CRD_RELEASE, str(_DEFINITIONS))
    assert empty.kubectl("get", "sta/air", "--namespace=default")["metadata"]["uid"] == uid


def test_what_kubectl_installed_is_taken_over_by_the_charts(empty: _Cluster) -> None:
    file = f"--filename={ROOT / 'install.yaml'}"
    applied = empty.kubectl.run("apply", "--server-side", file)
    assert (applied.returncode, applied.stderr) == (0, "")
    empty.established()
    same = empty.kubectl.run("diff", "--server-side", file)
    assert same.returncode == 0, same.stdout
    plain = {key: content for key, (_, content) in empty.operator().items() if key[0] != "deployment"}
    empty.kubectl("create", "--namespace=default", "--filename=-", manifest=SMALL_SERVICE)

    refused = empty.helm("install", _CRD_RELEASE, str(_DEFINITIONS))
    assert "cannot be imported into the current release" in refused.stderr
    empty.done("install", _CRD_RELEASE, str(_DEFINITIONS), "--take-ownership")
    empty.done("install", RELEASE, str(_OPERATOR), "--take-ownership")
    assert {key: content for key, (_, content) in empty.operator().items() if key[0] != "deployment"} == plain
    assert empty.kubectl("get", "sta/air", "--namespace=default")["metadata"]["generation"] == 1


def test_the_definitions_that_were_applied_by_hand_are_the_chart_s(empty: _Cluster) -> None:
    assert empty.kubectl.run("apply", "--server-side", f"--filename={CRDS}").returncode == 0
    empty.established()
    before = {name: empty.kubectl("get", name)["metadata"]["generation"] for name in _NAMES}
    empty.done("install", _CRD_RELEASE, str(_DEFINITIONS), "--create-namespace", "--take-ownership")
    assert {name: empty.kubectl("get", name)["metadata"]["generation"] for name in _NAMES} == before
