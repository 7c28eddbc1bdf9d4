"""Backups of a managed database on a real API server: from Jobs and what their pods say to the status, and to Jobs.

Pods run nowhere here: what pgBackRest does is in tests/e2e/images/test_backup.py.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sensorthings_operator.conditions.backups import told as written
from tests.apiserver.reconcile.backed_up import (
    BACKED_UP,
    COUNTED,
    LABEL,
    NEWEST,
    at,
    backups,
    ends,
    jobs,
    start,
    with_backups,
)
from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from tests.apiserver.conftest import Kubectl
    from tests.apiserver.reconcile.walk import Walk


def test_the_first_backup_is_made_once_the_database_answers(walk: Walk) -> None:
    walk.managed(with_backups())
    walk.becomes_ready()
    walk.becomes("BackedUp", "False", "BackupAwaited")
    ends(walk, "backup", BACKED_UP)
    assert at(0) in walk.becomes("BackedUp", "True", "BackedUp")
    found = backups(walk)
    assert found["database"] == "air-db"
    assert found["lastSuccessTime"] == found["oldestRestorableTime"] == at(0)
    assert found["nextScheduleTime"].endswith("-02-29T00:00:00Z")
    assert found["backups"] == [{"label": LABEL, "time": at(0), "sizeBytes": 1000, "storedBytes": 100}]


def test_what_fails_is_told_and_what_succeeds_again_too(backed_up: Walk) -> None:
    walk = backed_up
    start(walk, "air-backup")
    ends(walk, "backup", '{"failed": "the store is away"}', well=False, at=at(60))
    message = walk.becomes("BackedUp", "False", "BackupFailed")
    assert "the store is away" in message
    assert walk.condition("Ready")["status"] == "True", "clients notice nothing"
    assert backups(walk)["lastSuccessTime"] == at(0)

    def told() -> None:
        events = [event for event in walk.cluster.list("Event") if event.get("reason") == "BackupFailed"]
        assert events, "there is no Event"
        assert events[0]["type"] == "Warning"

    eventually(told)
    # The Job's second try, which its controller makes after seconds.
    again = json.dumps({"backups": [["20260102-000000F", NEWEST + 3660, 1000, 100]], "oldest": NEWEST})
    eventually(lambda: ends(walk, "backup", again, at=at(62)), seconds=60)
    walk.becomes("BackedUp", "True", "BackedUp")
    assert "lastFailure" not in backups(walk)


def test_what_was_said_stays_when_the_pods_are_gone(backed_up: Walk) -> None:
    walk = backed_up
    before = backups(walk)
    for pod in walk.cluster.list("Pod", "app.kubernetes.io/component=backup"):
        walk.cluster.delete("Pod", pod["metadata"]["name"])

    def gone() -> None:
        assert not walk.cluster.list("Pod", "app.kubernetes.io/component=backup")

    eventually(gone)
    walk.settle()
    assert backups(walk) == before
    assert walk.condition("BackedUp")["status"] == "True"


def test_an_archive_that_takes_nothing_is_told_and_so_is_its_end(backed_up: Walk) -> None:
    walk = backed_up
    host = f"air-db-primary.{walk.cluster.namespace}.svc.cluster.local"
    walk.operator.database_is(host, position=2**30, archived="00000001000000000000001F", unarchived=True)
    assert "up to 512 MiB wait" in walk.becomes("BackedUp", "False", "ArchivingFails")
    assert walk.condition("Ready")["status"] == "True"
    walk.operator.database_is(host, position=2**30, archived="00000001000000000000003F")
    walk.becomes("BackedUp", "True", "BackedUp")


def test_a_drill(backed_up: Walk) -> None:
    walk = backed_up
    start(walk, "air-drill")
    ends(walk, "drill", COUNTED, at=at(120))

    def told() -> None:
        assert backups(walk).get("lastDrill") == {
            "time": at(120),
            "succeeded": True,
            "message": "",
            "label": LABEL,
            "seconds": 9,
            "observations": 7,
            "newestObservation": at(0),
        }

    eventually(told)


def test_a_drill_that_fails_is_a_warning(backed_up: Walk) -> None:
    start(backed_up, "air-drill")
    ends(backed_up, "drill", '{"failed": "WAL is missing"}', well=False, at=at(120))
    assert "WAL is missing" in backed_up.becomes("BackedUp", "False", "DrillFailed")
    backed_up.change({"database": {"managed": {"backup": {"drill": {"enabled": False}}}}})
    backed_up.becomes("BackedUp", "True", "BackedUp")
    backed_up.disappears("CronJob", "air-drill")


def test_whatever_is_said_breaks_nothing(backed_up: Walk) -> None:
    said = json.dumps({"backups": [["x" * 65, 1, 2, 3], [1], "y", ["20260104-000000F", 10**30, 1, 1]], "oldest": []})
    start(backed_up, "air-backup")
    ends(backed_up, "backup", said, at=at(180))
    backed_up.becomes("BackedUp", "False", "BackupFailed")


def test_a_store_s_secret_that_is_missing_stops_nothing_but_backups(walk: Walk) -> None:
    bucket = {"endpoint": "https://s3.city.example", "bucket": "air", "credentialsSecretRef": {"name": "s3"}}
    walk.managed(with_backups({"s3": bucket}))
    walk.becomes_ready()
    assert "Secret s3 does not exist" in walk.becomes("BackedUp", "False", "SecretUnusable")
    walk.settle()
    assert jobs(walk) == [], "nothing is asked of a store whose keys are not there"
    keys = {"accessKeyId": "a", "secretAccessKey": "correct horse"}
    walk.cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3"}, "stringData": keys})
    walk.becomes("BackedUp", "False", "BackupAwaited")
    ends(walk, "backup", BACKED_UP)
    walk.becomes("BackedUp", "True", "BackedUp")
    everything = json.dumps([walk.service(), *walk.cluster.list("Event"), *walk.cluster.list("ConfigMap")])
    assert "correct horse" not in everything


def _asked_long_ago(walk: Walk) -> None:
    """The operator's last request, as if it were a day old."""
    patch = {"status": {"database": {"backup": {"request": {"time": at(0)}}}}}

    def taken() -> None:
        walk.cluster.patch("SensorThingsService", "air", patch, subresource="status")
        walk.force_pass()
        assert backups(walk)["request"]["time"] == at(0)

    eventually(taken)


