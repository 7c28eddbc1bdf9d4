"""A question to Prometheus, and the pieces that questions are made of.

Job names are never asked for: each city has its own. Where a metric is told twice, as kubelet tells CPU seconds of
containers by two paths, the larger one counts.
"""

from dataclasses import dataclass
from enum import StrEnum
from string import Template
from typing import Final

METRICS_SINCE: Final = "2.6.0"
"""The first version of FROST-Server that has metrics of its own."""


class Source(StrEnum):
    """Who tells Prometheus the metrics that a query is about."""

    OPERATOR = "operator"
    """Itself and its token service, and of each service the figures that it knows."""
    CADVISOR = "cAdvisor"
    """In every kubelet: what containers use."""
    ENVOY = "Envoy"
    """In front of the MQTT module, where the service has a certificate."""
    GATE = "MQTT gate"
    """In every MQTT pod, in front of FROST-Server."""
    FROST_SERVER = "FROST-Server"
    """From METRICS_SINCE on."""


@dataclass(frozen=True)
class Query:
    """A question in PromQL, with variables of the dashboard (``namespace``, ``service``) and of Grafana in it.

    Grafana's are ``__rate_interval``, some scrapes long, and ``__range``, the time that is shown.
    """

    name: str
    """What it is about, in a few words; no other query has the same."""
    expression: str
    legend: str
    """Of its line in a panel, with ``{{label}}`` for labels."""
    sources: tuple[Source, ...]
    rare: bool = False
    """Has no answer until something happened that may never happen, or where a service lacks a part."""

    def filled(self, *, namespace: str, service: str, interval: str = "1m", shown: str = "1h") -> str:
        """The question as Grafana sends it; ``interval`` and ``shown`` are durations of PromQL."""
        return Template(self.expression).substitute(
            namespace=namespace, service=service, __rate_interval=interval, __range=shown
        )


HERE: Final = 'namespace="$namespace"'
"""Of the namespace that is shown."""
SERVICE: Final = f'{HERE}, service="$service"'
"""Of the service that is shown, where the operator tells the metric."""


def pods(tier: str) -> str:
    """Of the pods of a Deployment: its name, and what a ReplicaSet and a pod add; others' names may begin so."""
    return f'{HERE}, pod=~"${{service}}-{tier}-[a-z0-9]+-[a-z0-9]{{5}}"'


def cpu(selected: str) -> str:
    """Cores that each pod uses, sidecars included."""
    return _by_pod("rate(container_cpu_usage_seconds_total{{{labels}}}[$__rate_interval])", selected)


def memory(selected: str) -> str:
    """Bytes that each pod uses and that can't be taken from it (working set), sidecars included."""
    return _by_pod("container_memory_working_set_bytes{{{labels}}}", selected)


def _by_pod(figure: str, selected: str) -> str:
    """cAdvisor tells of a pod as a whole, without the name of a container; where a city drops that, of its containers.

    Which of the two a Prometheus has depends on the container runtime and on its relabelling.
    """
    whole = figure.format(labels=f'{selected}, container=""')
    parts = figure.format(labels=f'{selected}, container!=""')
    return f"max by (pod) ({whole}) or sum by (pod) (max by (pod, container) ({parts}))"


def quantile(share: float, metric: str, labels: str = "") -> str:
    """What a share of the observations of a histogram stays below."""
    selector = f"{metric}_bucket{{{labels}}}" if labels else f"{metric}_bucket"
    buckets = f"sum by (le) (rate({selector}[$__rate_interval]))"
    return f"histogram_quantile({share}, {buckets})"
