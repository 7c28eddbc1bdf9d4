"""The thread from a manifest to an Observation that subscribers are told of, by every way in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from localcluster import endpoints, plan, reach
from localcluster.cluster import kubectl as kubectl_of
from localcluster.install import ServiceName
from tests.e2e.clients import Http, Subscriber, subscribers
from tests.e2e.conftest import NAME

if TYPE_CHECKING:
    from tests.e2e.conftest import Running
    from tests.e2e.services import Service


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname
    return parts.hostname, parts.port or 80


def test_an_observation_reaches_subscribers_inside_the_cluster(service: Service) -> None:
    http = service.start()
    listed = {endpoint["name"]: endpoint["url"] for endpoint in service.body["status"]["endpoints"]}
    addresses = {name: (_resolve(service, _address(url)[0]), _address(url)[1]) for name, url in listed.items()}
    assert addresses["sensorthings"] == (http.host, http.port)
    datastream = http.create_datastream()
    netns = service.kubernetes.netns
    tcp = Subscriber(*addresses["mqtt"], datastream, netns=netns)
    websocket = Subscriber(*addresses["mqtt-websocket"], datastream, transport="websockets", netns=netns)
    with subscribers(tcp, websocket):
        assert http.observe(datastream, 3).status == 201
        for subscriber in (tcp, websocket):
            subscriber.await_results({3})
    assert http.results(datastream) == {3: 1}


def _resolve(service: Service, name: str) -> str:
    """The address of a name as a pod sees it."""
    return service.kubectl("exec", f"{service.name}-bus-0", "--", "getent", "hosts", name).split()[0]


@pytest.fixture(scope="module")
def published(running: Running) -> dict[str, str]:
    """A running service's plain endpoints, led to the host's loopback."""
    cluster = plan.find(NAME)
    reach.publish(cluster, kubectl_of(cluster), ServiceName(running.service.namespace, running.service.name))
    return endpoints.published(cluster, running.service.body)


def test_an_observation_reaches_subscribers_on_loopback(published: dict[str, str]) -> None:
    http = Http(*_address(published["sensorthings"]))
    datastream = http.create_datastream()
    tcp = Subscriber(*_address(published["mqtt"]), datastream)
    websocket = Subscriber(*_address(published["websocket"]), datastream, transport="websockets")
    with subscribers(tcp, websocket):
        assert http.observe(datastream, 1).status == 201
        for subscriber in (tcp, websocket):
            subscriber.await_results({1})


@pytest.mark.parametrize("path", ["Things", "Datastreams?$expand=Thing", "Observations?$top=1&$count=true"])
def test_reads_are_answered_on_loopback(published: dict[str, str], path: str) -> None:
    answer = Http(*_address(published["sensorthings"])).get(path)
    assert answer.status == 200, answer
    assert "value" in answer.json
