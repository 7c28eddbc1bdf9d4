"""AutoscalingActive: every autoscaler that the spec asks for can act. Clients are served also while one can not.

Messages hold no number that an autoscaler decides on, and nothing of its own words, which differ from look to look.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sensorthings_operator.api.modules import Autoscaling
from sensorthings_operator.conditions.chain import Chain, Verdict
from sensorthings_operator.conditions.observed import Answer, Observed
from sensorthings_operator.desired import addresses, http, mqtt

SCALED_TO_ZERO: Final = "the Deployment was scaled to 0, which turns its autoscaler off: scale it to 1 or more"


class AutoscalerState(StrEnum):
    """The reason of an Answer about an autoscaler: what its own conditions come to."""

    ACTING = "Acting"
    STARTING = "Starting"
    METRICS_AWAITED = "MetricsAwaited"
    METRICS_MISSING = "MetricsMissing"
    DISABLED = "Disabled"
    FAILING = "Failing"


@dataclass(frozen=True)
class _Tier:
    """A module that is scaled by its load."""

    title: str
    name: str
    """Of its Deployment and of its autoscaler."""
    bounds: Autoscaling
    answer: Answer | None
    """None while there is no autoscaler."""


def _tiers(observed: Observed) -> Iterator[_Tier]:
    service, spec = observed.service, observed.service.spec
    for title, component, name, bounds in (
        ("HTTP", http.COMPONENT, addresses.http_name(service), spec.http.autoscaling),
        ("MQTT", mqtt.COMPONENT, addresses.mqtt_name(service), spec.mqtt.autoscaling),
    ):
        if bounds is not None:
            yield _Tier(title, name, bounds, observed.autoscalers.get(component))


def _applies(observed: Observed) -> bool:
    return not observed.service.spec.hibernated and any(_tiers(observed))


def _those_that_are(observed: Observed, state: AutoscalerState | None) -> str:
    """Names of the Deployments whose autoscaler is in a state, or is not there; empty where there are none."""
    found = (tier for tier in _tiers(observed) if (tier.answer and tier.answer.reason) == state)
    return ", ".join(tier.name for tier in found)


def _failing(observed: Observed) -> Verdict | None:
    names = _those_that_are(observed, AutoscalerState.FAILING)
    if not names:
        return None
    told = f"{names}: the autoscaler can't do its work; `kubectl describe hpa` says why"
    return Verdict("False", "AutoscalerFailing", told)


def _metrics_missing(observed: Observed) -> Verdict | None:
    names = _those_that_are(observed, AutoscalerState.METRICS_MISSING)
    if not names:
        return None
    told = f"{names}: the cluster serves no CPU metrics: install metrics-server, or see why `kubectl top pods` fails"
    return Verdict("False", "MetricsMissing", told)


def _disabled(observed: Observed) -> Verdict | None:
    names = _those_that_are(observed, AutoscalerState.DISABLED)
    if not names:
        return None
    return Verdict("False", "AutoscalerDisabled", f"{names}: {SCALED_TO_ZERO}")


def _made(observed: Observed) -> Verdict | None:
    names = _those_that_are(observed, None)
    if not names:
        return None
    return Verdict("False", "AutoscalerWaiting", f"{names}: made together with the module", expected=True)


def _starting(observed: Observed) -> Verdict | None:
    names = _those_that_are(observed, AutoscalerState.STARTING)
    if not names:
        return None
    return Verdict("False", "AutoscalerStarting", f"{names}: the autoscaler has not looked yet", expected=True)


def _metrics_awaited(observed: Observed) -> Verdict | None:
    names = _those_that_are(observed, AutoscalerState.METRICS_AWAITED)
    if not names:
        return None
    told = f"{names}: metrics-server has none of these pods yet; they come within a minute of the pods' start"
    return Verdict("False", "MetricsAwaited", told, expected=True)


def _acting(observed: Observed) -> Verdict:
    bounds = (
        f"{tier.name} between {tier.bounds.min_replicas} and {tier.bounds.max_replicas} pods"
        for tier in _tiers(observed)
    )
    return Verdict("True", "AutoscalerReady", f"the load decides: {', '.join(bounds)}")


AUTOSCALING_ACTIVE: Final = Chain(
    "AutoscalingActive",
    (_failing, _metrics_missing, _disabled, _made, _starting, _metrics_awaited, _acting),
    applies=_applies,
    needed=False,
)
