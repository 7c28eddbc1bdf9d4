"""What the add-ons apply, without a cluster: what a restricted namespace admits, small, and nobody else's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from localcluster import addons, dns, modules, nodesteps, plan, reach
from localcluster.addons import Context, base, cert_manager, ingress_nginx, keycloak, monitoring
from localcluster.errors import LocalClusterError
from localcluster.images import catalogue
from localcluster.kubectl import Kubectl
from localcluster.plan import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_IMAGES = (
    {name: f"localhost/sensorthings/{name}:9" for name in ("operator", "cert-manager-acmesolver")}
    | {image: f"localhost/sensorthings/{image}:9" for add_on in addons.ALL for image in add_on.images}
    | {"envoy": "localhost/sensorthings/envoy:9"}
)
_DEFINITION = {"kind": "CustomResourceDefinition", "metadata": {"name": "x.example.org"}}


@dataclass(frozen=True)
class Recorder(Kubectl):
    """Keeps what is applied, and has a certificate authority."""

    applied: list[dict[str, Any]] = field(default_factory=list)

    def run(self, *args: str, stdin: str | None = None, remedy: str = "", timeout: float | None = 600) -> str:
        return ""

    def apply(self, manifests: Iterable[Mapping[str, Any]]) -> None:
        self.applied.extend(json.loads(json.dumps(list(manifests))))

    def get(self, *args: str) -> Any:
        return {"data": {"tls.crt": "UEVN"}}


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[dict[str, Any]]]:
    """The objects of each add-on by its name."""
    monkeypatch.setattr(modules, "required_by", lambda *_: None)
    monkeypatch.setattr(modules, "extract", lambda *_: [_DEFINITION])
    monkeypatch.setattr(reach, "open_edge", lambda *_: None)
    monkeypatch.setattr(reach, "open_gateway", lambda *_: None)
    found = {}
    for add_on in addons.ALL:
        kubectl = Recorder(Path("kubectl"), None)
        add_on.apply(Context(cluster=Cluster(), kubectl=kubectl, images=_IMAGES))
        found[add_on.name] = kubectl.applied
    return found


def _pods(objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each["spec"]["template"]["spec"] for each in objects if each["kind"] == "Deployment"]


def _one(objects: Iterable[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def test_pods_are_what_a_restricted_namespace_admits(applied: dict[str, list[dict[str, Any]]]) -> None:
    pods = [pod for objects in applied.values() for pod in _pods(objects)]
    assert len(pods) == 6
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_namespaces_of_add_ons_are_restricted(applied: dict[str, list[dict[str, Any]]]) -> None:
    namespaces = [each for objects in applied.values() for each in objects if each["kind"] == "Namespace"]
    enforced = {each["metadata"]["name"]: each["metadata"].get("labels", {}) for each in namespaces}
    # The operator's own namespace is only made to be there.
    assert enforced.pop("sensorthings-system") == {}
    assert set(enforced) == {
        "cert-manager",
        "envoy-gateway-system",
        "gateways",
        "ingress-nginx",
        "keycloak",
        "monitoring",
        "pebble",
    }
    assert all(labels == {"pod-security.kubernetes.io/enforce": "restricted"} for labels in enforced.values())


def test_every_container_says_what_it_takes_and_the_platform_is_small(applied: dict[str, list[dict[str, Any]]]) -> None:
    pods = [pod for objects in (*applied.values(), dns.objects("i:1")) for pod in _pods(objects)]
    containers = [container for pod in pods for container in pod["containers"]]
    assert all(container["resources"]["limits"]["memory"] for container in containers)
    requests = [each["resources"]["requests"] for each in containers]
    assert sum(int(each["cpu"].removesuffix("m")) for each in requests) <= 450  # the operator has 50
    assert sum(int(each["memory"].removesuffix("Mi")) for each in requests) <= 1024


def test_images_are_those_that_were_built(applied: dict[str, list[dict[str, Any]]]) -> None:
    pods = [pod for objects in applied.values() for pod in _pods(objects)]
    for container in (container for pod in pods for container in pod["containers"]):
        assert container["image"] in _IMAGES.values()
        assert container["imagePullPolicy"] == "IfNotPresent"


def test_an_image_that_was_not_built_is_named() -> None:
    with pytest.raises(LocalClusterError, match="No image keycloak was built"):
        Context(cluster=Cluster(), kubectl=Recorder(Path("k"), None), images={}).image("keycloak")


def test_what_others_add_to_the_ingress_is_never_ours(applied: dict[str, list[dict[str, Any]]]) -> None:
    objects = applied["ingress-nginx"]
    assert "data" not in _one(objects, "ConfigMap", "tcp-services")
    service = _one(objects, "Service", "ingress-nginx-controller")["spec"]
    assert [port["port"] for port in service["ports"]] == [80, 443]
    assert service["clusterIP"] == str(plan.INGRESS_ADDRESS)
    assert _one(objects, "IngressClass", ingress_nginx.CLASS)["spec"]["controller"] == "k8s.io/ingress-nginx"


def test_nginx_is_given_changes_seconds_apart(applied: dict[str, list[dict[str, Any]]]) -> None:
    """Of two in one second its workers may take the first alone (its rootfs/etc/nginx/lua/balancer.lua)."""
    (pod,) = _pods(applied["ingress-nginx"])
    (controller,) = pod["containers"]
    given = [each.partition("=")[2] for each in controller["args"] if each.startswith("--sync-rate-limit")]
    assert all(float(rate) <= 0.3 for rate in given), "changes a second; 0.3 is its default"


def test_secrets_are_made_up_once(applied: dict[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
    admin = _one(applied["keycloak"], "Secret", "keycloak-admin")
    ours = _one(applied["keycloak"], "Secret", keycloak.CREDENTIALS)
    assert ours["metadata"]["namespace"] == "sensorthings-system"
    assert set(ours["data"]) == {"client-id", "client-secret", "ca.crt"}
    assert ours["data"]["client-secret"] == admin["data"]["operator-client-secret"]

    again = Recorder(Path("kubectl"), None)
    monkeypatch.setattr(Recorder, "find", lambda *_: admin)
    keycloak.ADD_ON.apply(Context(cluster=Cluster(), kubectl=again, images=_IMAGES))
    assert _one(again.applied, "Secret", "keycloak-admin")["data"] == admin["data"]


def test_the_realm_holds_no_secret_and_the_operator_may_only_manage_clients(
    applied: dict[str, list[dict[str, Any]]],
) -> None:
    realm = json.loads(_one(applied["keycloak"], "ConfigMap", "keycloak-realm")["data"]["city-realm.json"])
    (client,), (user,) = realm["clients"], realm["users"]
    assert client["secret"] == "${OPERATOR_CLIENT_SECRET}"
    assert user["serviceAccountClientId"] == client["clientId"]
    assert set(user["clientRoles"]["realm-management"]) == {"manage-clients", "query-clients", "view-clients"}
    (container,) = _pods(applied["keycloak"])[0]["containers"]
    assert "OPERATOR_CLIENT_SECRET" in {each["name"] for each in container["env"]}


def test_certificates_of_the_authority_outlive_the_cluster(applied: dict[str, list[dict[str, Any]]]) -> None:
    authority = _one(applied["cert-manager"], "Certificate", cert_manager.ISSUER)["spec"]
    assert authority["privateKey"]["rotationPolicy"] == "Never"
    assert _one(applied["keycloak"], "Certificate", "keycloak")["spec"]["issuerRef"]["name"] == cert_manager.ISSUER


def test_a_pod_is_made_anew_when_prometheus_is_configured_otherwise() -> None:
    def annotation(node: str) -> Any:
        deployment = _one(monitoring.objects("p:1", "o:1", node), "Deployment", "prometheus")
        return deployment["spec"]["template"]["metadata"]["annotations"]

    assert annotation("172.30.0.2") == annotation("172.30.0.2") != annotation("172.30.1.2")


def test_prometheus_is_told_where_labels_are_honored() -> None:
    configuration = _one(monitoring.objects("p:1", "o:1", "172.30.0.2"), "ConfigMap", "prometheus")["data"]
    jobs = {job["job_name"]: job for job in yaml.safe_load(configuration["prometheus.yml"])["scrape_configs"]}
    assert jobs["cadvisor"]["static_configs"] == [{"targets": ["172.30.0.2:10250"]}]
    for name, honored in (("pod-monitors", False), ("pod-monitors-honor-labels", True)):
        (discovery,) = jobs[name]["http_sd_configs"]
        assert jobs[name].get("honor_labels", False) is honored
        assert f"honorLabels={str(honored).lower()}" in discovery["url"]


def _of_the_chart(kind: str, name: str, component: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "labels": {"app.kubernetes.io/component": component}}}


@pytest.mark.parametrize(
    ("manifest", "kept"),
    [
        (_of_the_chart("ClusterRole", "cert-manager-controller-issuers", "controller"), True),
        (_of_the_chart("ClusterRoleBinding", "cert-manager-controller-approve:cert-manager-io", "cert-manager"), True),
        (_of_the_chart("ServiceAccount", "cert-manager", "controller"), True),
        (_of_the_chart("Deployment", "cert-manager", "controller"), False),
        (_of_the_chart("ClusterRole", "cert-manager-cainjector", "cainjector"), False),
        (_of_the_chart("Role", "cert-manager:leaderelection", "controller"), False),
        ({"kind": "ServiceAccount", "metadata": {"name": "bare"}}, False),
    ],
)
def test_of_cert_managers_chart_only_what_the_controller_may_do(manifest: dict[str, Any], kept: bool) -> None:
    assert cert_manager.is_access(manifest) is kept


_NAMES = [add_on.name for add_on in addons.ALL]


@given(st.lists(st.sampled_from(_NAMES)))
def test_a_choice_has_what_it_needs_in_the_order_of_applying(names: list[str]) -> None:
    chosen = [add_on.name for add_on in addons.choose(*names)]
    assert set(names) <= set(chosen)
    assert chosen == [name for name in _NAMES if name in chosen]
    for add_on in addons.choose(*names):
        assert all(_NAMES.index(needed) < _NAMES.index(add_on.name) for needed in add_on.needs)
        assert set(add_on.needs) <= set(chosen)


def test_an_unknown_add_on_is_refused() -> None:
    with pytest.raises(LocalClusterError, match="no add-on 'grafana'"):
        addons.choose("grafana")


def test_a_cluster_without_add_ons_builds_nothing_for_them() -> None:
    everything = set(catalogue.images())
    assert set(nodesteps.wanted_images(addons.ALL)) == everything
    assert set(nodesteps.wanted_images(())) == everything - {image for each in addons.ALL for image in each.images}
    assert {"operator", "coredns", "pause", "envoy"} <= set(nodesteps.wanted_images(()))
    assert "ingress-nginx" not in nodesteps.wanted_parts(())
    assert "ingress-nginx" in nodesteps.wanted_parts(addons.choose("keycloak"))


def test_the_last_reason_is_told_when_an_answer_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_INTERVAL", 0.0)
    answers = iter([False, False])

    def ask() -> bool:
        if not next(answers, True):
            return False
        raise LocalClusterError("it is asleep")

    with pytest.raises(LocalClusterError, match=r"the door opens: not within 0\.02 s: it is asleep\nknock"):
        base.await_answer("the door opens", ask, seconds=0.02, remedy="knock")
    base.await_answer("the door opens", lambda: True, seconds=0)
