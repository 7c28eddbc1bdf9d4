"""HTTPAvailable and MQTTAvailable: FROST-Server's modules have pods that answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sensorthings_operator.api.modules import Autoscaling, Tier
from sensorthings_operator.conditions.autoscaling import SCALED_TO_ZERO, AutoscalerState
from sensorthings_operator.conditions.chain import Chain, Policy, Verdict, pod_problem, troubled
from sensorthings_operator.conditions.observed import Observed, Workload
from sensorthings_operator.desired import basic


@dataclass(frozen=True)
class _Module:
    """The policies about one module."""

    component: str
    tier: str
    """The module's name, with which its reasons begin."""
    workload: Callable[[Observed], Workload | None]

    def policies(self) -> tuple[Policy, ...]:
        return (self._hibernated, self._made, self._none_wanted, self._answers, self._starting)

    def _hibernated(self, observed: Observed) -> Verdict | None:
        if observed.service.spec.hibernated:
            return Verdict("False", "Hibernated", f"hibernated: the {self.tier} module runs no pod", expected=True)
        return None

    def _made(self, observed: Observed) -> Verdict | None:
        if self.workload(observed) is None:
            awaited = self._awaited(observed)
            return Verdict("False", f"{self.tier}Waiting", f"{self.tier} waits for the {awaited}", expected=True)
        return None

    def _awaited(self, observed: Observed) -> str:
        migrated = observed.schema is not None and observed.schema.outcome == "Complete"
        nobody_known = observed.users is None or not observed.users.holds
        if migrated and basic.is_used(observed.service) and nobody_known:
            return "users in the database"
        uncertified = observed.certificate is None or not observed.certificate.holds
        encrypted = self.component == "mqtt" and observed.service.spec.certificate is not None
        return "certificate" if migrated and encrypted and uncertified else "schema"

    def _none_wanted(self, observed: Observed) -> Verdict | None:
        workload = self.workload(observed)
        if workload is None or workload.wanted > 0:
            return None
        told = f"spec.{self.component}.replicas is 0"
        if self._autoscaling(observed) is not None:
            autoscaler = observed.autoscalers.get(self.component)
            if autoscaler is None or autoscaler.reason != AutoscalerState.DISABLED:
                return None
            told = SCALED_TO_ZERO
        return Verdict("False", f"{self.tier}ScaledToZero", told, expected=True)

    def _answers(self, observed: Observed) -> Verdict | None:
        workload = self.workload(observed)
        if workload is None or workload.available == 0:
            return None
        return Verdict("True", f"{self.tier}Ready", _count(workload, self._autoscaling(observed)))

    def _autoscaling(self, observed: Observed) -> Autoscaling | None:
        tier: Tier = getattr(observed.service.spec, self.component)
        return tier.autoscaling

    def _starting(self, observed: Observed) -> Verdict:
        problem = pod_problem(observed, self.component)
        if problem is not None:
            return troubled(problem)
        return Verdict("False", f"{self.tier}Starting", f"no pod of the {self.tier} module answers yet", expected=True)


def _count(workload: Workload, bounds: Autoscaling | None) -> str:
    if bounds is not None:
        between = f"the load decides between {bounds.min_replicas} and {bounds.max_replicas}"
        return f"pods that answer: {workload.available}; {between}"
    return f"{workload.available} of {workload.wanted} pods answer"


_HTTP: Final = _Module("http", "HTTP", lambda observed: observed.http)
_MQTT: Final = _Module("mqtt", "MQTT", lambda observed: observed.mqtt)

HTTP_AVAILABLE: Final = Chain("HTTPAvailable", _HTTP.policies())
MQTT_AVAILABLE: Final = Chain("MQTTAvailable", _MQTT.policies())
