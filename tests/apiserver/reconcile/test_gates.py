"""What waits for what: Secrets, the database, the schema; paused and hibernated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.apiserver.reconcile.waiting import eventually
from tests.apiserver.reconcile.walk import CREDENTIALS

if TYPE_CHECKING:
    from tests.apiserver.reconcile.walk import Walk

_HASH = "sensorthings.city/credentials-hash"
_NEW_VERSION = {"version": "2.8.0"}


def _template(walk: Walk, name: str) -> dict[str, Any]:
    template: dict[str, Any] = walk.cluster.require("Deployment", name)["spec"]["template"]
    return template


def test_a_missing_secret_is_told_and_heals(walk: Walk) -> None:
    walk.cluster.create(walk.external_manifest())
    message = walk.becomes("DatabaseReachable", "False", "SecretUnusable")
    assert message == f"Secret {CREDENTIALS} does not exist: create it with the keys username, password"
    assert walk.condition("Stalled")["reason"] == "SecretUnusable"
    assert walk.cluster.list("Job") == []

    walk.cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": CREDENTIALS}})

    def lacks() -> None:
        assert "lacks username, password" in walk.condition("DatabaseReachable")["message"]

    eventually(lacks)
    walk.credentials("correct horse")
    walk.becomes_ready()
    assert walk.condition("Stalled")["status"] == "False"


def test_a_changed_secret_runs_the_schema_job_and_then_rolls_the_pods(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    walk.settle()
    job = walk.schema_job()
    before = _template(walk, "air-http")["metadata"]["annotations"][_HASH]

    walk.credentials("battery staple")
    walk.force_pass()
    walk.schema_job(other_than=job)
    assert _template(walk, "air-http")["metadata"]["annotations"][_HASH] == before, "first the Job"

    walk.becomes_ready()
    for name in ("air-http", "air-mqtt"):
        assert _template(walk, name)["metadata"]["annotations"][_HASH] != before
    walk.settle()


def test_pods_of_a_new_version_wait_for_its_schema(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    job, before = walk.schema_job(), _template(walk, "air-http")

    walk.change(_NEW_VERSION)
    new = walk.schema_job(other_than=job)
    walk.becomes("SchemaUpToDate", "False", "SchemaUpdating")
    walk.force_pass()
    assert _template(walk, "air-http") == before
    assert walk.service()["status"]["version"] == "2.0.0"
    assert walk.condition("HTTPAvailable")["status"] == "True"

    walk.cluster.delete("Job", new, propagation="Foreground")
    walk.becomes_ready()
    assert walk.service()["status"]["version"] == "2.8.0"
    assert _template(walk, "air-http")["spec"]["containers"][0]["image"].endswith(":2.8.0")


def test_a_failed_schema_job_leaves_the_old_pods_alone(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    job, before = walk.schema_job(), _template(walk, "air-http")
    walk.change(_NEW_VERSION)
    new = walk.schema_job(other_than=job)
    walk.kubelet.fail_job(new)

    walk.becomes("Stalled", "True", "SchemaFailed")
    walk.becomes("SchemaUpToDate", "False", "SchemaFailed")
    assert walk.condition("HTTPAvailable")["status"] == "True"
    assert _template(walk, "air-http") == before

    walk.change({"version": "2.0.0"})
    walk.becomes_ready()
    assert _template(walk, "air-http") == before


def test_an_unreachable_database_is_told_and_heals(walk: Walk) -> None:
    walk.operator.database_says(walk.host, "CredentialsRefused", "PostgreSQL refused the credentials")
    walk.external()
    walk.becomes("DatabaseReachable", "False", "CredentialsRefused")
    assert walk.condition("Stalled")["reason"] == "CredentialsRefused"
    assert walk.cluster.list("Job") == []

    walk.operator.database_says(walk.host, "DatabaseAnswers", "it answers")
    walk.becomes_ready()

    walk.operator.database_says(walk.host, "DatabaseUnreachable", "PostgreSQL does not answer")
    walk.becomes("Ready", "False", "DatabaseUnreachable")
    assert walk.condition("Stalled")["status"] == "False"
    walk.operator.database_says(walk.host, "DatabaseAnswers", "it answers")
    walk.becomes("Ready", "True", "ServiceReady")


def test_paused_leaves_everything_as_it_is(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    walk.change({"paused": True, "http": {"replicas": 3}})
    walk.becomes("Reconciling", "False", "Paused")
    walk.cluster.delete("Deployment", "air-mqtt")
    walk.force_pass()
    assert walk.cluster.get("Deployment", "air-mqtt") is None
    assert walk.cluster.require("Deployment", "air-http")["spec"]["replicas"] == 1

    walk.change({"paused": False})
    walk.becomes_ready()
    assert walk.cluster.require("Deployment", "air-http")["spec"]["replicas"] == 3


def test_hibernated_runs_no_pod_and_wakes_up(walk: Walk) -> None:
    walk.managed({"http": {"replicas": 2}})
    walk.becomes_ready()
    volumes = {claim["metadata"]["uid"] for claim in walk.cluster.list("PersistentVolumeClaim")}
    before = set(walk.cluster.children())

    walk.change({"hibernated": True})
    walk.becomes("Ready", "False", "Hibernated")

    def asleep() -> None:
        assert walk.cluster.list("Pod", "sensorthings.city/service=air") == []

    eventually(asleep)
    walk.settle()
    assert walk.condition("Stalled")["status"] == "False"
    assert walk.service()["status"]["version"] == "2.0.0"

    walk.change({"hibernated": False})
    walk.becomes_ready()
    assert set(walk.cluster.children()) == before
    assert {claim["metadata"]["uid"] for claim in walk.cluster.list("PersistentVolumeClaim")} == volumes


def test_the_scale_subresource_scales_http(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    walk.cluster.patch("SensorThingsService", "air", {"spec": {"replicas": 3}}, subresource="scale")

    def check() -> None:
        assert walk.cluster.require("Deployment", "air-http")["spec"]["replicas"] == 3

    eventually(check)
    live = walk.becomes_ready()
    assert live["status"]["http"]["readyReplicas"] == 3
    pods = walk.cluster.list("Pod", live["status"]["http"]["selector"])
    assert len(pods) == 3


def test_an_image_that_can_not_be_pulled_is_told(walk: Walk) -> None:
    walk.external()
    walk.kubelet.run("bus")
    walk.kubelet.end_schema_jobs(awaited=True)
    walk.kubelet.cannot_pull("http")
    message = walk.becomes("HTTPAvailable", "False", "ImagePullBackOff")
    assert "frost-server-http:2.0.0" in message
    walk.becomes_ready()


def test_deletion_is_the_garbage_collectors(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    walk.settle()
    before = walk.operator.writes()
    walk.cluster.delete("SensorThingsService", "air")

    def check() -> None:
        assert walk.cluster.children() == {}

    eventually(check)
    assert walk.operator.writes() == before, "the operator neither deletes nor makes anything"
    assert walk.cluster.get("Secret", CREDENTIALS) is not None, "the user's own"
