"""Subscribers at every MQTT pod are told of every Observation, whatever the number of pods of either module."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.e2e.clients import Http
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.e2e.clients import Subscriber
    from tests.e2e.conftest import Running

_HTTP_POD_PORT = 8080


def _post_and_await(https: Sequence[Http], datastream: int, results: range, told: Sequence[Subscriber]) -> None:
    """POST each result by one of the addresses in turn; each subscriber must be told of each exactly once."""
    for number in results:
        answer = https[number % len(https)].observe(datastream, number)
        assert answer.status == 201, answer
    for subscriber in told:
        subscriber.await_results(set(results))
        assert {number: subscriber.results[number] for number in results} == dict.fromkeys(results, 1)


def test_from_one_to_three_mqtt_pods_and_back(running: Running) -> None:
    service, http, datastream = running.service, running.http, running.datastream
    (database,) = service.ready_pods("database")
    with ExitStack() as stack:

        def subscribers_at_each() -> dict[str, Subscriber]:
            pods = service.await_pods("mqtt", service.body["spec"]["mqtt"]["replicas"])
            made = {pod["metadata"]["uid"]: service.subscriber(datastream, host=pod["status"]["podIP"]) for pod in pods}
            for subscriber in made.values():
                stack.callback(subscriber.close)
            return made

        service.patch(mqtt={"replicas": 3})
        at_pods = subscribers_at_each()
        _post_and_await([http], datastream, range(30), list(at_pods.values()))
        service.patch(mqtt={"replicas": 1})
        (left,) = service.await_pods("mqtt", 1)
        # The subscriber that was there all the time, and one that comes after.
        stayed = at_pods[left["metadata"]["uid"]]
        _post_and_await([http], datastream, range(30, 40), [stayed, *subscribers_at_each().values()])
    service.await_ready()
    assert [pod["metadata"]["uid"] for pod in service.pods("database")] == [database["metadata"]["uid"]]


def test_from_one_to_two_http_pods_by_kubectl_scale(running: Running) -> None:
    service, datastream = running.service, running.datastream
    (before,) = service.ready_pods("database")
    service.kubectl("scale", f"sta/{service.name}", "--replicas=2")
    pods = service.await_pods("http", 2)
    service.await_ready()
    subscriber = service.subscriber(datastream)
    try:
        https = [Http(pod["status"]["podIP"], _HTTP_POD_PORT, service.kubernetes.netns) for pod in pods]
        _post_and_await(https, datastream, range(100, 120), [subscriber])
    finally:
        subscriber.close()
    assert service.kubectl("get", f"sta/{service.name}", "--output=jsonpath={.status.http.replicas}") == "2"
    assert service.kubectl("get", "poddisruptionbudgets", "--output=name").split()
    service.kubectl("scale", f"sta/{service.name}", "--replicas=1")
    service.await_pods("http", 1)
    eventually("no budget for one pod", lambda: not service.kubectl("get", "poddisruptionbudgets", "--output=name"))
    assert [pod["metadata"]["uid"] for pod in service.pods("database")] == [before["metadata"]["uid"]]
