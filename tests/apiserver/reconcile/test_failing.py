"""Passes that fail for a cause outside of the service: what people are told of it, and that it ends by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubernetes.dynamic import DynamicClient

    from tests.apiserver.reconcile.walk import Walk


@pytest.fixture
def dead_webhook(walk: Walk, kubernetes_client: DynamicClient) -> Iterator[Any]:
    """An admission webhook for Deployments that nobody answers: the API server says 500 to whoever writes one."""
    name = f"dead-{walk.cluster.namespace}"
    kind = kubernetes_client.resources.get(
        api_version="admissionregistration.k8s.io/v1", kind="ValidatingWebhookConfiguration"
    )
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["*"]}
    webhook = {
        "name": "dead.example.org",
        "clientConfig": {"url": "https://127.0.0.1:1/validate"},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": walk.cluster.namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 2,
    }
    kind.create(body={"metadata": {"name": name}, "webhooks": [webhook]})

    def heal() -> None:
        kind.delete(name=name)

    yield heal
    if any(each.metadata.name == name for each in kind.get().items):
        heal()


def _told(walk: Walk) -> list[str]:
    return [event["note"] for event in walk.cluster.list("Event") if event["reason"] == "PassFailed"]


def test_a_pass_that_fails_again_and_again_is_told_and_heals(walk: Walk, dead_webhook: Any) -> None:
    walk.external()
    walk.schema_job()
    walk.kubelet.end_schema_jobs(awaited=True)
    message = walk.becomes("Reconciling", "True", "PassFailed", seconds=30)
    assert "dead.example.org" in message
    assert "deployments/air-" in message, "which object it was"
    assert walk.condition("Ready")["status"] != "True"
    assert any("dead.example.org" in note for note in eventually(lambda: _some(_told(walk))))

    version = walk.service()["metadata"]["resourceVersion"]
    walk.force_pass()
    assert walk.service()["metadata"]["resourceVersion"] == version, "the same failure is told once"

    dead_webhook()
    walk.becomes_ready(seconds=60)
    assert walk.condition("Reconciling")["reason"] == "Settled"


def test_a_service_that_was_ready_stays_ready_and_says_what_fails(walk: Walk, request: pytest.FixtureRequest) -> None:
    walk.external()
    walk.becomes_ready()
    request.getfixturevalue("dead_webhook")
    walk.change({"http": {"replicas": 2}})
    walk.becomes("Reconciling", "True", "PassFailed", seconds=30)
    ready = next(c for c in walk.service()["status"]["conditions"] if c["type"] == "Ready")
    assert ready["status"] == "True", "clients are served as before"
    assert ready["observedGeneration"] < walk.service()["metadata"]["generation"], "of the spec before"


def _some(found: list[str]) -> list[str]:
    assert found
    return found
