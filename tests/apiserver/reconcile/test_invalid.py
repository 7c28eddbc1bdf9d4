"""Specs that can't be acted on, and got past the API server: under an older CRD, or since this release does less."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.client import CustomObjectsApi

from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubernetes.dynamic import DynamicClient

    from tests.apiserver.reconcile.walk import Walk

_CRD = "sensorthingsservices.sensorthings.city"


def test_what_this_release_does_not_do_is_refused_with_its_path(walk: Walk) -> None:
    walk.external()
    walk.becomes_ready()
    before, versions = walk.service()["status"], walk.cluster.versions()

    walk.change({"auth": {"anonymousRead": False}, "version": "9.9.9"})
    message = walk.becomes("Stalled", "True", "UnknownVersion")
    assert "spec.version" in message
    assert "spec.auth.anonymousRead" in message
    assert walk.condition("Ready")["status"] == "False"
    assert walk.condition("Reconciling")["status"] == "False"
    walk.force_pass()
    assert walk.cluster.versions() == versions, "what runs goes on"
    parts = {c["type"]: c for c in walk.service()["status"]["conditions"] if c["type"].endswith(("able", "Date"))}
    assert parts == {c["type"]: c for c in before["conditions"] if c["type"] in parts}, "nothing new is known of them"
    assert walk.service()["status"]["endpoints"] == before["endpoints"]

    walk.change({"auth": {"anonymousRead": True}, "version": "2.0.0"})
    walk.becomes_ready()


@pytest.fixture
def without_schema(kubernetes_client: DynamicClient) -> Iterator[None]:
    """The CRD as an older release may have had it: it takes any spec."""
    crds = kubernetes_client.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
    original = crds.get(name=_CRD).to_dict()["spec"]["versions"]
    loose = deepcopy(original)
    loose[0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
    }

    def put(versions: list[dict[str, Any]]) -> None:
        crds.patch(body={"spec": {"versions": versions}}, name=_CRD, content_type="application/merge-patch+json")

    put(loose)
    yield
    put(original)


@pytest.mark.usefixtures("without_schema")
def test_a_spec_of_wrong_types_stops_only_its_own_service(walk: Walk, kubernetes_client: DynamicClient) -> None:
    walk.credentials("correct horse")
    wrong = walk.external_manifest({"mqtt": {"replicas": "three"}, "database": {"type": "Nowhere"}}, name="wrong")
    api = CustomObjectsApi(kubernetes_client.client)

    def slips_in() -> None:
        try:
            api.create_namespaced_custom_object(
                "sensorthings.city", "v1alpha1", walk.cluster.namespace, "sensorthingsservices", wrong
            )
        except Exception as error:  # noqa: BLE001, RUF100 - the looser CRD takes a moment
            raise AssertionError from error

    eventually(slips_in)
    message = walk.becomes("Stalled", "True", "InvalidSpec", name="wrong")
    assert "spec.mqtt.replicas: must be a whole number from 0 to 1000" in message
    assert "spec.database.type: must be one of External, Managed" in message

    # No defaults come from this CRD: the operator's types have the same.
    walk.external()
    walk.becomes_ready()
    walk.cluster.delete("SensorThingsService", "wrong")
    walk.disappears("SensorThingsService", "wrong")
