"""The platform: what a city's cluster has beside the operator, for real, and unhurt when ``up`` is called again."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from localcluster import addons, edge, install, plan
from localcluster.addons import Context, ingress_nginx, keycloak, monitoring
from localcluster.cluster import kubectl as kubectl_of
from localcluster.commands import run
from localcluster.errors import LocalClusterError
from localcluster.processes import Placement
from tests.e2e.conftest import NAME, sensorthings
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.kubernetes import Kubernetes

_NAMESPACES = ("cert-manager", "ingress-nginx", "keycloak", "kube-system", "monitoring", install.NAMESPACE)
_DEPLOYMENTS = (
    "cert-manager/cert-manager",
    "ingress-nginx/ingress-nginx-controller",
    "keycloak/keycloak",
    "kube-system/coredns",
    "kube-system/metrics-server",
    "monitoring/prometheus",
)
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_ADMIN = f"{keycloak.URL}/admin/realms/{keycloak.REALM}"


@pytest.fixture
def cluster(platform: dict[str, str]) -> plan.Cluster:
    assert platform
    return plan.find(NAME)


def _pods(city: Kubernetes, namespace: str) -> list[dict[str, Any]]:
    return city.items(f"/api/v1/namespaces/{namespace}/pods")


def test_up_says_where_all_of_it_is(platform: dict[str, str], cluster: plan.Cluster) -> None:
    assert platform["address"] == cluster.edge
    assert platform["ca"] == str(cluster.authority)
    assert platform["keycloak"] == "https://id.city.example"
    assert platform["prometheus"] == f"http://{cluster.edge}:9090"


def test_it_fits_beside_services_on_a_small_machine(city: Kubernetes) -> None:
    requests = [
        int(container["resources"]["requests"]["cpu"].removesuffix("m"))
        for namespace in _NAMESPACES
        for pod in _pods(city, namespace)
        for container in pod["spec"]["containers"]
    ]
    assert sum(requests) <= 500


def test_what_pods_and_nodes_use_is_known(city: Kubernetes) -> None:
    eventually("kubectl top", lambda: "keycloak" in city.run("top", "pods", "--all-namespaces", check=False))
    assert cluster_node() in city.run("top", "nodes")


def cluster_node() -> str:
    """The name of the one node."""
    return plan.find(NAME).node_name


def test_public_names_lead_to_the_ingress_inside_the_cluster(cluster: plan.Cluster) -> None:
    def resolved(kind: str, name: str) -> str:
        query = ["host", "-t", kind, f"{name}.", str(plan.DNS_ADDRESS)]
        return run([*Placement(net=cluster.netns_path).enter(), *query], timeout=10)

    for name in ("id.city.example", "iot.city.example", "a.b.city.example"):
        assert f"has address {plan.INGRESS_ADDRESS}" in resolved("A", name)
    # There is none, which is not the same as that the name does not exist.
    assert "has no AAAA record" in resolved("AAAA", "iot.city.example")
    with pytest.raises(LocalClusterError, match="NXDOMAIN"):
        resolved("A", "example.org")


def test_the_certificate_is_the_authoritys_and_nobody_elses(cluster: plan.Cluster) -> None:
    assert edge.call(cluster, "GET", f"{keycloak.URL}/realms/{keycloak.REALM}").status == 200
    by_the_world = ssl.create_default_context()
    with (
        socket.create_connection((cluster.edge, 443), 10) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"),
    ):
        by_the_world.wrap_socket(plain, server_hostname=keycloak.HOST)


def test_plain_http_leads_to_https(cluster: plan.Cluster) -> None:
    said = run(["curl", "--silent", "--head", "--header", f"Host: {keycloak.HOST}", f"http://{cluster.edge}/"])
    assert "308" in said.splitlines()[0]
    assert f"location: {keycloak.URL}" in said.lower()


@dataclass(frozen=True)
class Operator:
    """The operator's client of the realm, as the Secret in its namespace describes it."""

    cluster: plan.Cluster
    token: str

    @classmethod
    def log_in(cls, cluster: plan.Cluster, city: Kubernetes) -> Operator:
        secret = city.get(f"/api/v1/namespaces/sensorthings-system/secrets/{keycloak.CREDENTIALS}")["data"]
        known = {key: base64.b64decode(value).decode() for key, value in secret.items()}
        assert known["ca.crt"] == cluster.authority.read_text()
        form = {
            "grant_type": "client_credentials",
            "client_id": known["client-id"],
            "client_secret": known["client-secret"],
        }
        answer = edge.call(cluster, "POST", keycloak.TOKEN_URL, body=urlencode(form), headers=_FORM)
        assert answer.status == 200, answer
        return cls(cluster, answer.json()["access_token"])

    def call(self, method: str, path: str, body: object = None) -> edge.Answer:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        return edge.call(self.cluster, method, f"{_ADMIN}/{path}", body=json.dumps(body), headers=headers)


def test_the_operators_client_manages_clients_and_nothing_else(cluster: plan.Cluster, city: Kubernetes) -> None:
    operator = Operator.log_in(cluster, city)
    made = operator.call("POST", "clients", {"clientId": "e2e", "serviceAccountsEnabled": True})
    assert made.status == 201, made
    (client,) = operator.call("GET", "clients?clientId=e2e").json()
    assert operator.call("POST", f"clients/{client['id']}/roles", {"name": "create"}).status == 201
    assert operator.call("DELETE", f"clients/{client['id']}").status == 204
    assert operator.call("GET", "users").status == 403
    assert operator.call("POST", "roles", {"name": "king"}).status == 403
    assert operator.call("PUT", "", {"enabled": False}).status == 403


