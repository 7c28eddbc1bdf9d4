"""The operator itself goes away: in the middle of its work, and for longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.e2e.clients import subscribers
from tests.e2e.services import kill
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Running
    from tests.e2e.kubernetes import Kubernetes
    from tests.e2e.services import Service

_SYSTEM: Final = "sensorthings-system"
_DEPLOYMENT: Final = ("--namespace", _SYSTEM, "deployment/sensorthings-operator")


def _operators(kubernetes: Kubernetes) -> list[dict[str, Any]]:
    """Its pods."""
    labels = {"app.kubernetes.io/name": "sensorthings-operator"}
    return kubernetes.items(f"/api/v1/namespaces/{_SYSTEM}/pods", labels)


def test_killed_while_a_service_comes_up(service: Service) -> None:
    service.apply()
    eventually("the schema Job's pod", lambda: service.pods("schema"))
    (pod,) = _operators(service.kubernetes)
    kill(pod, b"python3")
    assert service.condition("Ready").get("status") != "True"
    service.await_ready()
    datastream = service.http().create_datastream()
    with subscribers(service.subscriber(datastream)) as (subscriber,):
        assert service.http().observe(datastream, 1).status == 201
        subscriber.await_results({1})


@pytest.fixture
def no_operator(kubernetes: Kubernetes, running: Running) -> Iterator[None]:
    """The operator runs no pod."""
    assert running
    kubernetes.run("scale", *_DEPLOYMENT, "--replicas=0")
    eventually("the operator is gone", lambda: not _operators(kubernetes))
    yield
    kubernetes.run("scale", *_DEPLOYMENT, "--replicas=1")
    kubernetes.run("rollout", "status", *_DEPLOYMENT, "--timeout=120s")


@pytest.mark.usefixtures("no_operator")
def test_services_go_on_without_it(running: Running) -> None:
    service, http, datastream = running.service, running.http, running.datastream
    with subscribers(service.subscriber(datastream)) as (subscriber,):
        assert http.observe(datastream, 1).status == 201
        subscriber.await_results({1})
    (pod,) = service.ready_pods("mqtt")
    service.kubectl("delete", f"pod/{pod['metadata']['name']}", "--wait=false")
    service.await_pods("mqtt", 1, other_than=pod["metadata"]["uid"])
    with subscribers(service.subscriber(datastream)) as (subscriber,):
        assert http.observe(datastream, 2).status == 201
        subscriber.await_results({2})
    service.patch(mqtt={"replicas": 2})
    assert len(service.pods("mqtt")) == 1


def test_it_does_what_was_asked_for_meanwhile(running: Running) -> None:
    running.service.patch(mqtt={"replicas": 2})
    running.service.await_pods("mqtt", 2)
    running.service.await_ready()
