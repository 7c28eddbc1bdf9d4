"""The managed database goes and comes back under traffic: nothing that was acknowledged is lost, readiness tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.e2e.clients import Stream
from tests.e2e.services import kill
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Running


def test_postgresql_is_killed_and_recovers(running: Running, measured: Callable[[str], None]) -> None:
    service, http, datastream = running.service, running.http, running.http.create_datastream()
    with Stream(http, datastream) as stream:
        stream.await_acknowledged(30)
        (pod,) = service.ready_pods("database")
        kill(pod, b"postgres")
        eventually(
            "PostgreSQL anew",
            lambda: [each for each in service.ready_pods("database") if _begun_anew(each, pod)],
        )
        stream.await_acknowledged(40)
    _nothing_lost(running, datastream, stream, measured)


def test_the_pod_is_away_for_a_while(running: Running, measured: Callable[[str], None]) -> None:
    service, http, datastream = running.service, running.http, running.http.create_datastream()
    node = service.ready_pods("database")[0]["spec"]["nodeName"]
    with Stream(http, datastream) as stream:
        stream.await_acknowledged(30)
        service.kubernetes.run("cordon", node)
        try:
            service.kubectl("delete", f"pod/{service.name}-db-0", "--grace-period=0", "--force")
            eventually("no HTTP pod is ready", lambda: not service.ready_pods("http"))
            service.await_condition("DatabaseReachable", "False")
            service.await_condition("Ready", "False")
            assert len(service.pods("http")) == 1, "nothing is gained by another pod"
        finally:
            service.kubernetes.run("uncordon", node)
        service.await_ready()
        stream.await_acknowledged(40)
    restarts = [each["restartCount"] for pod in service.pods("http") for each in pod["status"]["containerStatuses"]]
    assert restarts == [0], "restarting pods does not bring a database back"
    _nothing_lost(running, datastream, stream, measured)


def _begun_anew(pod: dict[str, Any], before: dict[str, Any]) -> bool:
    (now,), (then,) = (each["status"]["containerStatuses"] for each in (pod, before))
    return bool(now["restartCount"] > then["restartCount"])


def _nothing_lost(running: Running, datastream: int, stream: Stream, measured: Callable[[str], None]) -> None:
    stored = running.http.results(datastream)
    times = [when for when, _ in stream.failed]
    refused = f"{len(times)} refused from {times[0]} to {times[-1]} s" if times else "none refused"
    measured(f"{stream.sent} sent, {refused}, {len(stream.acknowledged)} acknowledged, {sum(stored.values())} stored")
    assert not {number: stored[number] for number in stream.acknowledged if stored[number] != 1}
