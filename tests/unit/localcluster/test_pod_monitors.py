"""Which pods Prometheus is sent to, by the words of a PodMonitor."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcluster.addons.pod_monitors import selects, targets

_OPERATOR = {
    "metadata": {"name": "operator", "namespace": "system"},
    "spec": {
        "selector": {"matchLabels": {"app": "operator"}},
        "podMetricsEndpoints": [{"port": "http", "honorLabels": True}],
    },
}
_LIGHTS = {
    "metadata": {"name": "lights", "namespace": "hamburg"},
    "spec": {
        "selector": {"matchLabels": {"city/service": "lights"}},
        "podTargetLabels": ["city/service", "absent"],
        "podMetricsEndpoints": [
            {"port": "status", "path": "/stats/prometheus"},
            {"portNumber": 9400, "scheme": "https"},
        ],
    },
}


def _pod(namespace: str, name: str, labels: dict[str, str], **changed: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": {
            "initContainers": [{"name": "envoy", "ports": [{"name": "status", "containerPort": 8081}]}],
            "containers": [
                {"name": "main", "ports": [{"name": "http", "containerPort": 8080}, {"containerPort": 9400}]}
            ],
        },
        "status": {"phase": "Running", "podIP": "10.0.0.1", **changed},
    }


_POD = _pod("hamburg", "lights-mqtt-1", {"city/service": "lights"})


def test_a_sidecar_among_the_init_containers_is_found() -> None:
    by_name, by_number = targets([_LIGHTS, _OPERATOR], [_POD], honor_labels=False)
    assert by_name["targets"] == ["10.0.0.1:8081"]
    assert by_name["labels"] == {
        "city_service": "lights",
        "job": "hamburg/lights",
        "namespace": "hamburg",
        "pod": "lights-mqtt-1",
        "container": "envoy",
        "endpoint": "status",
        "__metrics_path__": "/stats/prometheus",
        "__scheme__": "http",
    }
    assert by_number["targets"] == ["10.0.0.1:9400"]
    assert by_number["labels"]["__scheme__"] == "https"


def test_endpoints_are_told_apart_by_whether_they_honor_labels() -> None:
    pod = _pod("system", "operator-1", {"app": "operator"})
    assert targets([_OPERATOR], [pod], honor_labels=False) == []
    (found,) = targets([_OPERATOR], [pod], honor_labels=True)
    assert (found["targets"], found["labels"]["__metrics_path__"]) == (["10.0.0.1:8080"], "/metrics")


@pytest.mark.parametrize(
    "pod",
    [
        _pod("hamburg", "ended", {"city/service": "lights"}, phase="Succeeded"),
        _pod("hamburg", "new", {"city/service": "lights"}, podIP=""),
        _pod("hamburg", "other", {"city/service": "parking"}),
        _pod("berlin", "elsewhere", {"city/service": "lights"}),
    ],
    ids=lambda pod: str(pod["metadata"]["name"]),
)
def test_pods_that_are_not_meant(pod: dict[str, Any]) -> None:
    assert targets([_LIGHTS], [pod], honor_labels=False) == []


@pytest.mark.parametrize("where", [{"any": True}, {"matchNames": ["a", "hamburg"]}])
def test_a_monitor_may_look_into_other_namespaces(where: dict[str, Any]) -> None:
    elsewhere: dict[str, Any] = {**_LIGHTS, "metadata": {"name": "x", "namespace": "elsewhere"}}
    assert targets([elsewhere], [_POD], honor_labels=False) == []
    elsewhere["spec"] = {**_LIGHTS["spec"], "namespaceSelector": where}  # type: ignore[dict-item]
    assert len(targets([elsewhere], [_POD], honor_labels=False)) == 2


_Labels = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"))


@given(_Labels, _Labels)
def test_match_labels_are_a_subset(wanted: dict[str, str], labels: dict[str, str]) -> None:
    assert selects({"matchLabels": wanted}, labels) is (wanted.items() <= labels.items())


@given(st.sampled_from("abc"), st.lists(st.sampled_from("xy")), _Labels)
def test_expressions_come_in_opposites(key: str, values: list[str], labels: dict[str, str]) -> None:
    def holds(operator: str) -> bool:
        return selects({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}, labels)

    assert holds("In") is not holds("NotIn")
    assert holds("Exists") is not holds("DoesNotExist")
    assert not holds("In") or holds("Exists")
