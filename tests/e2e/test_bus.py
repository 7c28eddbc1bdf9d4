"""The bus goes and comes back under traffic.

FROST-Server tells of an Observation by the bus only, once: what is POSTed while the bus is away is stored, and may
never be told of. So nothing that was acknowledged may be missing from the database, and nothing that was acknowledged
after the recovery may be missing at a subscriber who stayed connected.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.clients import Stream
from tests.e2e.services import kill, processes
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Running
    from tests.e2e.services import Service


def _delete(service: Service) -> None:
    """As a drain of the node does: asked to end, and made anew."""
    (pod,) = service.ready_pods("bus")
    service.kubectl("delete", f"pod/{pod['metadata']['name']}", "--wait=false")
    service.await_pods("bus", 1, other_than=pod["metadata"]["uid"])


def _kill(service: Service) -> None:
    """As the kernel does when memory runs out: ended without a word, restarted in its pod."""
    (pod,) = service.ready_pods("bus")
    kill(pod, b"mosquitto")
    restarts = pod["status"]["containerStatuses"][0]["restartCount"]

    def restarted() -> bool:
        return any(
            each["status"]["containerStatuses"][0]["restartCount"] > restarts for each in service.ready_pods("bus")
        )

    eventually("the bus restarts in its pod", restarted)


def _forget(service: Service) -> None:
    """The bus loses what it has stored, and with it who was subscribed: a module of FROST-Server tells it once."""
    (pod,) = service.ready_pods("bus")
    for process in processes(pod, b"mosquitto"):
        (process / "root/mosquitto/data/mosquitto.db").unlink()
    _kill(service)


def test_a_pod_that_went_deaf_is_noticed_and_started_anew(running: Running, measured: Callable[[str], None]) -> None:
    service = running.service
    service.await_condition("DeliveryVerified", "True")
    (deaf,) = service.ready_pods("mqtt")
    # Of a first restart the kubelet makes no back-off: the module is back at the bus before it looks for it itself.
    _forget(service)
    back = time.monotonic()
    message = service.await_condition("DeliveryVerified", "False", "MQTTPodDeaf")
    noticed = time.monotonic() - back
    assert deaf["metadata"]["name"] in message
    service.await_pods("mqtt", 1, other_than=deaf["metadata"]["uid"])
    service.await_condition("DeliveryVerified", "True")
    healed = time.monotonic() - back
    measured(f"noticed {noticed:.1f} s after the bus was back, delivered again after {healed:.1f} s")
    events = service.kubectl("get", "events", "--output=jsonpath={.items[*].reason}").split()
    assert events.count("DeafPodEvicted") == 1
    service.await_ready()


@pytest.mark.parametrize("disturb", [_delete, _kill], ids=["deleted", "killed"])
def test_delivery_goes_on(
    running: Running, disturb: Callable[[Service], None], measured: Callable[[str], None]
) -> None:
    service, http, datastream = running.service, running.http, http_datastream(running)
    subscriber = service.subscriber(datastream)
    try:
        with Stream(http, datastream) as stream:
            stream.await_acknowledged(20)
            disturb(service)
            back = time.monotonic()
            sent = stream.sent
            eventually(
                "an Observation of after the restart is told of", lambda: max(subscriber.results, default=0) > sent
            )
            recovered = max(subscriber.results)
            gap = time.monotonic() - back
            stream.await_acknowledged(60)
        after = {number for number in stream.acknowledged if number >= recovered}
        subscriber.await_results(after)
        told = subscriber.results
    finally:
        subscriber.close()
    lost = sorted(stream.acknowledged - set(told))
    measured(
        f"{stream.sent} sent, {len(stream.failed)} refused, {len(stream.acknowledged)} acknowledged, "
        f"{len(lost)} of them never told of ({lost[:1]}..{lost[-1:]}), told again {sum(told.values()) - len(told)}; "
        f"first delivery {gap:.1f} s after the bus was ready"
    )
    stored = http.results(datastream)
    assert not {number: stored[number] for number in stream.acknowledged if stored[number] != 1}
    assert all(number < recovered for number in lost)
    service.await_ready()


def http_datastream(running: Running) -> int:
    """A Datastream of the test's own: its numbers begin anew."""
    return running.http.create_datastream()
