"""What is asked about one module of FROST-Server: pods, CPU against the autoscaler's target, and what each pod uses."""

from dataclasses import dataclass
from typing import Final

from dashboards.query import SERVICE, Query, Source, cpu, memory, pods

_OPERATOR: Final = (Source.OPERATOR,)
_CADVISOR: Final = (Source.CADVISOR,)


@dataclass(frozen=True)
class Tier:
    """One module."""

    component: str
    title: str

    def replicas(self) -> tuple[Query, ...]:
        """Pods: those that are ready, those that are wanted, and the autoscaler's bounds."""
        return (
            self._state("ready pods", "sensorthings_replicas", "ready", "ready"),
            self._state("pods that the Deployment wants", "sensorthings_replicas", "wanted", "wanted"),
            self._state("pods that the autoscaler wants", _SCALED, "desired", "desired"),
            self._state("fewest pods", _SCALED, "min", "min"),
            self._state("most pods", _SCALED, "max", "max"),
        )

    def ready(self) -> Query:
        """Pods that are ready."""
        return self.replicas()[0]

    def utilization(self) -> tuple[Query, ...]:
        """CPU in percent of what is requested, as the autoscaler sees it, and its target."""
        return (
            self._query("CPU in percent of its request", self._figure("autoscaler_cpu_utilization_percent"), "CPU"),
            self._query("target of the autoscaler", self._figure("autoscaler_cpu_target_percent"), "target"),
        )

    def at_most(self) -> Query:
        """1 while the load asks for as many pods as the spec allows, or more."""
        desired, most = (f"max({self._series(_SCALED, state)})" for state in ("desired", "max"))
        return self._query("the autoscaler is at its most", f"{desired} >= bool {most}", self.title)

    def cpu(self) -> Query:
        """CPU of each pod, in cores, sidecars included."""
        return self._query("CPU by pod", cpu(pods(self.component)), "{{pod}}", _CADVISOR)

    def memory(self) -> Query:
        """Memory of each pod, in bytes, sidecars included."""
        return self._query("memory by pod", memory(pods(self.component)), "{{pod}}", _CADVISOR)

    def all(self) -> tuple[Query, ...]:
        """Everything that is asked about the module."""
        return (*self.replicas(), *self.utilization(), self.at_most(), self.cpu(), self.memory())

    def _figure(self, name: str) -> str:
        return f'max(sensorthings_{name}{{{SERVICE}, tier="{self.component}"}})'

    def _series(self, metric: str, state: str) -> str:
        return f'{metric}{{{SERVICE}, tier="{self.component}", state="{state}"}}'

    def _state(self, name: str, metric: str, state: str, legend: str) -> Query:
        return self._query(name, f"max({self._series(metric, state)})", legend)

    def _query(self, name: str, expression: str, legend: str, sources: tuple[Source, ...] = _OPERATOR) -> Query:
        return Query(f"{self.title}: {name}", expression, legend, sources)


_SCALED: Final = "sensorthings_autoscaler_replicas"

HTTP: Final = Tier("http", "HTTP")
MQTT: Final = Tier("mqtt", "MQTT")
