"""A Connector becomes a pod that waits for its token, and says what it lacks; tests speak for the token service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from kubernetes.dynamic.exceptions import UnprocessibleEntityError

from tests.apiserver.reconcile.waiting import eventually
from tests.unit.api.examples import patched

if TYPE_CHECKING:
    from tests.apiserver.reconcile.walk import Walk
    from tests.unit.api.examples import Manifest

_LOADER: Final[Manifest] = {
    "apiVersion": "sensorthings.city/v1alpha1",
    "kind": "Connector",
    "metadata": {"name": "loader"},
    "spec": {"serviceRef": {"name": "air"}, "container": {"image": "localhost/loader:1"}},
}
_WORKLOAD: Final = "loader-connector"
_REALM: Final = {"auth": {"type": "Keycloak", "keycloak": {"realm": "nowhere"}, "none": None}}


def _loader(walk: Walk, spec: Manifest | None = None) -> Manifest:
    return walk.cluster.create(patched(_LOADER, {"spec": spec or {}}))


def _becomes(walk: Walk, type_: str, status: str, reason: str) -> str:
    def check() -> str:
        live = walk.cluster.require("Connector", "loader")
        found = [each for each in live.get("status", {}).get("conditions", ()) if each["type"] == type_]
        assert found, f"there is no condition {type_} yet"
        assert (found[0]["status"], found[0]["reason"]) == (status, reason), found
        assert found[0]["observedGeneration"] == live["metadata"]["generation"], found[0]
        return str(found[0]["message"])

    return eventually(check)


def _token_issued(walk: Walk, status: str = "True", reason: str = "TokenIssued") -> None:
    """What the token service writes."""
    told = {
        "type": "TokenIssued",
        "status": status,
        "reason": reason,
        "message": "said by a test",
        "observedGeneration": walk.cluster.require("Connector", "loader")["metadata"]["generation"],
        "lastTransitionTime": "2026-11-23T12:00:00Z",
    }
    token = {"issuedAt": "2026-11-23T12:00:00Z", "expiresAt": "2026-11-23T12:05:00Z"}
    body = {**_LOADER, "status": {"conditions": [told], "token": token}}
    walk.cluster.apply_status({key: body[key] for key in body if key != "spec"}, field_manager="sensorthings-tokens")


def test_it_runs_once_its_service_is_there_and_has_its_token(walk: Walk) -> None:
    _loader(walk)
    assert "SensorThingsService" in _becomes(walk, "Stalled", "True", "ServiceMissing")
    assert walk.cluster.get("Deployment", _WORKLOAD) is None
    walk.external(_REALM)
    deployment = walk.appears("Deployment", _WORKLOAD)
    pod = deployment["spec"]["template"]["spec"]
    assert pod["containers"][0]["env"][0]["name"] == "SENSORTHINGS_URL"
    (volume,) = [each for each in pod["volumes"] if "projected" in each]
    assert volume["projected"]["sources"] == [{"secret": {"name": "loader-token"}}]
    walk.kubelet.run("connector")
    _becomes(walk, "Ready", "False" if _status(walk) else "Unknown", "TokenServiceNotSeen")
    _token_issued(walk)
    _becomes(walk, "Ready", "True", "ConnectorReady")
    live = walk.cluster.require("Connector", "loader")["status"]
    assert live["token"]["expiresAt"] == "2026-11-23T12:05:00Z", "the token service's part stays"
    assert [each["message"] for each in live["conditions"] if each["type"] == "TokenIssued"] == ["said by a test"]


def _status(walk: Walk) -> bool:
    return "status" in walk.cluster.require("Connector", "loader")


def test_suspended_scheduled_and_deleted(walk: Walk) -> None:
    walk.external()
    _loader(walk)
    _token_issued(walk, reason="TokenNotNeeded")
    walk.appears("Deployment", _WORKLOAD)
    walk.kubelet.run("connector")
    _becomes(walk, "Ready", "True", "ConnectorReady")

    walk.cluster.patch("Connector", "loader", {"spec": {"suspend": True}})
    _becomes(walk, "PodsAvailable", "False", "Suspended")
    assert walk.cluster.require("Deployment", _WORKLOAD)["spec"]["replicas"] == 0

    walk.cluster.patch("Connector", "loader", {"spec": {"suspend": False, "schedule": "0 1 * * *"}})
    walk.appears("CronJob", _WORKLOAD)
    walk.disappears("Deployment", _WORKLOAD)
    _becomes(walk, "PodsAvailable", "True", "Scheduled")

    walk.cluster.delete("Connector", "loader")
    walk.disappears("CronJob", _WORKLOAD)
    walk.disappears("NetworkPolicy", _WORKLOAD)


def test_what_is_changed_by_hand_comes_back(walk: Walk) -> None:
    walk.external()
    _loader(walk)
    walk.appears("Deployment", _WORKLOAD)
    evil = {"name": "connector", "image": "example.org/evil:1"}
    walk.cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": _WORKLOAD},
            "spec": {"template": {"spec": {"containers": [evil]}}},
        }
    )

    def check() -> None:
        live = walk.cluster.require("Deployment", _WORKLOAD)
        assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "localhost/loader:1"
        told = [each for each in walk.cluster.list("Event") if each["reason"] == "Repaired"]
        assert [each["regarding"]["kind"] for each in told] == ["Connector"]

    eventually(check)


def test_it_leaves_a_service_that_goes(walk: Walk) -> None:
    walk.external()
    _loader(walk)
    walk.appears("Deployment", _WORKLOAD)
    walk.cluster.delete("SensorThingsService", "air")
    _becomes(walk, "ServiceFound", "False", "ServiceMissing")
    walk.disappears("Deployment", _WORKLOAD)


_REFUSED: Final[list[tuple[Manifest, str]]] = [
    ({"external": True}, "a connector has a container, or is external"),
    ({"roles": []}, "spec.roles"),
    ({"roles": ["admin"]}, "spec.roles"),
    ({"container": None, "external": True, "schedule": "@daily"}, "schedule needs a container"),
    ({"devices": [{"name": "a"}, {"name": "a"}]}, "Duplicate value"),
    ({"devices": [{"name": "A"}]}, "spec.devices"),
    ({"container": {"image": "a", "runAsUser": 0}}, "spec.container.runAsUser"),
]


@pytest.mark.parametrize(("spec", "told"), _REFUSED)
def test_what_makes_no_sense_is_refused(walk: Walk, spec: Any, told: str) -> None:
    with pytest.raises(UnprocessibleEntityError) as refused:
        _loader(walk, {key: value for key, value in spec.items() if value is not None} | _absent(spec))
    assert told in str(refused.value.body)


def _absent(spec: Manifest) -> Manifest:
    return {key: None for key, value in spec.items() if value is None}
