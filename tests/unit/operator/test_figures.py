"""What Prometheus is told of services, and that it wakes nobody."""

from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.observe.figures import FIGURES, ServiceFigures
from sensorthings_operator.observe.services import Services
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.operator.samples import body, child

_ORDER = ("namespace", "service", "tier", "state", "type", "status")
_LABELS = {"sensorthings.city/service": "air", "app.kubernetes.io/component": "http"}


def _autoscaler(version: int, cpu: int) -> dict[str, Any]:
    metric = {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "frost-http"}}
    wanted = {**metric["containerResource"], "target": {"type": "Utilization", "averageUtilization": 70}}  # type: ignore[dict-item]
    seen = {**metric["containerResource"], "current": {"averageUtilization": cpu}}  # type: ignore[dict-item]
    return {
        **child("HorizontalPodAutoscaler", "air-http", resourceVersion=str(version), labels=_LABELS),
        "spec": {"minReplicas": 1, "maxReplicas": 4, "metrics": [{**metric, "containerResource": wanted}]},
        "status": {
            "currentReplicas": 1,
            "desiredReplicas": 2,
            "currentMetrics": [{**metric, "containerResource": seen}],
            "conditions": [{"type": "ScalingActive", "status": "True"}],
        },
    }


def _samples(services: Services, store: OwnedStore) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(ServiceFigures(services, store))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (
            sample.name.removeprefix("sensorthings_"),
            *(sample.labels[n] for n in _ORDER if n in sample.labels),
        ): sample.value
        for family in families
        for sample in family.samples
    }


def _known() -> tuple[Services, OwnedStore]:
    services, store = Services(), OwnedStore(SUMMARIES, FIGURES)
    conditions = [{"type": "Ready", "status": "True", "reason": "ServiceReady"}]
    services.put({**body(), "status": {"conditions": conditions}})
    deployment = child("Deployment", "air-http", labels=_LABELS)
    store.put("Deployment", {**deployment, "spec": {"replicas": 2}, "status": {"readyReplicas": 1}})
    store.put("HorizontalPodAutoscaler", _autoscaler(1, cpu=35))
    return services, store


def test_pods_autoscalers_and_conditions_are_told() -> None:
    where = ("hamburg", "air")
    assert _samples(*_known()) == {
        ("replicas", *where, "http", "wanted"): 2,
        ("replicas", *where, "http", "ready"): 1,
        ("autoscaler_replicas", *where, "http", "min"): 1,
        ("autoscaler_replicas", *where, "http", "max"): 4,
        ("autoscaler_replicas", *where, "http", "current"): 1,
        ("autoscaler_replicas", *where, "http", "desired"): 2,
        ("autoscaler_cpu_utilization_percent", *where, "http"): 35,
        ("autoscaler_cpu_target_percent", *where, "http"): 70,
        ("condition", *where, "Ready", "True"): 1,
    }


def test_a_figure_that_changes_is_no_news() -> None:
    services, store = _known()
    assert store.put("HorizontalPodAutoscaler", _autoscaler(2, cpu=90)) is None
    assert _samples(services, store)["autoscaler_cpu_utilization_percent", "hamburg", "air", "http"] == 90


def test_an_autoscaler_that_has_not_looked_yet_has_no_use_of_cpu() -> None:
    services, store = _known()
    live = _autoscaler(3, cpu=1)
    del live["status"]
    assert store.put("HorizontalPodAutoscaler", live) is not None, "it does not act any more"
    assert ("autoscaler_cpu_utilization_percent", "hamburg", "air", "http") not in _samples(services, store)


def test_a_service_that_went_is_told_no_more() -> None:
    services, store = _known()
    services.remove(body())
    assert _samples(services, store) == {}
