"""The API server's own pod security admission takes every pod that is made, and the operator's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.apiserver.reconcile.conftest import SYSTEM, render_chart
from tests.golden.cases import NAMES, made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.apiserver.conftest import Kubectl
    from tests.unit.api.examples import Manifest


@pytest.fixture(scope="module")
def restricted(kubectl: Kubectl) -> Iterator[str]:
    """A namespace that enforces the profile."""
    name = "restricted"
    enforce = {"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": enforce}}
    kubectl("apply", "--filename=-", manifest=manifest)
    yield name
    kubectl.run("delete", "namespace", name, "--wait=false")


def _pods(manifests: list[Manifest]) -> list[Manifest]:
    """Bare pods of the templates: admission warns of workloads, and refuses pods."""
    pods = []
    for manifest in manifests:
        template = manifest.get("spec", {}).get("template")
        if template is None:
            continue
        claims = [
            {"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": "data"}}
            for claim in manifest["spec"].get("volumeClaimTemplates", ())
        ]
        # Not there in this namespace, and nothing that pod security looks at.
        spec = {key: value for key, value in template["spec"].items() if key != "serviceAccountName"}
        spec["volumes"] = [*spec["volumes"], *claims]
        name = manifest["metadata"]["name"]
        pods.append({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    return pods


def _admitted(kubectl: Kubectl, namespace: str, manifests: list[Manifest]) -> None:
    pods = _pods(manifests)
    assert pods
    result = kubectl.run(
        "create",
        "--dry-run=server",
        f"--namespace={namespace}",
        "--filename=-",
        manifest={"apiVersion": "v1", "kind": "List", "items": pods},
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_every_child_is_admitted(kubectl: Kubectl, restricted: str, name: str) -> None:
    _admitted(kubectl, restricted, made(name))


def test_the_operator_is_admitted(kubectl: Kubectl, restricted: str) -> None:
    _admitted(kubectl, restricted, render_chart())


def test_a_pod_that_is_not_restricted_is_refused(kubectl: Kubectl, restricted: str) -> None:
    """Or the tests above would tell nothing."""
    pods = list(_pods(render_chart()))
    assert len(pods) == 2, "the operator and the token service"
    for pod in pods:
        del pod["spec"]["securityContext"]
        result = kubectl.run("create", "--dry-run=server", f"--namespace={restricted}", "--filename=-", manifest=pod)
        assert "violates PodSecurity" in result.stderr
        assert SYSTEM not in result.stderr
