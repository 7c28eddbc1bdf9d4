"""What is left when a service is deleted: nothing, or the volumes that were asked to be kept, with what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.services import managed_database
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from tests.e2e.services import Service


def _left(service: Service, before: set[str]) -> set[str]:
    return service.kubernetes.everything(service.namespace) - before


def test_nothing_is_left(service: Service) -> None:
    before = service.kubernetes.everything(service.namespace)
    service.start()
    made = {name.split("/")[0].split(".")[0] for name in _left(service, before)}
    assert made >= {
        "pod",
        "persistentvolumeclaim",
        "secret",
        "service",
        "deployment",
        "statefulset",
        "job",
        "configmap",
    }
    service.delete()
    eventually(
        "the namespace is as it was before",
        lambda: not _left(service, before) or None,
        90,
    )


def test_a_kept_volume_is_found_again(service: Service) -> None:
    before = service.kubernetes.everything(service.namespace)
    http = service.start(database=managed_database("Retain"))
    datastream = http.create_datastream()
    for number in range(10):
        assert http.observe(datastream, number).status == 201
    service.delete()
    claim = {f"persistentvolumeclaim/data-{service.name}-db-0"}
    eventually("only the database's claim is left", lambda: _left(service, before) == claim, 90)
    again = service.start(database=managed_database("Retain"))
    assert again.results(datastream) == dict.fromkeys(range(10), 1)
    subscriber = service.subscriber(datastream)
    try:
        assert again.observe(datastream, 10).status == 201
        subscriber.await_results({10})
    finally:
        subscriber.close()
