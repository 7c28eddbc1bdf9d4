"""Clusters that are there already, and kind's: what is called, and that a service without tokens is never exposed."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from localcluster import cluster, existing, images, install, kind, plan
from localcluster.errors import LocalClusterError
from localcluster.existing import Offer, Target, fitted, inside_only, lacking, realms_in
from localcluster.installation import Installation
from tests.unit.localcluster.fakes import programs
from tests.unit.localcluster.test_steps import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.localcluster.fakes import Programs

_EXPOSED: dict[str, Any] = {
    "apiVersion": "sensorthings.city/v1alpha1",
    "kind": "SensorThingsService",
    "metadata": {"name": "lights", "namespace": "hamburg"},
    "spec": {
        "version": "2.0.0",
        "host": "iot.city.example",
        "certificate": {"issuerRef": {"name": "city-ca"}},
        "database": {"type": "Managed"},
        "exposure": {"type": "IngressNginx"},
        "auth": {"type": "Keycloak", "keycloak": {"realm": "city"}},
    },
}
_ALL = Offer(frozenset({"nginx"}), frozenset({"city-ca"}), frozenset({"city"}))


def test_what_a_cluster_lacks_is_named() -> None:
    assert lacking(_EXPOSED["spec"], _ALL) == []
    assert lacking(_EXPOSED["spec"], Offer(frozenset(), frozenset(), frozenset())) == [
        "the cluster has no IngressClass nginx",
        "it has no ClusterIssuer city-ca of cert-manager",
        "the operator's settings know no Keycloak realm city (keycloakRealms in --values)",
    ]
    assert lacking(inside_only(_EXPOSED)["spec"], Offer(frozenset(), frozenset(), frozenset())) == []


_Some = st.frozensets(st.sampled_from(["nginx", "city-ca", "city", "other"]))


@given(st.builds(Offer, _Some, _Some, _Some))
def test_nobody_writes_without_a_token_to_what_is_exposed(offer: Offer) -> None:
    remarks: list[str] = []
    before = json.dumps(_EXPOSED)
    (found,) = fitted([_EXPOSED], offer, remarks.append)
    assert json.dumps(_EXPOSED) == before
    spec = found["spec"]
    assert (spec["exposure"]["type"] == "None") == (spec["auth"]["type"] == "None") == bool(remarks)
    assert spec["database"] == _EXPOSED["spec"]["database"]
    if not remarks:
        assert found == _EXPOSED


def test_other_objects_of_a_manifest_are_left_alone() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "x"}}
    assert fitted([secret], Offer(frozenset(), frozenset(), frozenset()), print) == [secret]


def test_realms_come_from_both_values(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("keycloakRealms: {mine: {}}")
    assert realms_in({"keycloakRealms": {"city": {}}}, file) == {"city", "mine"}
    file.write_text("- a list")
    with pytest.raises(LocalClusterError, match="holds no values of a chart"):
        realms_in({}, file)


# What a kubectl says of a cluster without an ingress and without cert-manager.
_KUBECTL = """
case "$*" in
  *"get namespace/"*) ;;
  *" get -n "*) echo '{"spec": {}, "status": {"endpoints": [{"name": "sensorthings", "url": "http://l.h.svc.x/v1.1"}]}}';;
esac
"""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """kubectl, helm and kind, and nothing else."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    answers = {"kubectl": _KUBECTL, "helm": "case $* in *list*) echo '[]';; esac", "kind": ""}
    return programs(tmp_path / "bin", monkeypatch, answers)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    for folder in ("crds", "chart"):
        (tmp_path / folder).mkdir()
    example = tmp_path / "example.yaml"
    example.write_text(yaml.safe_dump(_EXPOSED))
    return Installation(crds=tmp_path / "crds", chart=tmp_path / "chart", example=example)


def _applied(there: Programs) -> list[dict[str, Any]]:
    lists = [json.loads(call.stdin) for call in there.calls("kubectl") if call.stdin]
    return [item for each in lists for item in each["items"]]


