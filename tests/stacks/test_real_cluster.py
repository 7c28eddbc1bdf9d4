"""Hamburg's platform and tenants on a real API server, by kubectl and Helm: up, again, changed, refused, taken away.

No node is there, so nothing runs; `tests/stacks/node` has one.
"""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from localcluster import parts
from localcluster.errors import LocalClusterError
from localcluster.kubectl import Kubectl
from sensorthings_operator.api.realm import OPERATOR_CLIENT
from tests.apiserver.conftest import running_control_plane
from tests.stacks import programs
from tests.stacks.recorder import DRAWN
from tests.stacks.standin import charts, engine
from tests.stacks.standin.cluster import MANAGER, RealCluster
from tests.stacks.standin.engine import City, Outcome
from tests.stacks.standin.wire import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

ON_THE_CLUSTER: Final = ("platform", "city")


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """etcd, kube-apiserver and kube-controller-manager, for these tests alone."""
    try:
        engine.pulumi()
        folder = tmp_path_factory.mktemp("control-plane")
        with running_control_plane(folder) as running:
            yield Kubectl(running.config.kubernetes / "kubectl", running.kubeconfig)
    except LocalClusterError as error:
        pytest.skip(f"a part of the cluster can't be had: {error}")


@pytest.fixture(scope="module")
def cluster(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> RealCluster:
    """Where the city comes up."""
    helm = parts.ensure(parts.HELM) / "helm"
    folders = charts.write(tmp_path_factory.mktemp("charts"))
    return RealCluster(kubectl, helm, folders, charts.WITHOUT_WEBHOOKS, wait=False)


@pytest.fixture(scope="module")
def first(cluster: RealCluster) -> tuple[City, dict[str, Outcome]]:
    """Hamburg, brought up after a preview of it."""
    city = City("hamburg", clouds=cluster)
    for layer in programs.LAYERS[:-2]:
        city.run("up", layer)
    return city, {"preview": city.run("preview", "platform"), **city.all("up")}


def _live(kubectl: Kubectl, city: City) -> dict[str, dict[str, Any]]:
    """What is on the API server of each object that the programs asked for, by URN."""
    objects = {
        record.urn: record.inputs
        for layer in ON_THE_CLUSTER
        for record in city.states[layer].records.values()
        if record.custom and "apiVersion" in record.inputs
    }
    return {urn: _get(kubectl, each) for urn, each in objects.items()}


def _get(kubectl: Kubectl, wanted: dict[str, Any]) -> dict[str, Any]:
    group, _, version = wanted["apiVersion"].rpartition("/")
    metadata = wanted["metadata"]
    where = [f"--namespace={metadata['namespace']}"] if "namespace" in metadata else []
    found: dict[str, Any] = kubectl.get(
        *where, f"{wanted['kind']}.{version}.{group}", metadata["name"], "--show-managed-fields"
    )
    return found


def _asks_for_more(city: City, urn: str) -> bool:
    (inputs,) = [state.records[urn].inputs for state in city.states.values() if urn in state.records]
    asked = {*inputs, *inputs["metadata"]} - {"apiVersion", "kind", "metadata", "name", "namespace"}
    return bool(asked)


def test_the_api_server_takes_every_object_and_helm_every_release(
    first: tuple[City, dict[str, Outcome]], kubectl: Kubectl, cluster: RealCluster
) -> None:
    city, outcomes = first
    assert {layer: outcome.problems for layer, outcome in outcomes.items() if outcome.problems} == {}
    assert set(outcomes) == {"preview", *programs.LAYERS}
    live = _live(kubectl, city)
    kinds = {each["kind"] for each in live.values()}
    assert {"Namespace", "CustomResourceDefinition", "ClusterIssuer", "SensorThingsService", "Connector"} <= kinds
    assert {"ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding", "Secret", "Deployment", "Ingress"} <= kinds
    # Of what was asked for by its name alone nobody manages a field.
    managed = {urn: each["metadata"]["managedFields"] for urn, each in live.items() if _asks_for_more(city, urn)}
    assert len(managed) > 20
    for urn, fields in managed.items():
        assert {entry["operation"] for entry in fields if entry["manager"] == MANAGER} == {"Apply"}, urn
    listed = json.loads(cluster.helm("list", "--all-namespaces", "--output=json"))
    assert {each["name"]: each["status"] for each in listed} == {
        record.inputs["name"]: "deployed" for record in city.states["platform"].of_type("v3:Release")
    }


def test_the_services_passwords_are_there_and_nowhere_in_the_open(
    first: tuple[City, dict[str, Outcome]], kubectl: Kubectl
) -> None:
    secret = kubectl.get("--namespace=traffic", "secret/database")
    assert set(secret["data"]) == {"username", "password"}
    everything = kubectl.run("get", "configmaps,deployments,sensorthingsservices", "--all-namespaces", "--output=json")
    assert not [each for each in programs.PASSWORDS.values() if json.dumps(each)[1:-1] in everything]


def test_the_operator_finds_how_it_logs_in_to_the_citys_realm(
    first: tuple[City, dict[str, Outcome]], kubectl: Kubectl
) -> None:
    """Keycloak is a stand-in's here; the Secret lies where the operator's release, beside it, is told to look."""
    secret = kubectl.get("--namespace=sensorthings-system", "secret/keycloak-hamburg")
    assert {key: base64.b64decode(value).decode() for key, value in secret["data"].items()} == {
        "client-id": OPERATOR_CLIENT,
        "client-secret": f"{DRAWN} hamburg-operator",
    }
    (release,) = [each for each in first[0].states["platform"].of_type("v3:Release") if "operator" in each.urn]
    assert opened(release.inputs)["values"]["keycloakRealms"]["hamburg"]["secretName"] == secret["metadata"]["name"]


def test_a_second_up_writes_nothing(
    first: tuple[City, dict[str, Outcome]], kubectl: Kubectl, cluster: RealCluster
) -> None:
    city, _ = first

    def versions() -> dict[str, str]:
        return {urn: each["metadata"]["resourceVersion"] for urn, each in _live(kubectl, city).items()}

    before, written = versions(), len(cluster.writes)
    revisions = cluster.helm("list", "--all-namespaces", "--output=json")
    outcomes = city.all("up")
    assert {layer: (outcome.changes, outcome.problems) for layer, outcome in outcomes.items()} == {
        layer: ({}, []) for layer in programs.LAYERS
    }
    assert len(cluster.writes) == written
    assert versions() == before
    assert cluster.helm("list", "--all-namespaces", "--output=json") == revisions


def test_what_the_operator_writes_into_a_shared_object_stays(
    first: tuple[City, dict[str, Outcome]], kubectl: Kubectl
) -> None:
    """The operator's port of MQTT: a preview shows no difference, and an `up` leaves it."""
    city, _ = first
    here = ("--namespace=ingress-nginx", "configmap/tcp-services")
    kubectl.run("patch", *here, "--type=merge", '--patch={"data": {"8883": "traffic/lights:mqtt"}}')
    assert city.run("up", "platform").changes == {}
    assert kubectl.get(*here)["data"] == {"8883": "traffic/lights:mqtt"}


def _tenants(change: Any) -> dict[str, Any]:
    key = "sensorthings-city:tenants"
    tenants = copy.deepcopy(programs.configuration("city")[key])
    change(tenants)
    return {key: tenants}


def test_a_changed_quota_is_one_write(
    first: tuple[City, dict[str, Outcome]], kubectl: Kubectl, cluster: RealCluster
) -> None:
    city = City("hamburg", clouds=cluster, states=first[0].states)
    city.changes["city"] = _tenants(lambda tenants: tenants[0]["quota"].update(pods=90))
    written = len(cluster.writes)
    assert city.run("preview", "city").changes == {"update": 1}
    assert len(cluster.writes) == written
    assert city.run("up", "city").changes == {"update": 1}
    assert [verb for verb, _ in cluster.writes[written:]] == ["update"]
    assert kubectl.get("--namespace=traffic", "resourcequota/tenant")["spec"]["hard"]["pods"] == "90"


def test_a_changed_immutable_property_is_refused_by_the_preview(
    first: tuple[City, dict[str, Outcome]], cluster: RealCluster
) -> None:
    """A rule that holds between two versions of an object: only the API server, which has the old one, can tell."""
    city = City("hamburg", clouds=cluster, states=dict(first[0].states))
    managed = {"type": "Managed"}
    city.changes["city"] = _tenants(lambda tenants: tenants[0]["services"][0]["spec"].update(database=managed))
    written = len(cluster.writes)
    outcome = city.run("preview", "city")
    assert any("spec.database.type" in each and "can't be changed" in each for each in outcome.problems)
    assert len(cluster.writes) == written


def test_what_is_taken_away_is_gone_from_the_cluster(
    first: tuple[City, dict[str, Outcome]], kubectl: Kubectl, cluster: RealCluster
) -> None:
    city = City("hamburg", clouds=cluster, states=first[0].states)
    city.changes["city"] = _tenants(lambda tenants: tenants[0].update(connectors=[]))
    outcome = city.run("up", "city")
    assert outcome.problems == []
    assert outcome.changes["delete"] == 1
    assert kubectl.find("--namespace=traffic", "connectors.sensorthings.city/traffic-computer") is None


def test_a_protected_namespace_stays(first: tuple[City, dict[str, Outcome]], kubectl: Kubectl) -> None:
    refused = engine.destroy(first[0].states["city"], first[0].clouds)
    assert "is protected: nothing was deleted" in refused.problems[0]
    assert kubectl.get("namespace/traffic")["status"]["phase"] == "Active"


def test_a_city_that_somebody_let_go_of_is_gone(first: tuple[City, dict[str, Outcome]], kubectl: Kubectl) -> None:
    city, _ = first
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data-lights-db-0"},
        "spec": claim,
    }
    kubectl.run("create", "--namespace=traffic", "--filename=-", stdin=json.dumps(volume))
    for layer in reversed(ON_THE_CLUSTER):
        gone = engine.destroy(city.states[layer].without_protection(), city.clouds)
        assert gone.problems == []
    left = {each["metadata"]["name"] for each in kubectl.get("namespaces")["items"]}
    assert left == {"default", "kube-node-lease", "kube-public", "kube-system", "traffic"}
    # The tenant's namespace is let go of, with the volumes of databases, which outlive their services; they have gone.
    assert kubectl.get("--namespace=traffic", "persistentvolumeclaim/data-lights-db-0")
    assert kubectl.get("--namespace=traffic", "sensorthingsservices.sensorthings.city")["items"] == []
    # Kinds are let go of, and stay: deleting one would delete every object of it.
    assert kubectl.get("customresourcedefinition/sensorthingsservices.sensorthings.city")
