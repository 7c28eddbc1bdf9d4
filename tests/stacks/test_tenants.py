"""A tenant's namespace: limits that no pod of the operator breaks, nobody in and nobody out, people without Secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sensorthings_operator.desired import children
from sensorthings_operator.desired.settings import OperatorSettings
from tests.unit.operator.samples import service as sample

if TYPE_CHECKING:
    from tests.stacks.programs import Resource, Run


def _in(run: Run, namespace: str, kind: str) -> list[Resource]:
    return [
        each
        for each in run.resources
        if each.inputs.get("kind") == kind and each.inputs["metadata"].get("namespace") == namespace
    ]


def _the(run: Run, namespace: str, kind: str) -> Any:
    (found,) = _in(run, namespace, kind)
    return found.plain


@pytest.mark.parametrize("namespace", ["bicycles", "air"])
def test_each_tenant_has_limits_of_its_own(munich: dict[str, Run], namespace: str) -> None:
    city = munich["city"]
    hard = _the(city, namespace, "ResourceQuota")["spec"]["hard"]
    expected = {"bicycles": ("16", "64Gi", "100"), "air": ("4", "8Gi", "30")}[namespace]
    assert (hard["requests.cpu"], hard["requests.memory"], hard["pods"]) == expected
    assert hard["services.loadbalancers"] == hard["services.nodeports"] == "0"
    (limit,) = _the(city, namespace, "LimitRange")["spec"]["limits"]
    # A default limit may be less than what a container asks for; the API server then refuses its pod.
    assert "default" not in limit
    # A quota of requests refuses pods that name none: the defaults name them.
    assert set(limit["defaultRequest"]) == {"cpu", "memory"}


def test_a_namespace_is_shut_but_for_the_solvers_of_certificates(city: Run) -> None:
    policies = {each.inputs["metadata"]["name"]: each.plain["spec"] for each in _in(city, "traffic", "NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    solvers = policies["http01-solvers"]
    assert solvers["podSelector"] == {"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}}
    (rule,) = solvers["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8089}]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]
    assert set(policies) == {"default-deny", "http01-solvers"}


def test_what_the_operator_makes_opens_the_shut_namespace_by_itself() -> None:
    """Every pod template of a service is selected by a policy of the operator's that says both directions."""
    made = children(sample(), OperatorSettings())
    policies = [each["spec"] for each in made if each["kind"] == "NetworkPolicy"]
    templates = [each["spec"]["template"] for each in made if each["kind"] in {"Deployment", "StatefulSet", "Job"}]
    assert templates
    for template in templates:
        labels = template["metadata"]["labels"].items()
        selecting = [spec for spec in policies if spec["podSelector"]["matchLabels"].items() <= labels]
        assert [spec["policyTypes"] for spec in selecting] == [["Ingress", "Egress"]]


def test_certificates_need_nothing_that_the_quota_refuses(city: Run) -> None:
    """cert-manager's solvers have Services of type NodePort unless the issuer says otherwise."""
    hard = _the(city, "traffic", "ResourceQuota")["spec"]["hard"]
    (issuer,) = [each for each in city.resources if each.inputs.get("kind") == "ClusterIssuer"]
    (solver,) = issuer.plain["spec"]["acme"]["solvers"]
    assert hard["services.nodeports"] == "0"
    assert solver["http01"]["ingress"]["serviceType"] == "ClusterIP"


def test_people_read_no_secret(city: Run) -> None:
    role = _the(city, "traffic", "Role")
    for rule in role["rules"]:
        if "secrets" in rule["resources"]:
            assert not {"get", "list", "watch", "*"} & set(rule["verbs"])
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
    bindings = {each.inputs["metadata"]["name"]: each.plain for each in _in(city, "traffic", "RoleBinding")}
    viewers, editors = bindings["viewers"], bindings["editors"]
    assert viewers["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    assert editors["roleRef"]["name"] == role["metadata"]["name"]
    names = [subject["name"] for subject in viewers["subjects"]]
    assert names == ["00000000-0000-4000-8000-000000000002", "00000000-0000-4000-8000-000000000003"]
    assert [subject["name"] for subject in editors["subjects"]] == ["00000000-0000-4000-8000-000000000003"]


def test_nobody_is_bound_where_nobody_is_named(munich: dict[str, Run]) -> None:
    bindings = {each.inputs["metadata"]["name"] for each in _in(munich["city"], "air", "RoleBinding")}
    assert bindings == {"viewers", "editors"}
    assert [each["name"] for each in _the_subjects(munich["city"], "air", "viewers")] == [
        "00000000-0000-4000-8000-000000000013"
    ]


def _the_subjects(run: Run, namespace: str, name: str) -> list[dict[str, str]]:
    (binding,) = [each for each in _in(run, namespace, "RoleBinding") if each.inputs["metadata"]["name"] == name]
    subjects: list[dict[str, str]] = binding.plain["subjects"]
    return subjects


def test_the_databases_password_lies_with_the_one_tenant_that_uses_it(munich: dict[str, Run]) -> None:
    secrets = [each.inputs["metadata"] for each in munich["city"].of_type("core/v1:Secret")]
    assert {(each["namespace"], each["name"]) for each in secrets} == {
        ("bicycles", "database"),
        ("bicycles", "database-authority"),
    }
    air = _the(munich["city"], "air", "SensorThingsService")
    assert air["spec"]["database"] == {"type": "Managed", "managed": {"storage": {"size": "20Gi"}}}
