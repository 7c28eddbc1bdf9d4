"""The files the node is configured with, and the manifests of its own services."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import UndefinedError

from localcluster import dns, plan, storage
from localcluster.plan import Cluster
from localcluster.rendering import manifests, render

_CLUSTER = Cluster("local", 0, Path("/state/local"))


def test_containerds_configuration_stays_below_the_state_folder() -> None:
    text = render("containerd.toml", folder="/state/local", socket="/state/local/c.sock", pause_image="localhost/p:1")
    config = tomllib.loads(text)
    assert config["version"] == 3
    assert {config["root"], config["state"]} == {"/state/local/containerd/root", "/state/local/containerd/state"}
    assert config["plugins"]["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == "localhost/p:1"
    assert config["plugins"]["io.containerd.cri.v1.runtime"]["netns_mounts_under_state_dir"] is True


def test_the_kubelet_puts_its_pods_below_the_clusters_own_cgroup() -> None:
    values = dict.fromkeys(("authority", "certificate", "key", "socket", "dns_address"), "x")
    config = yaml.safe_load(render("kubelet.yaml", folder="/state/local", cgroup=_CLUSTER.cgroup, **values))
    assert config["cgroupRoot"] == "/sta-local"
    assert config["evictionHard"]["nodefs.available"] == "1%"


def test_pods_get_addresses_of_the_pod_range() -> None:
    network = json.loads(render("cni.conflist", folder="/state/local", pod_range=plan.POD_RANGE))
    ranges = network["plugins"][0]["ipam"]["ranges"]
    assert ranges == [[{"subnet": str(plan.POD_RANGE)}]]


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("cni.conflist", folder="/state/local")


def test_each_volume_is_a_folder_of_the_node() -> None:
    folders = storage.folders(_CLUSTER)
    storage_class, *volumes = manifests("storage.yaml", volumes=folders, size=storage.SIZE, node=_CLUSTER.node_name)
    assert storage_class["volumeBindingMode"] == "WaitForFirstConsumer"
    assert storage_class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert [volume["spec"]["local"]["path"] for volume in volumes] == [str(folder) for folder in folders]
    assert len({volume["metadata"]["name"] for volume in volumes}) == storage.VOLUMES


def test_the_storage_class_alone_is_rendered_when_no_volume_is_missing() -> None:
    assert [each["kind"] for each in manifests("storage.yaml", volumes=[], size="1Gi", node="n")] == ["StorageClass"]


def test_released_volumes_are_found() -> None:
    def volume(name: str, phase: str) -> dict[str, Any]:
        return {"metadata": {"name": name}, "status": {"phase": phase}}

    volumes: list[dict[str, Any]] = [
        volume("a", "Bound"),
        volume("b", "Released"),
        volume("c", "Available"),
        {"metadata": {"name": "d"}},
    ]
    assert storage.released(volumes) == ["b"]


def _of_kind(kind: str) -> dict[str, Any]:
    return next(each for each in dns.objects("i:1") if each["kind"] == kind)


def test_dns_asks_the_cluster_before_it_says_that_a_name_does_not_exist() -> None:
    corefile = _of_kind("ConfigMap")["data"]["Corefile"]
    cluster_block, _, public_blocks = corefile.partition(f"{plan.DOMAIN}:5353 {{")
    assert "kubernetes cluster.local" in cluster_block
    assert "template IN" not in cluster_block
    assert public_blocks.index("answer") < public_blocks.index(".:5353 {") < public_blocks.index("NXDOMAIN")
    assert _of_kind("Service")["spec"]["clusterIP"] == str(plan.DNS_ADDRESS)


def test_public_names_lead_to_the_ingress() -> None:
    corefile = _of_kind("ConfigMap")["data"]["Corefile"]
    # CoreDNS's own template: the name that was asked for.
    assert f'answer "{{{{ .Name }}}} 60 IN A {plan.INGRESS_ADDRESS}"' in corefile


def test_dns_is_made_anew_when_its_configuration_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def annotation() -> Any:
        return _of_kind("Deployment")["spec"]["template"]["metadata"]["annotations"]

    before = annotation()
    assert annotation() == before
    monkeypatch.setattr(dns, "INGRESS_ADDRESS", "10.96.0.81")
    assert annotation() != before