def test_the_realm_outlives_keycloaks_pod(cluster: plan.Cluster, city: Kubernetes) -> None:
    operator = Operator.log_in(cluster, city)
    made = operator.call("POST", "clients", {"clientId": "e2e-lasting"})
    assert made.status == 201, made
    city.run("--namespace=keycloak", "delete", "pod", "--selector=app.kubernetes.io/name=keycloak")
    city.run("--namespace=keycloak", "rollout", "status", "deployment/keycloak", "--timeout=240s")

    def found() -> list[dict[str, Any]]:
        try:
            answer = Operator.log_in(cluster, city).call("GET", "clients?clientId=e2e-lasting")
        except (AssertionError, LocalClusterError):  # the ingress is still told of the new pod
            return []
        clients: list[dict[str, Any]] = answer.json()
        return clients

    (client,) = eventually("the client after the restart", found)
    assert Operator.log_in(cluster, city).call("DELETE", f"clients/{client['id']}").status == 204


def _others(city: Kubernetes, number: int | None) -> None:
    """A port of somebody else's, or none of it, in what is shared."""
    data, spec = {}, {}
    if number is not None:
        data = {"data": {str(number): "default/nobody:1"}}
        spec = {"spec": {"ports": [{"name": f"tcp-{number}", "port": number, "protocol": "TCP"}]}}
    # Without a key no `data` either: whoever applies an empty map owns all of it.
    items = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tcp-services"}, **data},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ingress-nginx-controller"}, **spec},
    ]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    here = f"--namespace={ingress_nginx.NAMESPACE}"
    city.run("apply", here, "--server-side", "--field-manager=e2e", "-f", "-", stdin=listed)


def _shared(city: Kubernetes) -> tuple[set[str], set[int]]:
    base = f"/api/v1/namespaces/{ingress_nginx.NAMESPACE}"
    service = city.get(f"{base}/services/ingress-nginx-controller")
    data = city.get(f"{base}/configmaps/tcp-services").get("data", {})
    return set(data), {port["port"] for port in service["spec"]["ports"]}


def test_ports_of_others_survive_a_second_installation(cluster: plan.Cluster, city: Kubernetes) -> None:
    keys, ports = _shared(city)
    _others(city, 9876)
    try:
        image = city.get("/apis/apps/v1/namespaces/ingress-nginx/deployments/ingress-nginx-controller")
        name = image["spec"]["template"]["spec"]["containers"][0]["image"]
        context = Context(cluster=cluster, kubectl=kubectl_of(cluster), images={"ingress-nginx": name})
        ingress_nginx.ADD_ON.ensure(context)
        assert _shared(city) == (keys | {"9876"}, ports | {9876})
    finally:
        _others(city, None)
    assert _shared(city) == (keys, ports)


def test_up_again_changes_nothing(platform: dict[str, str], cluster: plan.Cluster, city: Kubernetes) -> None:
    def seen() -> dict[str, Any]:
        generations = {
            path: city.get("/apis/apps/v1/namespaces/{}/deployments/{}".format(*path.split("/")))["metadata"][
                "generation"
            ]
            for path in _DEPLOYMENTS
        }
        # The operator's pod follows its code, which somebody may be working on.
        others = [namespace for namespace in _NAMESPACES if namespace != install.NAMESPACE]
        pods = {pod["metadata"]["name"] for namespace in others for pod in _pods(city, namespace)}
        return {"generations": generations, "pods": pods, "authority": cluster.authority.read_text()}

    before = seen()
    again = sensorthings("up", "--name", NAME, "--output", "json", seconds=600)
    assert again.returncode == 0
    assert json.loads(again.stdout) == platform
    assert seen() == before


def test_prometheus_has_scraped_everything(cluster: plan.Cluster) -> None:
    def told(expression: str) -> list[dict[str, Any]]:
        return eventually(expression, lambda: monitoring.query(cluster.edge, expression))

    assert told('sum(rate(container_cpu_usage_seconds_total{namespace="keycloak"}[1m])) > 0')
    assert told('container_memory_working_set_bytes{namespace="keycloak",container="keycloak"} > 0')
    assert told('sensorthings_operator_services{namespace="sensorthings-system"} >= 1')
    assert told('up{job="sensorthings-system/sensorthings-operator",container="operator"} == 1')
    # A pod that an autoscaler has just added is asked before it answers.
    eventually("nothing is down", lambda: monitoring.query(cluster.edge, "up == 0") == [])


def test_pod_monitors_are_accepted(city: Kubernetes) -> None:
    monitor = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "e2e", "namespace": "default"},
        "spec": {"selector": {}, "podMetricsEndpoints": [{"port": "http"}]},
    }
    city.run("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=json.dumps(monitor))


def test_an_add_on_can_be_chosen_alone() -> None:
    assert [add_on.name for add_on in addons.choose("metrics-server")] == ["metrics-server"]


def test_the_writers_credentials_are_its_owners_only(platform: dict[str, str], cluster: plan.Cluster) -> None:
    assert platform["writer"] == str(cluster.writer)
    files: list[Path] = [cluster.writer, cluster.writer.with_suffix(".form")]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
