"""What a change rolls and what it leaves alone, a rollout that does not get through, and what goes with a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.apiserver.reconcile.waiting import eventually
from tests.unit.gitops import kstatus

if TYPE_CHECKING:
    from tests.apiserver.reconcile.walk import Walk

_COMPONENTS: Final = ("http", "mqtt", "bus")
_NEW_VERSION: Final = {"version": "2.8.0"}
_RESOURCES: Final = {"requests": {"memory": "1Gi"}}


def _pods(walk: Walk, component: str) -> set[str]:
    """uids of a part's pods that are not on their way out."""
    pods = walk.cluster.list("Pod", f"app.kubernetes.io/component={component}")
    return {pod["metadata"]["uid"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}


def _replica_sets(walk: Walk) -> dict[str, int]:
    """Pods that each ReplicaSet of HTTP is to have, by its image."""
    found = walk.cluster.list("ReplicaSet", "app.kubernetes.io/component=http")
    images = [each["spec"]["template"]["spec"]["containers"][0]["image"] for each in found]
    return {image.rpartition(":")[2]: each["spec"]["replicas"] for image, each in zip(images, found, strict=True)}


@pytest.fixture(scope="module")
def ready(module_walk: Walk) -> Walk:
    """One service for all changes."""
    module_walk.external()
    module_walk.becomes_ready()
    module_walk.settle()
    return module_walk


@pytest.mark.parametrize(
    ("patch", "rolled"),
    [
        pytest.param({"http": {"settings": {"defaultTop": "50"}}}, {"http"}, id="settings of HTTP"),
        pytest.param({"mqtt": {"settings": {"mqtt.SubscribeThreadPoolSize": "9"}}}, {"mqtt"}, id="settings of MQTT"),
        pytest.param({"http": {"resources": _RESOURCES}}, {"http"}, id="resources of HTTP"),
        pytest.param({"mqtt": {"resources": _RESOURCES}}, {"mqtt"}, id="resources of MQTT"),
        pytest.param({"bus": {"mosquitto": {"resources": _RESOURCES}}}, {"bus"}, id="resources of the bus"),
        pytest.param({"bus": {"mosquitto": {"storage": {"whenDeleted": "Retain"}}}}, set(), id="volume of the bus"),
        pytest.param({"host": "air.city.example"}, set(), id="unused host"),
        pytest.param({"imagePullSecrets": [{"name": "registry"}]}, {"http", "mqtt", "bus"}, id="pull secrets"),
        pytest.param({"rootPath": "/air"}, {"http", "mqtt"}, id="path"),
        pytest.param(
            {"bus": {"type": "External", "external": {"host": "bus.city.example"}, "mosquitto": None}},
            {"http", "mqtt", "bus"},
            id="bus elsewhere",
        ),
        pytest.param({"bus": {"external": {"port": 1884}}}, {"http", "mqtt"}, id="port of the bus"),
    ],
)
def test_a_change_rolls_the_pods_that_it_is_about_and_no_others(ready: Walk, patch: Any, rolled: set[str]) -> None:
    before = {component: _pods(ready, component) for component in _COMPONENTS}
    ready.change(patch)
    ready.becomes_ready()
    ready.settle()

    def check() -> None:
        ready.kubelet.run()
        now = {component: _pods(ready, component) for component in _COMPONENTS}
        assert {component for component in _COMPONENTS if now[component] != before[component]} == rolled
        assert all(now[component].isdisjoint(before[component]) for component in rolled)

    eventually(check)


def _rolls_out_what_can_not_be_pulled(walk: Walk) -> dict[str, set[str]]:
    """A new version whose HTTP pods do not start; the pods from before, by their part."""
    walk.external({"http": {"replicas": 2}})
    walk.becomes_ready()
    old = {component: _pods(walk, component) for component in _COMPONENTS}
    walk.change(_NEW_VERSION)

    def migrated() -> None:
        walk.kubelet.end_schema_jobs()
        assert walk.condition("SchemaUpToDate")["status"] == "True"

    eventually(migrated)
    walk.kubelet.cannot_pull("http")
    return old


def test_a_new_version_that_does_not_start_leaves_the_old_pods_serving(walk: Walk) -> None:
    old = _rolls_out_what_can_not_be_pulled(walk)
    walk.kubelet.run("mqtt")
    message = walk.becomes("Ready", "False", "ImagePullBackOff")
    assert "older ones answer meanwhile" in message
    assert "container frost-http, image docker.io/fraunhoferiosb/frost-server-http:2.8.0" in message
    assert walk.condition("Reconciling")["status"] == "True"
    assert walk.condition("Stalled")["status"] == "False"
    assert kstatus.compute(walk.service()) == "InProgress"
    assert walk.condition("HTTPAvailable")["message"] == "2 of 2 pods answer"
    walk.settle()
    assert _replica_sets(walk) == {"2.0.0": 2, "2.8.0": 1}
    assert old["http"] < _pods(walk, "http")
    assert walk.service()["status"]["version"] == "2.8.0", "of the schema, which is there"


def test_a_rollout_at_a_standstill_is_told_and_ends_with_the_old_version(walk: Walk) -> None:
    old = _rolls_out_what_can_not_be_pulled(walk)
    walk.kubelet.run("mqtt")
    walk.becomes("Ready", "False", "ImagePullBackOff")
    walk.kubelet.no_progress("air-http")
    assert "timed out progressing" in walk.becomes("Stalled", "True", "RolloutStuck")
    assert walk.condition("Reconciling")["status"] == "False"
    assert walk.condition("Ready")["status"] == "False"
    assert walk.condition("HTTPAvailable")["status"] == "True"
    assert kstatus.compute(walk.service()) == "Failed"
    walk.settle()
    assert _replica_sets(walk) == {"2.0.0": 2, "2.8.0": 1}

    walk.change({"version": "2.0.0"})

    def back() -> None:
        walk.kubelet.end_schema_jobs()
        walk.kubelet.run("mqtt")
        assert walk.condition("Ready")["status"] == "True"

    eventually(back)
    assert kstatus.compute(walk.service()) == "Current"
    assert walk.condition("Stalled")["status"] == "False"
    assert _pods(walk, "http") == old["http"], "clients noticed nothing"


def _image_of_mqtt(walk: Walk) -> str:
    containers = walk.cluster.require("Deployment", "air-mqtt")["spec"]["template"]["spec"]["containers"]
    return str(containers[0]["image"].rpartition(":")[2])


def test_a_new_version_that_does_not_start_goes_no_further(walk: Walk) -> None:
    old = _rolls_out_what_can_not_be_pulled(walk)
    walk.becomes("Ready", "False", "ImagePullBackOff")
    walk.change({"mqtt": {"replicas": 2}})
    walk.settle()
    assert _image_of_mqtt(walk) == "2.0.0"
    assert _pods(walk, "mqtt") == old["mqtt"], "no change comes by HTTP"

    walk.cluster.delete("Service", "air-mqtt")
    walk.cluster.patch("Deployment", "air-mqtt", {"metadata": {"labels": {"app.kubernetes.io/part-of": "else"}}})
    walk.appears("Service", "air-mqtt")
    walk.change({"version": "2.0.0", "mqtt": {"replicas": 1}})
    walk.becomes_ready()
    assert _pods(walk, "mqtt") == old["mqtt"]
    labels = walk.cluster.require("Deployment", "air-mqtt")["metadata"]["labels"]
    assert labels["app.kubernetes.io/part-of"] == "sensorthings"


def test_mqtt_gets_a_new_version_once_all_pods_of_http_have_it(walk: Walk) -> None:
    walk.external({"http": {"replicas": 2}})
    walk.becomes_ready()
    walk.change(_NEW_VERSION)
    seen: list[tuple[dict[str, int], str]] = []

    def rolled() -> None:
        walk.kubelet.end_schema_jobs()
        walk.kubelet.run()
        # MQTT is looked at first: HTTP may be done, and MQTT be changed for that, between one look and the other.
        image = _image_of_mqtt(walk)
        seen.append((_replica_sets(walk), image))
        assert seen[-1][1] == "2.8.0"

    eventually(rolled)
    assert seen[-1][0] == {"2.0.0": 0, "2.8.0": 2}
    assert any(version == "2.0.0" and sets.get("2.8.0") for sets, version in seen), "HTTP was first"
    walk.becomes_ready()


def test_paused_begins_no_new_version_and_takes_nothing_away(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    children = walk.cluster.versions()
    elsewhere = {"bus": {"type": "External", "external": {"host": "bus.city.example"}}}
    walk.change({"paused": True, **_NEW_VERSION, **elsewhere})
    assert walk.becomes("Ready", "False", "SchemaWaiting")
    walk.settle()
    assert walk.cluster.versions() == children
    assert walk.condition("Reconciling")["reason"] == "Paused"
    assert walk.condition("Stalled")["status"] == "False"

    walk.change({"paused": False})
    assert walk.becomes_ready()["status"]["version"] == "2.8.0"
    walk.disappears("StatefulSet", "air-bus")


def test_paused_goes_when_it_is_deleted(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    walk.change({"paused": True})
    walk.becomes("Reconciling", "False", "Paused")
    walk.end()
    eventually(lambda: _has_nothing_left(walk))


def _has_nothing_left(walk: Walk) -> None:
    assert walk.cluster.children() == {}


@pytest.mark.parametrize("policy", ["Delete", "Orphan"])
def test_what_lies_inside_the_cluster_goes_whatever_the_deletion_policy_says(walk: Walk, policy: str) -> None:
    """But for volumes that are to be kept, and what the operator did not make."""
    bus = {"mosquitto": {"storage": {"whenDeleted": "Delete"}}}
    database = {"managed": {"storage": {"whenDeleted": "Retain"}}}
    walk.managed({"deletionPolicy": policy, "bus": bus, "database": database})
    walk.credentials("of somebody else")
    walk.becomes_ready()
    walk.settle()
    assert ("Secret", "air-db-credentials") in walk.cluster.children()
    assert _volumes(walk) == {"data-air-bus-0", "data-air-db-0"}
    walk.end()

    def check() -> None:
        _has_nothing_left(walk)
        assert _volumes(walk) == {"data-air-db-0"}

    eventually(check)
    assert [secret["metadata"]["name"] for secret in walk.cluster.list("Secret")] == ["air-credentials"]


def _volumes(walk: Walk) -> set[str]:
    return {claim["metadata"]["name"] for claim in walk.cluster.list("PersistentVolumeClaim")}
