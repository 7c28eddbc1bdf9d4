"""Every query of the dashboard, put to a Prometheus that scrapes the cluster: it is answered, and the answers are true.

Grafana itself is not there. What FROST-Server tells of itself only later versions have: Prometheus takes those queries,
and has no answer.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from dashboards import asked, queries
from dashboards.query import Query, Source
from dashboards.tier import HTTP, MQTT, Tier
from localcluster import plan
from localcluster.addons import monitoring
from tests.e2e.conftest import NAME, service_of_its_own
from tests.e2e.netns import inside
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.kubernetes import Kubernetes
    from tests.e2e.services import Service

_SMALL: Final = {"requests": {"cpu": "50m"}}
_TARGET: Final = 60
_MQTTS_PORT: Final = 8883


@pytest.fixture(scope="module")
def shown(city: Kubernetes) -> Iterator[Service]:
    """A service of which there is everything that the dashboard shows: autoscalers, and TLS in front of MQTT."""
    with service_of_its_own(city) as service:
        autoscaling = {"minReplicas": 1, "maxReplicas": 2, "targetCPUUtilizationPercentage": _TARGET}
        service.apply(
            host=f"{service.namespace}.city.example",
            certificate={"issuerRef": {"name": "city-ca"}},
            http={"autoscaling": autoscaling, "resources": _SMALL},
            mqtt={"autoscaling": autoscaling, "resources": _SMALL},
            monitoring={"podMonitor": True},
        )
        service.await_ready()
        yield service


def _answer(service: Service, query: Query) -> list[dict[str, Any]]:
    expression = query.filled(namespace=service.namespace, service=service.name)
    return monitoring.query(plan.find(NAME).edge, expression)


def _value(service: Service, query: Query) -> float | None:
    """The figure of a query that has one; None where it has none."""
    answer = _answer(service, query)
    assert len(answer) <= 1
    return float(answer[0]["value"][1]) if answer else None


def _becomes(service: Service, query: Query, expected: float) -> None:
    eventually(f"{query.name} is {expected:g}", lambda: _value(service, query) == expected)


_ANSWERED: Final = [query for query in queries() if Source.FROST_SERVER not in query.sources and not query.rare]


@pytest.mark.parametrize("query", _ANSWERED, ids=lambda query: query.name)
def test_it_is_answered(query: Query, shown: Service) -> None:
    eventually(f"{query.name}: {query.expression}", lambda: _answer(shown, query))


@pytest.mark.parametrize("query", [q for q in queries() if q not in _ANSWERED], ids=lambda query: query.name)
def test_it_is_taken_where_nothing_answers_yet(query: Query, shown: Service) -> None:
    _answer(shown, query)


def test_the_service_is_offered(shown: Service) -> None:
    def offered() -> bool:
        namespaces = {series["metric"]["namespace"] for series in _answer(shown, asked.NAMESPACES)}
        services = {series["metric"]["service"] for series in _answer(shown, asked.SERVICE_NAMES)}
        return shown.namespace in namespaces and services == {shown.name}

    eventually("the variables offer the service", offered)


def _in_the_cluster(service: Service, tier: Tier) -> list[float]:
    """What the API server says of a tier, in the order of the queries about replicas; then the target, and the most."""
    name = f"namespaces/{service.namespace}/{{}}/{service.name}-{tier.component}"
    deployment = service.kubernetes.get(f"/apis/apps/v1/{name.format('deployments')}")
    autoscaler = service.kubernetes.get(f"/apis/autoscaling/v2/{name.format('horizontalpodautoscalers')}")
    ready, wanted = deployment["status"].get("readyReplicas", 0), deployment["spec"]["replicas"]
    desired, bounds = autoscaler["status"]["desiredReplicas"], autoscaler["spec"]
    least, most = bounds["minReplicas"], bounds["maxReplicas"]
    return [ready, wanted, desired, least, most, _TARGET, float(desired >= most)]


@pytest.mark.parametrize("tier", [HTTP, MQTT], ids=lambda tier: tier.component)
def test_pods_and_bounds_are_those_of_the_cluster(tier: Tier, shown: Service) -> None:
    asked_for = (*tier.replicas(), tier.utilization()[1], tier.at_most())

    def same() -> bool:
        return [_value(shown, query) for query in asked_for] == _in_the_cluster(shown, tier)

    eventually(f"the figures of {tier.title} are those of the cluster", same)


@pytest.mark.parametrize("tier", [HTTP, MQTT], ids=lambda tier: tier.component)
def test_every_pod_has_a_line(tier: Tier, shown: Service) -> None:
    def same() -> bool:
        lines = {series["metric"]["pod"] for series in _answer(shown, tier.cpu())}
        return {pod["metadata"]["name"] for pod in shown.ready_pods(tier.component)} <= lines

    eventually(f"each pod of {tier.title} has a line", same)


def test_conditions_are_those_of_the_status(shown: Service) -> None:
    _becomes(shown, asked.READY, 1)
    _becomes(shown, asked.STALLED, 0)
    told = {series["metric"]["type"]: float(series["value"][1]) for series in _answer(shown, asked.CONDITIONS)}
    assert told == {c["type"]: float(c["status"] == "True") for c in shown.body["status"]["conditions"]}


def test_the_certificate_is_shown_before_it_expires(shown: Service) -> None:
    days = eventually("the certificate's days", lambda: _value(shown, asked.CERTIFICATE_DAYS))
    assert 0 < days < 3650


@contextmanager
def _connection(service: Service) -> Iterator[ssl.SSLSocket]:
    """A client's TLS connection to an MQTT pod. Whom it reaches is not looked at: other tests do."""
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    with inside(service.kubernetes.netns):
        plain = socket.create_connection((service.cluster_ip("mqtt"), _MQTTS_PORT), timeout=10)
    with plain, anybody.wrap_socket(plain) as encrypted:
        yield encrypted


def test_connections_are_counted(shown: Service) -> None:
    def by_tcp() -> float:
        answer = _answer(shown, asked.CONNECTIONS)
        return sum(float(s["value"][1]) for s in answer if s["metric"]["envoy_listener_address"] == "mqtts")

    before = by_tcp()
    with _connection(shown):
        eventually("the open connection is counted", lambda: by_tcp() == before + 1)
    eventually("the closed connection is not counted any more", lambda: by_tcp() == before)
