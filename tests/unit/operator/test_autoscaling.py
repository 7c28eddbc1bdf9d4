"""Autoscalers of the modules: what is asked of them, what is made of what they say, what follows for other parts."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from sensorthings_operator.clients.owned import APPLIED_HASH_ANNOTATION, OwnedStore
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.autoscaling import AutoscalerState
from sensorthings_operator.conditions.observed import Answer, Observed
from sensorthings_operator.desired import HTTP, MQTT, children, disruption, stage_children
from sensorthings_operator.desired.database import configuration
from sensorthings_operator.desired.workloads import MIN_REPLICAS_ANNOTATION
from sensorthings_operator.observe.gather import gather
from sensorthings_operator.observe.summaries import SUMMARIES, autoscaler, deployment
from tests.unit.operator.samples import SETTINGS, child, observed, service, workload

Manifest = dict[str, Any]
_BOTH: Final[Manifest] = {
    "http": {"autoscaling": {"minReplicas": 2, "maxReplicas": 10, "targetCPUUtilizationPercentage": 60}},
    "mqtt": {"autoscaling": {"maxReplicas": 6}},
}
_HPA: Final = "HorizontalPodAutoscaler"


def _made(kind: str, spec: Manifest, **fields: Any) -> dict[str, Manifest]:
    found = (manifest for manifest in children(service(spec, **fields), SETTINGS) if manifest["kind"] == kind)
    return {manifest["metadata"]["name"]: manifest for manifest in found}


def test_each_module_has_its_own_autoscaler_in_its_own_stage() -> None:
    for stage, name in ((HTTP, "air-http"), (MQTT, "air-mqtt")):
        made = stage_children(stage, service(_BOTH), SETTINGS)
        assert [manifest["metadata"]["name"] for manifest in made if manifest["kind"] == _HPA] == [name]
    http, mqtt = (manifest["spec"] for manifest in _made(_HPA, _BOTH).values())
    assert (http["minReplicas"], http["maxReplicas"]) == (2, 10)
    assert (mqtt["minReplicas"], mqtt["maxReplicas"]) == (1, 6)
    assert http["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "air-http"}


@pytest.mark.parametrize(("name", "percent"), [("air-http", 60), ("air-mqtt", 70)])
def test_it_looks_at_the_cpu_of_a_container_that_is_there_and_requests_some(name: str, percent: int) -> None:
    (metric,) = _made(_HPA, _BOTH)[name]["spec"]["metrics"]
    source = metric["containerResource"]
    assert source["target"] == {"type": "Utilization", "averageUtilization": percent}
    containers = _made("Deployment", _BOTH)[name]["spec"]["template"]["spec"]["containers"]
    (looked_at,) = (container for container in containers if container["name"] == source["container"])
    assert "cpu" in looked_at["resources"]["requests"]


def test_how_much_may_be_exceeded_is_the_clusters_own_unless_the_spec_says_so() -> None:
    for hpa in _made(_HPA, _BOTH).values():
        assert set(hpa["spec"]["behavior"]) == {"scaleDown"}, "Kubernetes 1.32 knows no tolerance"


@given(st.integers(0, 100))
def test_a_tolerance_is_the_quantity_that_the_api_server_would_write(percent: int) -> None:
    spec = {"http": {"autoscaling": {"maxReplicas": 2, "scaleUpTolerancePercentage": percent}}}
    tolerance = _made(_HPA, spec)["air-http"]["spec"]["behavior"]["scaleUp"]["tolerance"]
    assert parse_quantity(tolerance) * 100 == percent  # type: ignore[no-untyped-call]
    # Canonical: whole thousandths, and no suffix where there are none.
    assert tolerance in {"0", "1"} or (tolerance.endswith("m") and percent % 100)


def test_mqtt_comes_in_more_slowly_than_http() -> None:
    """Whoever is connected to a pod that goes has to connect again."""
    http, mqtt = (manifest["spec"]["behavior"]["scaleDown"] for manifest in _made(_HPA, _BOTH).values())
    assert http["stabilizationWindowSeconds"] < mqtt["stabilizationWindowSeconds"]
    assert mqtt["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]


@pytest.mark.parametrize("spec", [{}, {"http": {"replicas": 3}}, {**_BOTH, "hibernated": True}], ids=str)
def test_there_is_none_that_is_not_asked_for_or_that_would_wake_a_hibernated_service(spec: Manifest) -> None:
    assert _made(_HPA, spec) == {}
    for made in _made("Deployment", spec).values():
        assert "replicas" in made["spec"]
        assert MIN_REPLICAS_ANNOTATION not in made["metadata"].get("annotations", {})


def test_an_autoscaled_deployment_says_the_fewest_pods_and_not_how_many() -> None:
    for name, fewest in (("air-http", "2"), ("air-mqtt", "1")):
        made = _made("Deployment", _BOTH)[name]
        assert "replicas" not in made["spec"]
        assert made["metadata"]["annotations"] == {MIN_REPLICAS_ANNOTATION: fewest}


@pytest.mark.parametrize(
    ("tier", "budget"),
    [
        ({"autoscaling": {"minReplicas": 2, "maxReplicas": 3}}, True),
        ({"autoscaling": {"maxReplicas": 3}}, True),
        ({"autoscaling": {"maxReplicas": 1}}, False),
        ({"replicas": 2}, True),
        ({}, False),
    ],
    ids=str,
)
def test_what_may_have_a_second_pod_has_a_budget(tier: Manifest, budget: bool) -> None:
    names = [manifest["metadata"]["name"] for manifest in disruption.build(service({"http": tier}), SETTINGS)]
    assert names == (["air-http"] if budget else [])


@given(st.integers(1, 500), st.integers(1, 500))
def test_the_database_takes_the_connections_of_the_most_pods(http: int, mqtt: int) -> None:
    """Or scaling out would end in refused connections, or restart the database."""
    bounds = {"http": {"autoscaling": {"maxReplicas": http}}, "mqtt": {"autoscaling": {"maxReplicas": mqtt}}}
    fixed = {"http": {"replicas": http}, "mqtt": {"replicas": mqtt}}
    assert configuration.max_connections(service(bounds)) == configuration.max_connections(service(fixed))


_ABLE: Final = {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale", "message": "50% of 2 pods"}
_ACTIVE: Final = {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "from cpu"}
_FETCH: Final = "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: "


def _inactive(reason: str, message: str = "") -> Manifest:
    return {"type": "ScalingActive", "status": "False", "reason": reason, "message": message}


def _autoscaler(conditions: list[Manifest], **status: Any) -> Manifest:
    return {**child(_HPA, "air-http"), "status": {"conditions": conditions, **status}}


_CONTAINER_METRIC: Final = "FailedGetContainerResourceMetric"


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        ([], "Starting"),
        ([_ABLE], "Starting"),
        ([_ABLE, _ACTIVE], "Acting"),
        ([_ABLE, _inactive(_CONTAINER_METRIC, f"{_FETCH}the server could not find the resource")], "MetricsMissing"),
        ([_ABLE, _inactive("FailedGetResourceMetric", f"{_FETCH}unable to handle the request")], "MetricsMissing"),
        ([_ABLE, _inactive(_CONTAINER_METRIC, "no metrics returned from resource metrics API")], "MetricsAwaited"),
        (
            [_ABLE, _inactive(_CONTAINER_METRIC, "did not receive metrics for targeted pods (pods might be unready)")],
            "MetricsAwaited",
        ),
        ([_ABLE, _inactive("ScalingDisabled")], "Disabled"),
        ([_ABLE, _inactive("AmbiguousSelector")], "Failing"),
        ([{**_ABLE, "status": "False", "reason": "FailedGetScale"}], "Failing"),
        ([{**_ABLE, "status": "False", "reason": "FailedUpdateScale"}, _ACTIVE], "Failing"),
    ],
)
def test_what_an_autoscaler_says_of_itself(conditions: list[Manifest], state: str) -> None:
    assert autoscaler(_autoscaler(conditions)) == Answer(state == "Acting", AutoscalerState(state), "")


def test_its_figures_wake_nobody() -> None:
    store = OwnedStore(SUMMARIES)
    store.put(_HPA, _autoscaler([_ABLE, _ACTIVE], currentReplicas=2, currentMetrics=[{"percent": 50}]))
    able = {**_ABLE, "reason": "ScaleDownStabilized", "message": "recent recommendations were higher"}
    later = _autoscaler([able, _ACTIVE], currentReplicas=4, currentMetrics=[{"percent": 90}], lastScaleTime="now")
    later["metadata"]["resourceVersion"] = "2"
    assert store.put(_HPA, later) is None
    fails = _autoscaler([_ABLE, _inactive(_CONTAINER_METRIC)])
    fails["metadata"]["resourceVersion"] = "3"
    assert store.put(_HPA, fails) is not None


def test_they_are_gathered_by_component() -> None:
    store = OwnedStore(SUMMARIES)
    store.put(_HPA, _autoscaler([_ABLE, _ACTIVE]))
    seen = gather(store, service(_BOTH), schema_job="")
    assert seen.autoscalers == {"http": Answer(True, "Acting", "")}


def _seen(spec: Manifest, **states: AutoscalerState) -> Observed:
    answers = {tier: Answer(state is AutoscalerState.ACTING, state, "") for tier, state in states.items()}
    return observed(service=service(spec), autoscalers=answers)


def test_the_condition_is_there_only_where_the_load_decides() -> None:
    assert "AutoscalingActive" not in evaluate(observed())
    assert "AutoscalingActive" not in evaluate(_seen({**_BOTH, "hibernated": True}))
    assert "AutoscalingActive" in evaluate(_seen(_BOTH))


_STATES: list[Any] = [
    (None, "AutoscalerWaiting", True),
    (AutoscalerState.STARTING, "AutoscalerStarting", True),
    (AutoscalerState.METRICS_AWAITED, "MetricsAwaited", True),
    (AutoscalerState.METRICS_MISSING, "MetricsMissing", False),
    (AutoscalerState.DISABLED, "AutoscalerDisabled", False),
    (AutoscalerState.FAILING, "AutoscalerFailing", False),
]


@pytest.mark.parametrize(("state", "reason", "expected"), _STATES)
def test_one_that_can_not_act_is_named_and_the_service_is_ready_all_the_same(
    state: AutoscalerState | None, reason: str, expected: bool
) -> None:
    states = {} if state is None else {"mqtt": state}
    verdicts = evaluate(_seen(_BOTH, http=AutoscalerState.ACTING, **states))
    verdict = verdicts["AutoscalingActive"]
    assert (verdict.status, verdict.reason, verdict.expected) == ("False", reason, expected)
    assert verdict.message.startswith("air-mqtt: ")
    assert verdicts["Ready"].holds


def test_the_bounds_are_told_once_all_can_act() -> None:
    verdict = evaluate(_seen(_BOTH, http=AutoscalerState.ACTING, mqtt=AutoscalerState.ACTING))["AutoscalingActive"]
    assert (verdict.status, verdict.reason) == ("True", "AutoscalerReady")
    assert "air-http between 2 and 10 pods, air-mqtt between 1 and 6 pods" in verdict.message


def _autoscaled_deployment(replicas: int, available: int, *, fewest: str = "2") -> Manifest:
    counts = {"replicas": replicas, "updatedReplicas": replicas, "availableReplicas": available}
    return {
        **child("Deployment", "air-http", generation=2, annotations={MIN_REPLICAS_ANNOTATION: fewest}),
        "spec": {"replicas": replicas},
        "status": {**counts, "observedGeneration": 2},
    }


@pytest.mark.parametrize(("replicas", "available", "ready"), [(6, 2, True), (6, 1, False), (1, 1, True)])
def test_a_service_stays_ready_while_its_autoscaler_adds_pods(replicas: int, available: int, ready: bool) -> None:
    pods = deployment(_autoscaled_deployment(replicas, available))
    verdicts = evaluate(observed(service=service(_BOTH), http=pods))
    assert verdicts["Ready"].holds == ready
    assert verdicts["HTTPAvailable"].message == f"pods that answer: {available}; the load decides between 2 and 10"


@pytest.mark.parametrize(
    ("applied_hash", "replicas", "status", "settled"),
    [
        pytest.param("old", 6, {}, True, id="more"),
        pytest.param("old", 2, {}, True, id="fewer"),
        pytest.param("old", 6, {"observedGeneration": 2, "replicas": 6, "updatedReplicas": 6}, True, id="more, seen"),
        pytest.param("new", 3, {}, False, id="new pods"),
        pytest.param("new", 6, {}, False, id="new pods and another number"),
        pytest.param(
            "new", 3, {"observedGeneration": 2, "replicas": 4, "updatedReplicas": 1}, False, id="new pods come"
        ),
        pytest.param("new", 3, {"observedGeneration": 2}, True, id="new pods are there"),
    ],
)
def test_it_waits_for_new_pods_and_not_for_another_number(
    applied_hash: str, replicas: int, status: dict[str, int], settled: bool
) -> None:
    store, before = OwnedStore(SUMMARIES), _autoscaled_deployment(3, 3)
    before["status"]["observedGeneration"] = 1
    store.put("Deployment", _sent(before, "old", generation=1, resourceVersion="1"))
    after = {**before, "spec": {"replicas": replicas}, "status": before["status"] | status}
    store.put("Deployment", _sent(after, applied_hash, generation=2, resourceVersion="2"))
    found = gather(store, service(_BOTH), schema_job="").http
    assert found is not None
    assert found.settled == settled


def _sent(deployment: Manifest, applied_hash: str, **metadata: Any) -> Manifest:
    annotations = {**deployment["metadata"]["annotations"], APPLIED_HASH_ANNOTATION: applied_hash}
    return {**deployment, "metadata": {**deployment["metadata"], "annotations": annotations, **metadata}}


def test_an_annotation_that_somebody_spoilt_harms_nobody() -> None:
    assert deployment(_autoscaled_deployment(3, 3, fewest="many")).wanted == 3


def test_a_deployment_scaled_to_zero_by_hand_is_told() -> None:
    asleep = _seen(_BOTH, http=AutoscalerState.DISABLED, mqtt=AutoscalerState.ACTING)
    verdict = evaluate(observed(service=asleep.service, autoscalers=asleep.autoscalers, http=workload(0)))
    assert verdict["HTTPAvailable"].reason == "HTTPScaledToZero"
    assert "turns its autoscaler off" in verdict["HTTPAvailable"].message
    waking = evaluate(observed(service=service(_BOTH), http=workload(0)))
    assert waking["HTTPAvailable"].reason == "HTTPStarting", "nobody did it by hand"