def test_a_backup_that_failed_is_tried_again_by_the_operator(backed_up: Walk) -> None:
    walk = backed_up
    _asked_long_ago(walk)

    def gone() -> None:
        assert jobs(walk) == [], "what was asked for is done"

    eventually(gone)
    name = start(walk, "air-backup")
    ended = datetime.now(UTC) - timedelta(minutes=6)
    ends(walk, "backup", '{"failed": "the store is away"}', well=False, at=written(ended))
    assert "tried again at" in walk.becomes("BackedUp", "False", "BackupFailed")
    walk.settle()
    assert jobs(walk) == [], "the other one still tries"
    walk.kubelet.fail_job(name)

    def tried() -> str:
        made = jobs(walk)
        assert len(made) == 1, made
        return made[0]

    again = json.dumps({"backups": [["20260102-000000F", NEWEST + 86000, 1000, 100]], "oldest": NEWEST})
    ends(walk, "backup", again, at=written(datetime.now(UTC)), job=eventually(tried))
    walk.becomes("BackedUp", "True", "BackedUp")
    assert backups(walk)["request"]["number"] == 1


def _pair(walk: Walk) -> str:
    """A pair that was backed up; the host of its first instance."""
    walk.managed(with_backups(instances=2))
    walk.becomes_ready(seconds=30)
    ends(walk, "backup", BACKED_UP)
    walk.becomes("BackedUp", "True", "BackedUp")
    host = f"air-db-0.air-db.{walk.cluster.namespace}.svc.cluster.local"
    walk.operator.database_is(host, timeline=1)

    def known() -> None:
        assert backups(walk)["request"].get("timeline") == 1

    eventually(known)
    return host


def test_after_a_failover_the_archive_is_looked_through_and_a_gap_gets_a_backup(walk: Walk) -> None:
    host = _pair(walk)
    walk.operator.database_is(host, timeline=2)
    walk.becomes("BackedUp", "Unknown", "ArchiveUnchecked")
    segment = "000000010000000000000006"
    looked = json.dumps(
        {"backups": [[LABEL, NEWEST, 1000, 100]], "oldest": NEWEST, "gap": {"segment": segment, "since": NEWEST + 3600}}
    )
    ends(walk, "backup", looked, at=at(90))
    assert segment in walk.becomes("BackedUp", "False", "ArchiveGap")
    again = json.dumps(
        {"backups": [["20260102-000000F", NEWEST + 7200, 1, 1], [LABEL, NEWEST, 1, 1]], "oldest": NEWEST}
    )
    ends(walk, "backup", again, at=at(120))
    assert f"none from {at(60)} to {at(120)}" in walk.becomes("BackedUp", "True", "BackedUp")
    assert backups(walk)["gap"] == {"segment": segment, "since": at(60), "until": at(120)}


def test_a_failover_without_a_gap_costs_no_backup(walk: Walk) -> None:
    host = _pair(walk)
    walk.operator.database_is(host, timeline=2)
    walk.becomes("BackedUp", "Unknown", "ArchiveUnchecked")
    ends(walk, "backup", BACKED_UP, at=at(90))
    walk.becomes("BackedUp", "True", "BackedUp")
    walk.settle()

    def gone() -> None:
        assert jobs(walk) == []

    eventually(gone)
    found = backups(walk)["request"]
    assert (found["kind"], found["timeline"], found["done"]) == ("Check", 2, True)


def test_pods_around_backups_have_no_right(walk: Walk, kubectl: Kubectl) -> None:
    walk.managed(with_backups())
    walk.appears("CronJob", "air-backup")
    account = f"--as=system:serviceaccount:{walk.cluster.namespace}:air-backup"
    for verb, what in (("get", "secrets"), ("list", "pods"), ("create", "jobs"), ("get", "configmaps")):
        asked = ("auth", "can-i", verb, what, account, f"--namespace={walk.cluster.namespace}")
        assert kubectl.run(*asked).stdout.strip() == "no", (verb, what)


def test_without_backups_nothing_of_them_is_left_but_the_volume(backed_up: Walk) -> None:
    walk = backed_up
    walk.change({"database": {"managed": {"backup": None}}})
    for kind, name in (
        ("CronJob", "air-backup"),
        ("StatefulSet", "air-repository"),
        ("ConfigMap", "air-backup"),
        ("NetworkPolicy", "air-repository"),
        ("Secret", "air-backup-certificates"),
    ):
        walk.disappears(kind, name)
    walk.becomes_ready()
    assert "backup" not in walk.service()["status"].get("database", {})
    claims = {claim["metadata"]["name"] for claim in walk.cluster.list("PersistentVolumeClaim")}
    assert "data-air-repository-0" in claims
