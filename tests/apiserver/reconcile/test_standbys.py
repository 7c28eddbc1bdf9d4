"""A database of several servers as the status tells of it; what the servers say is faked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from tests.apiserver.reconcile.walk import Walk


@pytest.fixture
def standby(walk: Walk) -> str:
    """A service with a standby that streams, Ready; the standby's host."""
    host = f"replica.{walk.host}"
    walk.operator.database_is(host, role="standby", streaming=True)
    walk.external({"database": {"external": {"replicas": [{"host": host}]}}})
    walk.becomes_ready(seconds=60)
    return host


def _events(walk: Walk, reason: str) -> list[str]:
    return [event["note"] for event in walk.cluster.list("Event") if event["reason"] == reason]


def test_roles_and_replication_are_in_the_status_and_figures_are_not(walk: Walk, standby: str) -> None:
    walk.becomes("DatabaseReplicated", "True", "StandbysStreaming")
    assert walk.service()["status"]["database"] == {
        "primary": f"{walk.host}:5432",
        "hosts": [{"host": f"{walk.host}:5432", "role": "primary"}, {"host": f"{standby}:5432", "role": "standby"}],
    }
    writes = walk.settle()
    walk.operator.database_is(standby, role="standby", streaming=True, position=990, replay_age_seconds=7)

    def figures() -> None:
        samples = walk.operator.samples("sensorthings_database_host_lag_seconds")
        assert [value for labels, value in samples if labels["host"] == f"{standby}:5432"] == [7]

    eventually(figures)
    assert walk.operator.writes() == writes, "a lag within the limit is no news"


def test_a_standby_that_stops_to_follow_is_told_and_ready_stays(walk: Walk, standby: str) -> None:
    walk.operator.database_is(standby, role="standby", streaming=False)
    assert standby in walk.becomes("DatabaseReplicated", "False", "StandbyNotStreaming")
    assert walk.condition("Ready")["status"] == "True"
    eventually(lambda: _told(walk, "StandbyNotStreaming"))
    walk.operator.database_is(standby, role="standby", streaming=True)
    walk.becomes("DatabaseReplicated", "True", "StandbysStreaming")
    eventually(lambda: _told(walk, "StandbysStreaming"))


def _told(walk: Walk, reason: str) -> None:
    assert len(_events(walk, reason)) == 1


def test_two_primaries_stall_until_one_is_gone(walk: Walk, standby: str) -> None:
    walk.operator.database_is(standby, role="primary", timeline=2)
    message = walk.becomes("DatabaseReachable", "False", "TwoPrimaries")
    assert f"{standby}:5432 (timeline 2)" in message
    walk.becomes("DatabaseReplicated", "Unknown", "ReplicationUnknown")
    walk.becomes("Stalled", "True", "TwoPrimaries")
    assert "primary" not in walk.service()["status"]["database"]
    walk.operator.database_says(walk.host, "DatabaseUnreachable", "stopped")
    walk.becomes("DatabaseReachable", "True", "DatabaseAnswers")
    walk.becomes("DatabaseReplicated", "False", "StandbyMissing")
    assert walk.service()["status"]["database"]["primary"] == f"{standby}:5432"
    walk.becomes("Ready", "True", "ServiceReady")


def test_what_the_status_says_outlives_the_operator(walk: Walk, standby: str) -> None:
    walk.operator.database_is(standby, role="standby", streaming=True, position=0, replay_age_seconds=3600)
    walk.becomes("DatabaseReplicated", "False", "StandbyLagging")
    walk.settle()
    before = walk.service()["status"]
    walk.operator.restart()
    walk.settle()
    assert walk.service()["status"] == before
