"""The CRDs at a real API server: what it says of them, what it makes of right manifests, and what of wrong ones.

``tests/unit/api/test_validate.py`` puts the same tables before offline validation.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from kubernetes.client import ApiException

from sensorthings_operator.api import crd
from sensorthings_operator.cli.validate import apply_defaults
from tests.unit.api.examples import CONNECTOR, SERVICE, SMALL_SERVICE, Manifest, patched
from tests.unit.api.wrong import WRONG, Wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.apiserver.conftest import Kubectl

pytestmark = pytest.mark.usefixtures("crds")

_PLURALS: Final = {resource.kind: resource.plural for resource in crd.RESOURCES}
_SCHEMAS: Final = {resource.kind: crd.schema(resource) for resource in crd.RESOURCES}


def test_the_api_server_takes_them_without_a_warning(crds: str, kubectl: Kubectl) -> None:
    assert crds == ""
    for resource in crd.RESOURCES:
        conditions = kubectl("get", "customresourcedefinition", resource.name)["status"]["conditions"]
        assert {condition["type"]: condition["status"] for condition in conditions} == {
            "NamesAccepted": "True",
            "Established": "True",
        }


@pytest.mark.parametrize("resource", crd.RESOURCES, ids=lambda resource: resource.kind)
def test_they_are_stored_as_they_were_written(resource: crd.Resource, kubectl: Kubectl) -> None:
    """A server that drops or rewrites a part of the schema would leave a GitOps tool with a difference for ever."""
    stored = kubectl("get", "customresourcedefinition", resource.name)["spec"]
    written = crd.manifest(resource)["spec"]
    assert stored["versions"] == written["versions"]
    assert stored["names"] == written["names"]


RIGHT: Final = {
    "full": SERVICE,
    "small": SMALL_SERVICE,
    "connector": CONNECTOR,
    "whole objects left out": patched(SMALL_SERVICE, {"spec": {"http": {}, "mqtt": {}, "bus": {}}}),
    "volumes without a size": patched(
        SMALL_SERVICE,
        {
            "spec": {
                "bus": {"mosquitto": {"storage": {"storageClassName": "fast"}}},
                "database": {"managed": {"storage": {"storageClassName": "fast"}}},
            }
        },
    ),
    "null for absent": patched(
        SERVICE,
        {
            "spec": {
                "paused": None,
                "mqtt": {"replicas": None},
                "bus": None,
                "http": {"settings": {"defaultTop": None}, "autoscaling": {"minReplicas": None}},
                "imagePullSecrets": None,
            }
        },
    ),
    "gateway": patched(
        SMALL_SERVICE,
        {
            "spec": {
                "host": "iot.city.example",
                "certificate": {"issuerRef": {"name": "ca"}},
                "exposure": {"type": "Gateway", "gateway": {"name": "city"}},
                "http": {"readReplicas": 2},
            }
        },
    ),
    "external connector": {
        **CONNECTOR,
        "spec": {"serviceRef": {"name": "traffic-lights"}, "external": True, "roles": ["create"]},
    },
}


@pytest.mark.parametrize("manifest", RIGHT.values(), ids=RIGHT)
def test_defaults_are_those_of_offline_validation(manifest: Manifest, created: Callable[[Manifest], Any]) -> None:
    assert created(manifest)["spec"] == apply_defaults(_SCHEMAS[manifest["kind"]], manifest)["spec"]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_wrong_manifests_are_refused_with_path_and_what_is_allowed(
    wrong: Wrong, created: Callable[[Manifest], Any]
) -> None:
    with pytest.raises(ApiException) as refused:
        created(wrong.manifest)
    message = json.loads(refused.value.body or "{}")["message"]
    assert [words for words in (wrong.path, *wrong.says) if words not in message] == [], message


def test_unknown_fields_are_pruned_where_validation_is_not_strict(kubectl: Kubectl, namespace: str) -> None:
    manifest = patched(SMALL_SERVICE, {"spec": {"hots": "iot"}})
    stored = kubectl("create", f"--namespace={namespace}", "--validate=ignore", "--filename=-", manifest=manifest)
    assert "hots" not in stored["spec"]


UPDATES: Final = {
    "database type": (
        SMALL_SERVICE,
        {"spec": {"database": SERVICE["spec"]["database"]}},
        ("spec.database.type", "can't be changed"),
    ),
    "volume size": (
        patched(SMALL_SERVICE, {"spec": {"database": {"managed": {}}}}),
        {"spec": {"database": {"managed": {"storage": {"size": "20Gi"}}}}},
        ("spec.database.managed.storage.size", "can't be changed"),
    ),
    "volume class": (
        patched(SMALL_SERVICE, {"spec": {"bus": {"mosquitto": {}}}}),
        {"spec": {"bus": {"mosquitto": {"storage": {"storageClassName": "fast"}}}}},
        ("spec.bus.mosquitto.storage.storageClassName", "can't be changed"),
    ),
    "a connector's service": (
        CONNECTOR,
        {"spec": {"serviceRef": {"name": "other"}}},
        ("spec", "serviceRef can't be changed: make a new connector"),
    ),
}


@pytest.mark.parametrize(("manifest", "patch", "says"), UPDATES.values(), ids=UPDATES)
def test_changes_that_would_leave_data_behind_are_refused(
    manifest: Manifest, patch: Manifest, says: tuple[str, ...], kubectl: Kubectl, namespace: str
) -> None:
    kubectl("create", f"--namespace={namespace}", "--filename=-", manifest=manifest)
    allowed = patched(manifest, {"metadata": {"labels": {"a": "b"}}})
    kubectl("apply", "--server-side", "--force-conflicts", f"--namespace={namespace}", "--filename=-", manifest=allowed)
    changed = patched(manifest, patch)
    refused = kubectl.run(
        "apply", "--server-side", "--force-conflicts", f"--namespace={namespace}", "--filename=-", manifest=changed
    )
    assert refused.returncode != 0
    assert [words for words in says if words not in refused.stderr] == []


def _with_status(kubectl: Kubectl, namespace: str, manifest: Manifest, status: Manifest) -> str:
    """Creates a service and writes its status. Returns what kubectl calls it."""
    kubectl("create", f"--namespace={namespace}", "--filename=-", manifest=manifest)
    name = f"sta/{manifest['metadata']['name']}"
    patch = json.dumps({"status": status})
    kubectl("patch", name, f"--namespace={namespace}", "--subresource=status", "--type=merge", f"--patch={patch}")
    return name


def test_scale_sets_the_replicas_of_http(kubectl: Kubectl, namespace: str) -> None:
    fixed = patched(SMALL_SERVICE, {"spec": {"http": {"replicas": 2}}})
    status = {"http": {"replicas": 2, "readyReplicas": 2, "selector": "sensorthings.city/service=air"}}
    name = _with_status(kubectl, namespace, fixed, status)
    kubectl("scale", name, f"--namespace={namespace}", "--replicas=4")
    scale = kubectl("get", name, f"--namespace={namespace}", "--subresource=scale")
    assert scale["spec"] == {"replicas": 4}
    assert scale["status"] == {"replicas": 2, "selector": "sensorthings.city/service=air"}
    assert kubectl("get", name, f"--namespace={namespace}")["spec"]["http"]["replicas"] == 4


def test_scale_gives_replicas_where_nothing_was_given(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", f"--namespace={namespace}", "--filename=-", manifest=SMALL_SERVICE)
    kubectl("scale", "sta/air", f"--namespace={namespace}", "--replicas=4")
    assert kubectl("get", "sta/air", f"--namespace={namespace}")["spec"]["http"]["replicas"] == 4


def test_scale_is_refused_where_an_autoscaler_owns_the_replicas(kubectl: Kubectl, namespace: str) -> None:
    autoscaled = patched(SMALL_SERVICE, {"spec": {"http": {"autoscaling": {"maxReplicas": 3}}}})
    kubectl("create", f"--namespace={namespace}", "--filename=-", manifest=autoscaled)
    refused = kubectl.run("scale", "sta/air", f"--namespace={namespace}", "--replicas=4")
    assert refused.returncode != 0
    assert "give replicas or autoscaling, not both: an autoscaler owns the number of pods" in refused.stderr


_STATUS: Final = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-11-21T12:00:00Z",
            "reason": "DatabaseUnreachable",
            "message": "no answer",
        }
    ],
    "endpoints": [{"name": "sensorthings", "url": "https://iot.city.example/FROST-Server/v1.1"}],
    "http": {"replicas": 3, "readyReplicas": 2},
    "mqtt": {"replicas": 1, "readyReplicas": 1},
}


def _table(text: str) -> dict[str, str]:
    """The first row of a table of kubectl, by the names of its columns."""
    names, *rows = text.splitlines()
    starts = [names.index(name) for name in names.split()]
    ends = [*starts[1:], None]
    return {names[a:b].strip(): rows[0][a:b].strip() for a, b in zip(starts, ends, strict=True)}


def test_columns_say_what_is_and_why(kubectl: Kubectl, namespace: str) -> None:
    _with_status(kubectl, namespace, SMALL_SERVICE, _STATUS)
    narrow = _table(kubectl.run("get", "sta", f"--namespace={namespace}").stdout)
    assert narrow.pop("AGE")
    assert narrow == {
        "NAME": "air",
        "READY": "False",
        "REASON": "DatabaseUnreachable",
        "HTTP": "2",
        "MQTT": "1",
        "VERSION": "2.0.0",
    }
    wide = _table(kubectl.run("get", "sta", f"--namespace={namespace}", "--output=wide").stdout)
    assert (wide["HTTP-PODS"], wide["MQTT-PODS"]) == ("3", "1")
    assert (wide["URL"], wide["MESSAGE"]) == ("https://iot.city.example/FROST-Server/v1.1", "no answer")


def test_columns_of_a_connector(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", f"--namespace={namespace}", "--filename=-", manifest=CONNECTOR)
    row = _table(kubectl.run("get", "stc", f"--namespace={namespace}").stdout)
    assert (row["SERVICE"], row["SCHEDULE"], row["SUSPENDED"]) == ("traffic-lights", "*/5 * * * *", "false")


def test_the_category_lists_both_kinds(kubectl: Kubectl, namespace: str) -> None:
    for manifest in (SMALL_SERVICE, CONNECTOR):
        kubectl("create", f"--namespace={namespace}", "--filename=-", manifest=manifest)
    named = kubectl.run("get", "sensorthings", f"--namespace={namespace}", "--output=name").stdout.split()
    assert named == ["connector.sensorthings.city/loader", "sensorthingsservice.sensorthings.city/air"]
    assert kubectl.run("delete", "all", "--all", f"--namespace={namespace}").returncode == 0
    assert kubectl("get", "sta", f"--namespace={namespace}")["items"] != []


def test_a_status_can_be_written_only_through_its_subresource(kubectl: Kubectl, namespace: str) -> None:
    manifest = patched(SMALL_SERVICE, {"status": _STATUS})
    created = kubectl("create", f"--namespace={namespace}", "--filename=-", manifest=manifest)
    assert created["status"] == {"observedGeneration": -1}
