"""Autoscalers, routes and certificates, as ``sensorthings status`` shows them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensorthings_operator.cli.arrival import instant
from sensorthings_operator.cli.status.model import Autoscaler, Certificate, Route, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sensorthings_operator.cli.status.snapshot import Object


def autoscaler(live: Object) -> Autoscaler:
    """A HorizontalPodAutoscaler (autoscaling/v2)."""
    spec, status = live["spec"], live.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    active = conditions.get("ScalingActive", {})
    troubles = tuple(
        f"{condition.get('reason', type_)}: {condition.get('message', '')}"
        for type_, condition in conditions.items()
        if type_ in {"ScalingActive", "AbleToScale"}
        and condition["status"] == "False"
        and condition.get("reason") != "ScalingDisabled"
    )
    state = State.OFF if active.get("reason") == "ScalingDisabled" else State.OK if active else State.WAITING
    return Autoscaler(
        name=live["metadata"]["name"],
        target=f"{spec['scaleTargetRef']['kind']} {spec['scaleTargetRef']['name']}",
        minimum=spec.get("minReplicas", 1),
        maximum=spec["maxReplicas"],
        current=status.get("currentReplicas", 0),
        desired=status.get("desiredReplicas", 0),
        cpu=_cpu(status.get("currentMetrics"), "current"),
        target_cpu=_cpu(spec.get("metrics"), "target"),
        troubles=troubles,
        state=State.TROUBLE if troubles else state,
    )


def _cpu(metrics: list[dict[str, Any]] | None, side: str) -> int | None:
    for metric in metrics or ():
        resource = metric.get("resource", {})
        if resource.get("name") == "cpu":
            utilization = resource.get(side, {}).get("averageUtilization")
            return int(utilization) if utilization is not None else None
    return None


def route(live: Object) -> Route:
    """An Ingress."""
    balancer = live.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    addresses = tuple(each.get("hostname") or each["ip"] for each in balancer if each.get("hostname") or each.get("ip"))
    return Route(
        kind=live["kind"],
        name=live["metadata"]["name"],
        urls=tuple(_urls(live)),
        addresses=addresses,
        troubles=(),
        state=State.OK if addresses else State.WAITING,
    )


def _urls(live: Object) -> Iterator[str]:
    for rule in live["spec"].get("rules", ()):
        for path in rule.get("http", {}).get("paths", ()):
            yield f"{rule.get('host', '*')}{path.get('path', '/')}"


def certificate(live: Object, now: datetime) -> Certificate:
    """A Certificate of cert-manager (cert-manager.io/v1)."""
    status = live.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    expires = instant(status.get("notAfter"))
    issuing = conditions.get("Issuing", {})
    troubles = [f"Expired: it was valid until {status['notAfter']}"] if expires and expires <= now else []
    if issuing.get("status") == "False":
        troubles.append(f"{issuing.get('reason', 'Failed')}: {issuing.get('message', '')}")
    ready = conditions.get("Ready", {}).get("status") == "True"
    return Certificate(
        name=live["metadata"]["name"],
        hosts=tuple(live["spec"].get("dnsNames", ())),
        expires=status.get("notAfter"),
        renewal=status.get("renewalTime"),
        troubles=tuple(troubles),
        state=State.TROUBLE if troubles else State.OK if ready else State.WAITING,
    )
