"""MonitoringReady: what has the service's metrics scraped is there. Asked for by the spec, needed by no client."""

from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import podmonitor


def _asked_for(observed: Observed) -> bool:
    return observed.service.spec.monitoring.pod_monitor


def _paused(observed: Observed) -> Verdict | None:
    if observed.service.spec.paused:
        return Verdict("Unknown", "Paused", "spec.paused is true: the PodMonitor is not looked at")
    return None


def _api_missing(observed: Observed) -> Verdict | None:
    if podmonitor.KIND in observed.missing_apis:
        told = "the API server does not serve PodMonitor: install the Prometheus Operator; it is then found by itself"
        return Verdict("False", "PrometheusOperatorMissing", told)
    return None


def _refused(observed: Observed) -> Verdict | None:
    for problem in observed.apply_problems:
        if problem.kind == podmonitor.KIND:
            return Verdict("False", problem.reason, f"PodMonitor {problem.name}: {problem.message}")
    return None


def _made(observed: Observed) -> Verdict:
    told = f"PodMonitor {observed.service.name} is there for the Prometheus Operator to find"
    return Verdict("True", "PodMonitorReady", told)


MONITORING_READY: Final = Chain(
    "MonitoringReady",
    (_paused, _api_missing, _refused, _made),
    applies=_asked_for,
    needed=False,
)
