"""A service's data is backed up, tried, restored to a point in time beside it, and switched over to, by its commands.

Single instance first, then a pair; Observations go in by POST, and are counted by GET afterwards.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.e2e import pairs
from tests.e2e.conftest import Running, sensorthings, service_of_its_own
from tests.e2e.services import managed_database
from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.kubernetes import Kubernetes
    from tests.e2e.services import Service

_PATIENCE: Final = 300.0


def _with_backups(instances: int) -> dict[str, Any]:
    database = managed_database("Delete")
    storage = {"volume": {"size": "1Gi", "whenDeleted": "Delete"}}
    return {**database, "managed": {**database["managed"], "instances": instances, "backup": {"storage": storage}}}


def _backup(service: Service, *arguments: str) -> str:
    """``sensorthings backup``, which has to succeed."""
    command, *rest = arguments
    where = ("--namespace", service.namespace, "--kubeconfig", str(service.kubernetes.kubeconfig))
    ended = sensorthings("backup", command, service.name, *rest, *where, seconds=_PATIENCE)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def _status(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.body["status"]["database"]["backup"]
    return found


def _primary(service: Service) -> dict[str, Any]:
    """The pod that takes writes, of the database that serves."""
    name = service.body["status"].get("database", {}).get("serving", "")
    pods = service.ready_pods(f"database-{name}" if name else "database")
    (found,) = [pod for pod in pods if len(pods) == 1 or pairs.role(pod) == "primary"]
    return found


def _archive(service: Service) -> None:
    """Wait until all that was written is in the archive."""
    primary = _primary(service)
    wanted = pairs.sql(service, primary, "select pg_walfile_name(pg_switch_wal())")
    last = "select coalesce(last_archived_wal, '') from pg_stat_archiver"
    eventually(f"{wanted} is archived", lambda: pairs.sql(service, primary, last) >= wanted)


@pytest.fixture(scope="module", params=[1, 2], ids=["single", "pair"])
def backed_up(request: pytest.FixtureRequest, kubernetes: Kubernetes) -> Iterator[Running]:
    """A service whose first backup is there."""
    with service_of_its_own(kubernetes) as service:
        service.apply(database=_with_backups(request.param))
        service.await_ready(_PATIENCE)
        service.await_condition("BackedUp", "True", seconds=_PATIENCE)
        http = service.http()
        yield Running(service, http, http.create_datastream())


def test_the_first_backup_needs_nobody(backed_up: Running) -> None:
    found = _status(backed_up.service)
    assert [entry["label"][-1] for entry in found["backups"]] == ["F"]
    assert found["oldestRestorableTime"] == found["lastSuccessTime"]


def test_rows_up_to_a_time_and_none_after(backed_up: Running, measured: Callable[[str], None]) -> None:
    service, http, datastream = backed_up.service, backed_up.http, backed_up.datastream
    _backup(service, "now")
    eventually("both backups are in the status", lambda: len(_status(service)["backups"]) == 2, 30)
    for number in range(20):
        assert http.observe(datastream, number).status == 201
    time.sleep(1)
    at = datetime.now(UTC)
    time.sleep(1)
    for number in range(20, 40):
        assert http.observe(datastream, number).status == 201
    _archive(service)

    began = time.monotonic()
    _backup(service, "restore", "--to", at.isoformat())
    measured(f"restored and checked after {time.monotonic() - began:.0f} s")
    # One more while the operator verifies delivery.
    assert service.body["status"]["database"]["restored"]["observations"] in (20, 21)
    assert set(http.results(datastream)) == set(range(40)), "the one that serves goes on"

    began = time.monotonic()
    _backup(service, "switch")
    service.await_condition("Restored", "True", "RestoreServing", seconds=_PATIENCE)
    service.await_ready(_PATIENCE)
    switched = service.http()
    measured(f"switched over after {time.monotonic() - began:.0f} s")
    assert set(switched.results(datastream)) == set(range(20)), "rows up to that time, and none after"
    assert switched.observe(datastream, 100).status == 201
    service.await_condition("BackedUp", "True", seconds=_PATIENCE)
    database = f"{service.name}-db"
    assert _status(service)["database"] == f"{database}-r1"
    claims = service.kubectl("get", "persistentvolumeclaims", "--output=name")
    assert f"data-{database}-0" in claims, "the former volume is kept"


def test_the_drill_counts_what_is_there(backed_up: Running) -> None:
    service = backed_up.service
    _archive(service)
    stored = sum(service.http().results(backed_up.datastream).values())
    _backup(service, "drill")

    def told() -> bool:
        drill = _status(service).get("lastDrill")
        return drill is not None and drill["succeeded"] and drill["observations"] in (stored, stored + 1)

    eventually("the drill is in the status", told, 30)


@contextmanager
def _repository_away(service: Service) -> Iterator[None]:
    """Its pod finds no node while the block runs: scaled down by hand, it would be scaled up again."""
    (pod,) = service.ready_pods("bus")
    node = pod["spec"]["nodeName"]
    service.kubernetes.run("cordon", node)
    try:
        former = {pod["metadata"]["uid"] for pod in service.running_pods("repository")}
        service.kubectl("delete", f"pod/{service.name}-repository-0", "--wait=false")

        def away() -> bool:
            return all(pod["metadata"]["uid"] not in former for pod in service.running_pods("repository"))

        eventually("the repository is away", away)
        yield
    finally:
        service.kubernetes.run("uncordon", node)


def test_a_repository_that_is_away_is_told_and_loses_nothing(backed_up: Running) -> None:
    service, datastream = backed_up.service, backed_up.datastream
    http = service.http()
    before = http.results(datastream)
    with _repository_away(service):
        assert http.observe(datastream, 200).status == 201, "clients notice nothing"
        told = service.await_condition("BackedUp", "False", "ArchivingFails", seconds=_PATIENCE)
        assert "archive" in told
    service.await_condition("BackedUp", "True", seconds=_PATIENCE)
    assert sum(http.results(datastream).values()) == sum(before.values()) + 1


def test_a_failover_while_the_repository_is_away_is_seen_and_backed_up_anew(
    backed_up: Running, measured: Callable[[str], None]
) -> None:
    """What the former primary had not archived is lost to the archive, and to it alone."""
    service, datastream = backed_up.service, backed_up.datastream
    if len(service.pods(f"database-{service.body['status']['database']['serving']}")) == 1:
        pytest.skip("a single instance fails over to nobody")
    http = service.http()
    former, backups = _primary(service), len(_status(service)["backups"])
    with _repository_away(service):
        for number in range(300, 303):
            assert http.observe(datastream, number).status == 201
            pairs.sql(service, former, "select pg_switch_wal()")
        pairs.killed(service, former)
        eventually("another primary", lambda: _other_primary(service, former), pairs.PATIENCE)
    began = time.monotonic()

    def told() -> bool:
        return "until" in _status(service).get("gap", {})

    eventually("the gap, and a backup after it", told, 2 * _PATIENCE)
    measured(f"backed up {time.monotonic() - began:.0f} s after the repository was back")
    assert "the archive has a gap" in service.await_condition("BackedUp", "True", seconds=_PATIENCE)
    assert len(_status(service)["backups"]) > backups
    stored = service.http().results(datastream)
    assert {number: stored[number] for number in range(300, 303)} == dict.fromkeys(range(300, 303), 1)


def _other_primary(service: Service, former: dict[str, Any]) -> bool:
    names = {pod["metadata"]["name"] for pod in service.ready_pods("database-r1") if pairs.role(pod) == "primary"}
    return bool(names - {former["metadata"]["name"]})
