"""What the spec no longer asks for goes, if it is ours; there and back again is as if nothing had been."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from tests.apiserver.reconcile.walk import Walk

_EXTERNAL_BUS = {"bus": {"type": "External", "external": {"host": "bus.city.example"}, "mosquitto": None}}
_KEEP = {"mosquitto": {"storage": {"whenDeleted": "Retain"}}}
_OWN_BUS = {"bus": {"type": "Mosquitto", "external": None, **_KEEP}}


def _names(walk: Walk) -> set[tuple[str, str]]:
    return set(walk.cluster.children())


def test_bus_to_external_and_back(walk: Walk) -> None:
    walk.external({"bus": _KEEP})
    walk.becomes_ready()
    before = _names(walk)
    bus = {key for key in before if key[1].startswith("air-bus")}
    kinds = {"ConfigMap", "Service", "ServiceAccount", "StatefulSet", "NetworkPolicy", "Secret"}
    assert {kind for kind, _ in bus} == kinds

    walk.change(_EXTERNAL_BUS)
    walk.becomes_ready()

    def gone() -> None:
        assert _names(walk) == before - bus

    eventually(gone)
    assert walk.condition("BusConnected")["reason"] == "BusExternal"
    assert walk.cluster.list("PersistentVolumeClaim"), "volumes are never pruned"

    walk.change(_OWN_BUS)
    walk.becomes_ready()
    assert _names(walk) == before
    walk.settle()


def test_a_disruption_budget_comes_and_goes_with_the_second_pod(walk: Walk) -> None:
    walk.external({"http": {"replicas": 2}})
    walk.becomes_ready()
    assert walk.cluster.get("PodDisruptionBudget", "air-http") is not None
    assert walk.cluster.get("PodDisruptionBudget", "air-mqtt") is None
    walk.change({"http": {"replicas": 1}})
    walk.disappears("PodDisruptionBudget", "air-http")
    walk.becomes_ready()


def test_what_only_looks_like_ours_is_not_pruned(walk: Walk) -> None:
    """Our labels on somebody else's object; our owner on an object that somebody else made."""
    live = walk.external()
    walk.becomes_ready()
    labels = {"app.kubernetes.io/managed-by": "sensorthings-operator", "sensorthings.city/service": "air"}
    owner = {
        **{key: live[key] for key in ("apiVersion", "kind")},
        **{key: live["metadata"][key] for key in ("name", "uid")},
        "controller": True,
    }
    walk.cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "labelled", "labels": labels}})
    walk.cluster.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "owned", "labels": labels, "ownerReferences": [owner]},
        }
    )
    walk.settle()
    assert walk.cluster.get("ConfigMap", "labelled") is not None
    assert walk.cluster.get("ConfigMap", "owned") is not None


def test_the_old_schema_job_goes_once_the_new_one_is_done(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    old = walk.schema_job()
    walk.change({"http": {"settings": {"defaultTop": "50"}}})
    walk.schema_job(other_than=old)
    walk.becomes_ready()
    walk.disappears("Job", old)
    assert len(walk.cluster.list("Job")) == 1
