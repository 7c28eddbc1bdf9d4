"""``install.yaml`` and the definitions' chart are current, and the file says no more than the charts do."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from release.__main__ import main
from release.crdchart import FOLDER
from sensorthings_operator.api import crd
from tests.unit.release.helm import OPERATOR, ROOT, rendered


def _installed() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "install.yaml").read_text()))


def test_what_is_committed_is_what_is_made_now(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_a_changed_a_missing_and_a_foreign_file_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--root={tmp_path}"]) == 0
    assert main(["--check", f"--root={tmp_path}"]) == 0
    changed, missing = tmp_path / FOLDER / f"{crd.SERVICE.name}.yaml", tmp_path / "install.yaml"
    changed.write_text(changed.read_text().replace("keep", "delete"))
    missing.unlink()
    (tmp_path / FOLDER / "other.yaml").touch()
    assert main(["--check", f"--root={tmp_path}"]) == 1
    named = [line.split()[0] for line in capsys.readouterr().err.splitlines()]
    assert named == [f"{FOLDER}/{crd.SERVICE.name}.yaml", "install.yaml", f"{FOLDER}/other.yaml"]


def test_what_others_need_stands_before_them() -> None:
    kinds = [manifest["kind"] for manifest in _installed()]
    assert kinds[:3] == ["Namespace", *["CustomResourceDefinition"] * len(crd.RESOURCES)]
    assert kinds.index("ServiceAccount") < kinds.index("Deployment")


def test_the_operator_is_the_chart_s_but_for_helm_s_own_labels() -> None:
    def identity(manifest: dict[str, Any]) -> tuple[str, str | None, str]:
        return manifest["kind"], manifest["metadata"].get("namespace"), manifest["metadata"]["name"]

    ours = {identity(manifest): manifest for manifest in _installed()[1 + len(crd.RESOURCES) :]}
    charts = {identity(each): each for each in yaml.safe_load_all(rendered(OPERATOR, {}).stdout) if each}
    assert ours.keys() == charts.keys()
    for key, manifest in charts.items():
        assert {**ours[key], "metadata": None, "spec": None} == {**manifest, "metadata": None, "spec": None}
        dropped = manifest["metadata"]["labels"].items() - ours[key]["metadata"]["labels"].items()
        assert {name for name, _ in dropped} == {"app.kubernetes.io/managed-by", "helm.sh/chart"}
        if "template" in manifest.get("spec", {}):
            pods, chart_pods = ours[key]["spec"]["template"], manifest["spec"]["template"]
            assert pods["spec"] == chart_pods["spec"]
            assert ours[key]["spec"]["selector"]["matchLabels"].items() <= pods["metadata"]["labels"].items()


def test_it_names_no_release() -> None:
    text = (ROOT / "install.yaml").read_text()
    assert "helm" not in text.lower().partition("kind: ServiceAccount")[2]
