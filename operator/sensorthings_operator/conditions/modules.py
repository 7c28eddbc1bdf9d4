"""HTTPAvailable and MQTTAvailable: FROST-Server's modules have pods that answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sensorthings_operator.conditions.chain import Chain, Policy, Verdict, pod_problem, troubled
from sensorthings_operator.conditions.observed import Observed, Workload


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
            return Verdict("False", f"{self.tier}Waiting", f"{self.tier} waits for the schema", expected=True)
        return None

    def _none_wanted(self, observed: Observed) -> Verdict | None:
        workload = self.workload(observed)
        if workload is not None and workload.wanted == 0:
            return Verdict("False", f"{self.tier}ScaledToZero", f"spec.{self.component}.replicas is 0", expected=True)
        return None

    def _answers(self, observed: Observed) -> Verdict | None:
        workload = self.workload(observed)
        if workload is None or workload.available == 0:
            return None
        return Verdict("True", f"{self.tier}Ready", _count(workload))

    def _starting(self, observed: Observed) -> Verdict:
        problem = pod_problem(observed, self.component)
        if problem is not None:
            return troubled(problem)
        return Verdict("False", f"{self.tier}Starting", f"no pod of the {self.tier} module answers yet", expected=True)


def _count(workload: Workload) -> str:
    return f"{workload.available} of {workload.wanted} pods answer"


_HTTP: Final = _Module("http", "HTTP", lambda observed: observed.http)
_MQTT: Final = _Module("mqtt", "MQTT", lambda observed: observed.mqtt)

HTTP_AVAILABLE: Final = Chain("HTTPAvailable", _HTTP.policies())
MQTT_AVAILABLE: Final = Chain("MQTTAvailable", _MQTT.policies())
