"""Objects that have the names of children and are not ours, or not any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from tests.apiserver.reconcile.walk import Walk


def test_an_object_of_somebody_else_is_not_touched_until_it_is_gone(walk: Walk) -> None:
    theirs = walk.cluster.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "air-bus"}, "data": {"theirs": "yes"}}
    )
    walk.external()
    message = walk.becomes("Stalled", "True", "NameTaken")
    assert "ConfigMap air-bus" in message
    assert walk.condition("Ready")["status"] == "False"
    assert walk.cluster.require("ConfigMap", "air-bus") == theirs

    walk.cluster.delete("ConfigMap", "air-bus")
    # Not watched, since it does not carry our label: an edit or the next try finds the name free.
    walk.force_pass()
    walk.becomes_ready()
    assert "mosquitto.conf" in walk.cluster.require("ConfigMap", "air-bus")["data"]


def test_a_secret_of_somebody_else_is_not_touched(walk: Walk) -> None:
    theirs = walk.cluster.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "air-db-credentials"}, "stringData": {"a": "b"}}
    )
    walk.managed()
    assert "Secret air-db-credentials" in walk.becomes("Stalled", "True", "NameTaken")
    assert walk.cluster.require("Secret", "air-db-credentials") == theirs
    walk.cluster.delete("Secret", "air-db-credentials")
    walk.becomes_ready()


def test_a_service_made_again_under_its_name_gets_children_of_its_own(walk: Walk) -> None:
    """Those of the deleted one are left to the garbage collector, never taken over, and then replaced."""
    walk.external()
    walk.becomes_ready()
    old = {key: live["metadata"]["uid"] for key, live in walk.cluster.children().items()}
    walk.cluster.delete("SensorThingsService", "air")
    walk.external()
    live = walk.becomes_ready()

    def check() -> None:
        children = walk.cluster.children()
        owners = {child["metadata"]["ownerReferences"][0]["uid"] for child in children.values()}
        assert owners == {live["metadata"]["uid"]}
        assert not {child["metadata"]["uid"] for child in children.values()} & set(old.values())

    eventually(check)


def test_orphaned_children_are_taken_over(walk: Walk) -> None:
    """``kubectl delete --cascade=orphan`` and apply again: how a service is moved without an outage."""
    walk.external()
    walk.becomes_ready()
    before = walk.cluster.require("Deployment", "air-http")["metadata"]["uid"]
    walk.cluster.delete("SensorThingsService", "air", propagation="Orphan")
    walk.disappears("SensorThingsService", "air")
    walk.external()
    live = walk.becomes_ready()
    after = walk.cluster.require("Deployment", "air-http")["metadata"]
    assert after["uid"] == before
    assert [owner["uid"] for owner in after["ownerReferences"]] == [live["metadata"]["uid"]]


def test_two_services_do_not_disturb_each_other(walk: Walk) -> None:
    walk.external()
    walk.external(name="water")
    walk.becomes_ready()
    walk.becomes_ready("water")
    walk.cluster.delete("SensorThingsService", "air")
    walk.disappears("Deployment", "air-http")
    walk.force_pass("water")
    assert walk.condition("Ready", "water")["status"] == "True"
