"""Figures of services for Prometheus: pods, autoscalers, conditions. Collected when asked for, from what is known.

They change all the time, so they wake no pass and stand in no status. The operator registers the collector.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sensorthings_operator.clients.owned import Owned, OwnedStore, Summarise
from sensorthings_operator.desired import http, mqtt
from sensorthings_operator.observe.delivery import ready_pod
from sensorthings_operator.observe.hosts import gateway_addresses, ingress_addresses
from sensorthings_operator.observe.services import Services

_TIERS: Final = (http.COMPONENT, mqtt.COMPONENT)
_CPU_METRICS: Final = {"Resource": "resource", "ContainerResource": "containerResource"}
"""Types of an autoscaler's metrics that can be about CPU, and the member that describes them (autoscaling/v2)."""


def deployment(live: Mapping[str, Any]) -> dict[str, float]:
    """Pods of a tier."""
    return {"wanted": live["spec"].get("replicas", 1), "ready": live.get("status", {}).get("readyReplicas", 0)}


def autoscaler(live: Mapping[str, Any]) -> dict[str, float]:
    """Bounds and figures of a HorizontalPodAutoscaler; CPU in percent of what the pods request."""
    spec, status = live["spec"], live.get("status", {})
    figures: dict[str, float] = {
        "min": spec.get("minReplicas", 1),
        "max": spec["maxReplicas"],
        "current": status.get("currentReplicas", 0),
        "desired": status.get("desiredReplicas", 0),
    }
    target = _cpu(spec.get("metrics") or (), "target")
    if target is not None:
        figures["cpu_target"] = target
    current = _cpu(status.get("currentMetrics") or (), "current")
    return figures if current is None else {**figures, "cpu": current}


def _cpu(metrics: Any, part: str) -> float | None:
    for metric in metrics:
        described: Mapping[str, Any] = metric.get(_CPU_METRICS.get(metric["type"], ""), {})
        if described.get("name") == "cpu" and "averageUtilization" in described[part]:
            return float(described[part]["averageUtilization"])
    return None


FIGURES: Final[Mapping[str, Summarise]] = {
    "Deployment": deployment,
    "HorizontalPodAutoscaler": autoscaler,
    "Gateway": gateway_addresses,
    "Ingress": ingress_addresses,
    "Pod": ready_pod,
}
"""What the store keeps that wakes no pass, by kind: for the collector, and for what is asked beside the passes."""


class ServiceFigures(Collector):
    """Gauges of all services, by namespace, service and tier."""

    def __init__(self, services: Services, store: OwnedStore) -> None:
        self._services = services
        self._store = store

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family for each figure."""
        pods = _family("replicas", "Pods of a tier: what its Deployment asks for, and those that are ready.", "state")
        scaled = _family("autoscaler_replicas", "Bounds and decisions of a tier's autoscaler.", "state")
        cpu = _family("autoscaler_cpu_utilization_percent", "CPU use of a tier's pods, in percent of their requests.")
        target = _family("autoscaler_cpu_target_percent", "CPU use that a tier's autoscaler aims at.")
        for child, tier in self._tiers():
            where = [child.namespace, child.service, tier]
            figures = child.figures
            for state in ("wanted", "ready") if child.kind == "Deployment" else ("min", "max", "current", "desired"):
                family = pods if child.kind == "Deployment" else scaled
                family.add_metric([*where, state], figures[state])
            if "cpu" in figures:
                cpu.add_metric(where, figures["cpu"])
            if "cpu_target" in figures:
                target.add_metric(where, figures["cpu_target"])
        yield from (pods, scaled, cpu, target, self._conditions())

    def _tiers(self) -> Iterator[tuple[Owned, str]]:
        for key in self._services:
            for child in self._store.of_service(key):
                if isinstance(child.figures, dict) and child.component in _TIERS:
                    yield child, child.component

    def _conditions(self) -> GaugeMetricFamily:
        family = GaugeMetricFamily(
            "sensorthings_condition",
            "1 for the status that a condition of a service has.",
            labels=["namespace", "service", "type", "status"],
        )
        for namespace, name in self._services:
            body = self._services.get((namespace, name)) or {}
            for condition in body.get("status", {}).get("conditions", ()):
                family.add_metric([namespace, name, condition["type"], condition["status"]], 1)
        return family


def _family(name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"sensorthings_{name}", documentation, labels=["namespace", "service", "tier", *labels])
