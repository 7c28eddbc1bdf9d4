"""A managed database of several instances on a real API server: rights, roles on pods, growing, never shrinking."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from kubernetes.dynamic.exceptions import UnprocessibleEntityError

from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apiserver.conftest import Kubectl
    from tests.apiserver.reconcile.walk import Walk
    from tests.unit.api.examples import Manifest

_ROLE: Final = "sensorthings.city/role"
_MAY_NOT: Final = (
    ("get", "secrets"),
    ("list", "secrets"),
    ("patch", "pods/air-http-0"),
    ("delete", "pods/air-db-0"),
    ("patch", "configmaps/air-db"),
    ("create", "configmaps"),
    ("patch", "statefulsets/air-db"),
    ("create", "pods/exec"),
)
_MAY: Final = (
    ("list", "pods"),
    ("watch", "configmaps"),
    ("patch", "pods/air-db-0"),
    ("patch", "configmaps/air-db-leader"),
    ("get", "configmaps/air-db-leader"),
)


def _pair(instances: int = 2) -> Manifest:
    return {"database": {"type": "Managed", "managed": {"instances": instances}}}


def _label(walk: Walk, pod: str, role: str | None) -> None:
    """As Patroni does."""
    walk.cluster.patch("Pod", pod, {"metadata": {"labels": {_ROLE: role}}}, field_manager="Patroni")


def _roles(walk: Walk) -> dict[str, str]:
    pods = walk.cluster.list("Pod", "app.kubernetes.io/component=database")
    return {pod["metadata"]["name"]: pod["metadata"]["labels"].get(_ROLE, "") for pod in pods}


def _becomes_a_pair(walk: Walk, primary: str = "air-db-0", standby: str = "air-db-1") -> None:
    def both() -> None:
        assert set(_roles(walk)) == {primary, standby}

    eventually(both)
    _label(walk, primary, "primary")
    _label(walk, standby, "replica")
    walk.becomes_ready()


def test_it_becomes_ready_once_patroni_gave_both_pods_a_role(walk: Walk) -> None:
    walk.managed(_pair())
    walk.becomes("InstancesAvailable", "False", "DatabaseStarting")
    walk.kubelet.run()
    _becomes_a_pair(walk)
    walk.becomes("InstancesAvailable", "True", "InstancesReady")
    _label(walk, "air-db-1", None)
    assert "0 of 1 standbys" in walk.becomes("InstancesAvailable", "False", "InstanceMissing")
    walk.becomes("Ready", "False", "InstanceMissing")


def test_its_pods_may_do_what_patroni_needs_and_nothing_else(walk: Walk, kubectl: Kubectl) -> None:
    walk.managed(_pair())
    walk.appears("RoleBinding", "air-db")
    account = f"--as=system:serviceaccount:{walk.cluster.namespace}:air-db"

    def answer(verb: str, what: str) -> str:
        asked = ("auth", "can-i", verb, what, account, f"--namespace={walk.cluster.namespace}")
        return str(kubectl.run(*asked).stdout.strip())

    assert {each: answer(*each) for each in _MAY} == dict.fromkeys(_MAY, "yes")
    assert {each: answer(*each) for each in _MAY_NOT} == dict.fromkeys(_MAY_NOT, "no")


def test_a_single_one_has_no_right(walk: Walk) -> None:
    walk.managed()
    walk.becomes_ready()
    assert not walk.cluster.list("Role")
    assert not walk.cluster.list("RoleBinding")


def test_what_patroni_writes_is_left_alone(walk: Walk) -> None:
    walk.managed(_pair())
    walk.kubelet.run()
    _becomes_a_pair(walk)
    walk.settle()
    leader = {"leader": "air-db-0", "renewTime": "2026-01-01T00:00:00Z", "optime": "1"}
    labels = {"sensorthings.city/service": "air", "sensorthings.city/database": "air-db"}
    writes = walk.operator.writes()
    for name, written in (("air-db-leader", leader), ("air-db-config", {"initialize": "7711276615396806684"})):
        patch = {"metadata": {"annotations": written, "labels": labels}}
        walk.cluster.patch("ConfigMap", name, patch, field_manager="Patroni")
    walk.force_pass()
    assert walk.operator.writes() == writes
    held = walk.cluster.require("ConfigMap", "air-db-leader")["metadata"]["annotations"]
    assert leader.items() <= held.items()
    assert _roles(walk) == {"air-db-0": "primary", "air-db-1": "replica"}

    # What all instances do alike is the operator's.
    walk.cluster.patch("ConfigMap", "air-db-config", {"metadata": {"annotations": {"config": "{}"}}})

    def put_back() -> None:
        annotations = walk.cluster.require("ConfigMap", "air-db-config")["metadata"]["annotations"]
        assert json.loads(annotations["config"]).get("synchronous_mode") is True
        assert annotations["initialize"] == "7711276615396806684"

    eventually(put_back)


def test_one_becomes_two_when_patroni_has_the_first(walk: Walk) -> None:
    walk.managed()
    walk.becomes_ready()
    volume = _claims(walk)
    walk.change(_pair())
    walk.becomes("InstancesAvailable", "False", "PairForming")

    def is_replaced() -> None:
        walk.kubelet.run()
        template = walk.cluster.require("Pod", "air-db-0")["metadata"]["labels"]
        assert "sensorthings.city/database" in template, "the pod is not of the pair yet"

    eventually(is_replaced)
    assert set(_roles(walk)) == {"air-db-0"}
    assert walk.cluster.require("StatefulSet", "air-db")["spec"]["replicas"] == 1
    assert _ROLE not in walk.cluster.require("Service", "air-db-primary")["spec"]["selector"]

    _label(walk, "air-db-0", "primary")
    _becomes_a_pair(walk)
    assert walk.cluster.require("Service", "air-db-primary")["spec"]["selector"][_ROLE] == "primary"
    assert volume <= _claims(walk), "the first one keeps its volume"


def _claims(walk: Walk) -> set[tuple[str, str]]:
    return {(c["metadata"]["name"], c["metadata"]["uid"]) for c in walk.cluster.list("PersistentVolumeClaim")}


@pytest.mark.parametrize(
    "back",
    [{"managed": {"instances": 1}}, {"managed": {"instances": None}}, {"managed": None}],
    ids=["one", "not said", "managed left out"],
)
def test_two_never_become_one(walk: Walk, back: dict[str, Any]) -> None:
    walk.managed(_pair())
    with pytest.raises(UnprocessibleEntityError, match="can't go back to 1: the newest data may be on the instance"):
        walk.change({"database": back})
    walk.change(_pair(3))
    walk.change(_pair(2))


def test_hibernated_it_has_no_pod_and_wakes_with_all(walk: Walk) -> None:
    walk.managed(_pair())
    walk.kubelet.run()
    _becomes_a_pair(walk)
    walk.change({"hibernated": True})
    walk.becomes("InstancesAvailable", "False", "Hibernated")
    walk.change({"hibernated": False})

    def awake() -> None:
        assert set(_roles(walk)) == {"air-db-0", "air-db-1"}

    eventually(awake)


def test_the_operator_gives_on_no_right_that_it_has_not(kubectl: Kubectl, walk: Walk, tmp_path: Path) -> None:
    """Were it to ask for more by a mistake or under somebody's influence, the API server would refuse."""
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["delete"]}]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "more"}, "rules": rules}
    file = tmp_path / "role.json"
    file.write_text(json.dumps(role))
    account = "--as=system:serviceaccount:sensorthings-system:sensorthings-operator"
    namespace = f"--namespace={walk.cluster.namespace}"
    refused = kubectl.run("create", f"--filename={file}", namespace, account)
    assert refused.returncode != 0
    assert "attempting to grant RBAC permissions not currently held" in refused.stderr