def test_of_a_cluster_that_is_there_only_ours_is_touched(
    there: Programs, installation: Installation, tmp_path: Path
) -> None:
    kubeconfig, values = tmp_path / "kubeconfig", tmp_path / "values.yaml"
    for file in (kubeconfig, values):
        file.touch()
    remarks: list[str] = []
    target = Target(context="mine", kubeconfig=kubeconfig, values=values)
    endpoints = existing.up(target, Recorder(), installation, remarks.append)

    assert endpoints.sensorthings == "http://l.h.svc.x/v1.1"
    assert all(call.has("--context=mine", f"--kubeconfig={kubeconfig}") for call in there.calls("kubectl"))
    helm = there.calls("helm")
    assert all(call.has("--kube-context=mine", "--namespace=sensorthings-system") for call in helm)
    (upgrade,) = [call for call in helm if call.has("upgrade")]
    # Ours first: what the person gives wins.
    assert [word for word in upgrade.arguments if word.startswith("--values=")][-1] == f"--values={values}"
    namespace, service = _applied(there)
    assert (namespace["kind"], namespace["metadata"]["name"]) == ("Namespace", "hamburg")
    assert service["spec"]["exposure"] == {"type": "None"}
    assert any("pull them" in remark for remark in remarks)
    assert any("no IngressClass nginx; it has no ClusterIssuer" in remark for remark in remarks)
    assert there.calls("kind") == []
    changing = {"apply", "delete", "patch", "create", "replace", "label", "annotate", "edit"}
    crds = ["apply", "--server-side", "--force-conflicts", "-f", str(installation.crds)]
    changes = [call.arguments[2:] for call in there.calls("kubectl") if changing & set(call.arguments)]
    assert changes[0] == crds
    assert all("-" in change for change in changes[1:])


def test_a_cluster_that_is_not_reached_is_left_alone(there: Programs, installation: Installation) -> None:
    there.add("kubectl", "echo no route >&2; exit 1")
    with pytest.raises(LocalClusterError, match=r"(?s)Reach the cluster: .*no route.*get-contexts"):
        existing.up(Target(context="mine"), Recorder(), installation, lambda _: None)
    assert there.calls("helm") == []


@pytest.fixture
def _state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    def build_all(_: object, names: list[str]) -> dict[str, Path]:
        return {f"localhost/sensorthings/{name}:2.0.0": tmp_path / f"{name}.tar" for name in names}

    monkeypatch.setattr(images, "build_all", build_all)
    monkeypatch.setattr(install, "config_digest", lambda _: "0" * 64)
    with TemporaryDirectory(prefix="sta-") as folder:
        monkeypatch.setenv("XDG_STATE_HOME", folder)
        yield


@pytest.mark.usefixtures("_state")
def test_a_kind_cluster_is_made_loaded_and_taken_down(there: Programs, installation: Installation) -> None:
    kind.up("a", Recorder(), installation, lambda _: None)
    kubeconfig = str(plan.find("a").kubeconfig)
    calls = [call.arguments for call in there.calls("kind")]
    assert calls[:2] == [
        ["get", "clusters"],
        ["create", "cluster", "--name", "sta-a", "--kubeconfig", kubeconfig, "--wait", "180s"],
    ]
    loaded = [Path(words[2]).stem for words in calls[2:]]
    assert loaded == list(install.IMAGES)
    assert all(words[:2] == ["load", "image-archive"] and words[-2:] == ["--name", "sta-a"] for words in calls[2:])
    assert all(f"--kubeconfig={kubeconfig}" in call.arguments for call in there.calls("kubectl"))

    there.add("kind", "[ $1 != get ] || echo sta-a")
    kind.up("a", Recorder(), installation, lambda _: None)
    assert ["export", "kubeconfig", "--name", "sta-a", "--kubeconfig", kubeconfig] in [
        call.arguments for call in there.calls("kind")
    ]

    folder = plan.find("a").folder
    cluster.down("a", Recorder())
    assert there.calls("kind")[-1].arguments == ["delete", "cluster", "--name", "sta-a", "--kubeconfig", kubeconfig]
    assert not folder.exists()


@pytest.mark.usefixtures("_state")
def test_a_node_of_this_machine_is_not_taken_for_a_kind_cluster(there: Programs, installation: Installation) -> None:
    with plan.locked("a") as node:
        node.logs.mkdir()
    with pytest.raises(LocalClusterError, match="a node of this machine"):
        kind.up("a", Recorder(), installation, lambda _: None)
    assert there.calls("kind") == []
    assert not kind.is_one(plan.find("a"))
