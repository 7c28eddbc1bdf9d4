"""Load on HTTP makes pods, its end takes them away again, and no reader notices either."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from rich.console import Console

from localcluster import addons
from localcluster import cluster as local
from localcluster.display import Display
from localcluster.installation import Installation
from tests.e2e.clients import Stream
from tests.e2e.conftest import NAME
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.clients import Answer, Http
    from tests.e2e.kubernetes import Kubernetes
    from tests.e2e.services import Service

_HTTP: Final = {
    # An idle JVM needs some hundredths of a core; the target lies well above them and well below the load's.
    "resources": {"requests": {"cpu": "250m"}},
    "autoscaling": {"minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 60},
}
_QUERY: Final = "Things?$expand=Locations,Datastreams($expand=Sensor,ObservedProperty,Observations($top=20))"
_OBSERVATIONS: Final = 40
_READERS: Final = 4
_OUT_SECONDS: Final = 180.0
_IN_SECONDS: Final = 420.0
"""Two minutes of stabilisation, and the autoscaler and metrics-server that look every few seconds before it."""
_MOST_REQUESTS: Final = 20_000
"""Of each reader, whatever happens."""


@pytest.fixture(scope="module")
def metered(kubernetes: Kubernetes) -> None:
    """metrics-server in the cluster."""
    installation = Installation(example=None, add_ons=addons.choose("metrics-server"))
    with Display(Console(stderr=True)) as display:
        local.up(NAME, display, installation)


class _Readers:
    """Several clients that ask for the same expensive page as fast as they get it, until the block ends."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._read, daemon=True) for _ in range(_READERS)]
        self.answered = 0
        self.failed: list[Answer] = []

    def __enter__(self) -> _Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads), "a reader does not end"

    def _read(self) -> None:
        for _ in range(_MOST_REQUESTS):
            if self._ended.is_set():
                return
            answer = self._http.get(_QUERY)
            if answer.status == 200:
                self.answered += 1
            else:
                self.failed.append(answer)


def _autoscaler(service: Service) -> dict[str, Any]:
    path = f"/apis/autoscaling/v2/namespaces/{service.namespace}/horizontalpodautoscalers/{service.name}-http"
    found: dict[str, Any] = service.kubernetes.get(path)
    return found


@pytest.fixture
def stream(metered: None, service: Service) -> Iterator[Stream]:
    """A reader that comes now and then, of an autoscaled service whose autoscaler can act."""
    http = service.start(http=_HTTP)
    datastream = http.create_datastream()
    for number in range(_OBSERVATIONS):
        assert http.observe(datastream, number).status == 201
    # Measured before the load begins, or its first half minute would go by unnoticed.
    service.await_condition("AutoscalingActive", "True", seconds=_OUT_SECONDS)
    with Stream(http, datastream, pace=0.5, reads=True) as stream:
        yield stream


def test_load_adds_pods_and_its_end_takes_them_away(
    service: Service, stream: Stream, measured: Callable[[str], None]
) -> None:
    assert "between 1 and 3 pods" in service.condition("AutoscalingActive")["message"]
    told = service.kubectl("get", "events", "--output=jsonpath={.items[*].reason}")
    assert "MetricsMissing" not in told, "that a young pod has no metrics yet is nothing to warn of"
    # On a busy machine the start of the JVM is load enough for a moment.
    eventually("a single pod after the start", lambda: len(service.pods("http")) == 1, _IN_SECONDS)
    ready_since = service.condition("Ready")["lastTransitionTime"]

    with _Readers(stream.http) as readers:
        began = time.monotonic()
        eventually("a second pod that is ready", lambda: len(service.ready_pods("http")) > 1, _OUT_SECONDS)
        out = time.monotonic() - began
    assert not readers.failed, readers.failed[:3]
    assert readers.answered > 0

    began = time.monotonic()
    eventually("a single pod", lambda: len(service.pods("http")) == 1, _IN_SECONDS)
    measured(
        f"a second pod was ready after {out:.0f} s of load; one was left {time.monotonic() - began:.0f} s after it"
    )
    stream.await_acknowledged(5)
    assert not stream.failed, stream.failed[:3]

    ready = service.condition("Ready")
    assert (ready["status"], ready["lastTransitionTime"]) == ("True", ready_since), "Ready all the time"
    (owner,) = _owners_of_replicas(service)
    assert owner == "kube-controller-manager"
    assert _autoscaler(service)["status"]["lastScaleTime"]


def _owners_of_replicas(service: Service) -> set[str]:
    path = f"/apis/apps/v1/namespaces/{service.namespace}/deployments/{service.name}-http"
    entries = service.kubernetes.get(path)["metadata"]["managedFields"]
    return {entry["manager"] for entry in entries if "f:replicas" in entry["fieldsV1"].get("f:spec", {})}
