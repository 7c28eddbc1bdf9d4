"""What others do to children: ours is taken back, theirs is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sensorthings_operator.desired.metadata import FIELD_MANAGER
from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.apiserver.reconcile.walk import Walk


def _image(live: dict[str, Any]) -> str:
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"])


def test_a_changed_image_comes_back(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    walk.settle()
    image = _image(walk.cluster.require("Deployment", "air-http"))
    repairs = walk.operator.repairs("Deployment")
    container = {"name": "frost-http", "image": "example.org/evil:1"}
    walk.cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "air-http"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }
    )

    def check() -> None:
        assert _image(walk.cluster.require("Deployment", "air-http")) == image

    eventually(check)
    eventually(lambda: _more_repairs(walk, repairs))
    walk.becomes_ready()
    walk.settle()


def _more_repairs(walk: Walk, before: int) -> None:
    assert walk.operator.repairs("Deployment") == before + 1


Patch = dict[str, Any]
_DRIFT: list[Any] = [
    pytest.param("Service", "air-http", {"spec": {"ports": [{"name": "http", "port": 81}]}}, id="Service port"),
    pytest.param("ConfigMap", "air-bus", {"data": {"mosquitto.conf": "listener 1"}}, id="ConfigMap value"),
    pytest.param("ConfigMap", "air-bus", {"data": {"mosquitto.conf": None}}, id="ConfigMap key"),
    pytest.param("ServiceAccount", "air-frost", {"automountServiceAccountToken": True}, id="ServiceAccount field"),
    pytest.param("StatefulSet", "air-bus", {"spec": {"replicas": 0}}, id="StatefulSet replicas"),
    pytest.param("PodDisruptionBudget", "air-http", {"spec": {"maxUnavailable": 2}}, id="PodDisruptionBudget field"),
    pytest.param(
        "Deployment", "air-http", {"metadata": {"labels": {"app.kubernetes.io/component": None}}}, id="label removed"
    ),
    pytest.param(
        "Deployment",
        "air-http",
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}},
        id="label that the watch selects by",
    ),
    pytest.param(
        "Deployment",
        "air-http",
        {"metadata": {"labels": {"sensorthings.city/service": "water"}}},
        id="label that names the service",
    ),
    pytest.param("Deployment", "air-http", {"metadata": {"ownerReferences": None}}, id="owner reference removed"),
]


@pytest.fixture(scope="module")
def ready(module_walk: Walk) -> Walk:
    """One Ready service for all edits: each has to come back to the same objects."""
    module_walk.external({"http": {"replicas": 2}})
    module_walk.becomes_ready()
    module_walk.settle()
    return module_walk


@pytest.mark.parametrize(("kind", "name", "patch"), _DRIFT)
def test_edits_by_hand_are_taken_back(ready: Walk, kind: str, name: str, patch: Patch) -> None:
    before = _told(ready.cluster.require(kind, name))
    ready.cluster.patch(kind, name, patch)

    def check() -> None:
        assert _told(ready.cluster.require(kind, name)) == before

    eventually(check)
    ready.becomes_ready()
    ready.settle()
    managed = ready.cluster.require(kind, name)["metadata"]["managedFields"]
    ours = {entry["operation"] for entry in managed if entry["manager"] == FIELD_MANAGER and "subresource" not in entry}
    assert ours == {"Apply"}, "what an Update owns is not pruned when it is applied no longer"


def _told(live: dict[str, Any]) -> dict[str, Any]:
    """What an object says, without what every write changes."""
    volatile = {"resourceVersion", "generation", "managedFields"}
    metadata = {key: value for key, value in live["metadata"].items() if key not in volatile}
    metadata.get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    return {**{k: v for k, v in live.items() if k != "status"}, "metadata": metadata}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("ServiceAccount", "air-frost"),
        ("ConfigMap", "air-bus"),
        ("Service", "air-http"),
        ("StatefulSet", "air-bus"),
        ("Deployment", "air-mqtt"),
        ("PodDisruptionBudget", "air-http"),
    ],
)
def test_deleted_children_come_back(ready: Walk, kind: str, name: str) -> None:
    uid = ready.cluster.require(kind, name)["metadata"]["uid"]
    ready.cluster.delete(kind, name)

    def check() -> None:
        assert ready.cluster.require(kind, name)["metadata"]["uid"] != uid

    eventually(check)
    ready.becomes_ready()
    ready.settle()


def test_a_deleted_schema_job_runs_again(ready: Walk) -> None:
    name = ready.schema_job()
    uid = ready.cluster.require("Job", name)["metadata"]["uid"]
    ready.cluster.delete("Job", name)

    def check() -> None:
        assert ready.cluster.require("Job", name)["metadata"]["uid"] != uid

    eventually(check)
    ready.becomes_ready()


def test_replicas_scaled_by_hand_come_back(ready: Walk) -> None:
    ready.cluster.patch("Deployment", "air-mqtt", {"spec": {"replicas": 5}}, subresource="scale")

    def check() -> None:
        assert ready.cluster.require("Deployment", "air-mqtt")["spec"]["replicas"] == 1

    eventually(check)
    ready.becomes_ready()


_FOREIGN: list[Any] = [
    pytest.param({"metadata": {"labels": {"team": "water"}}}, lambda o: o["metadata"]["labels"]["team"], id="label"),
    pytest.param(
        {"metadata": {"annotations": {"example.org/seen": "yes"}}},
        lambda o: o["metadata"]["annotations"]["example.org/seen"],
        id="annotation",
    ),
    pytest.param(
        {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}},
        lambda o: o["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"],
        id="kubectl rollout restart",
    ),
    pytest.param({"spec": {"minReadySeconds": 3}}, lambda o: o["spec"]["minReadySeconds"], id="field"),
]


@pytest.mark.parametrize(("patch", "look"), _FOREIGN)
def test_foreign_fields_are_left_alone(ready: Walk, patch: Patch, look: Callable[[Any], Any]) -> None:
    before = ready.settle()
    repairs = ready.operator.repairs("Deployment")
    ready.cluster.patch("Deployment", "air-mqtt", patch)
    put = look(ready.cluster.require("Deployment", "air-mqtt"))
    ready.force_pass()
    assert ready.operator.repairs("Deployment") == repairs
    assert look(ready.cluster.require("Deployment", "air-mqtt")) == put
    applies = {key: n for key, n in ready.operator.calls().items() if key[:2] == ("apply", "Deployment")}
    assert before >= sum(applies.values())


def test_an_injected_sidecar_is_left_alone(ready: Walk) -> None:
    sidecar = {"name": "proxy", "image": "example.org/proxy:1"}
    ready.cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "air-mqtt"},
            "spec": {"template": {"spec": {"containers": [sidecar]}}},
        },
        field_manager="injector",
    )
    ready.force_pass()
    containers = ready.cluster.require("Deployment", "air-mqtt")["spec"]["template"]["spec"]["containers"]
    assert {container["name"] for container in containers} == {"frost-mqtt", "proxy"}


def test_a_status_that_somebody_else_wrote_is_corrected(ready: Walk) -> None:
    ready.becomes_ready()
    ready.cluster.patch("SensorThingsService", "air", {"status": {"version": "9.9.9"}}, subresource="status")

    def check() -> None:
        assert ready.service()["status"]["version"] == "2.0.0"

    eventually(check)
    ready.settle()


def test_a_condition_of_somebody_else_is_left_alone_and_costs_no_write(ready: Walk) -> None:
    ready.becomes_ready()
    foreign = {
        "type": "BackedUp",
        "status": "True",
        "reason": "Nightly",
        "message": "at three",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    ready.cluster.apply_status(
        {
            "apiVersion": "sensorthings.city/v1alpha1",
            "kind": "SensorThingsService",
            "metadata": {"name": "air"},
            "status": {"conditions": [foreign]},
        }
    )
    ready.settle()
    assert ready.condition("BackedUp")["reason"] == "Nightly"
