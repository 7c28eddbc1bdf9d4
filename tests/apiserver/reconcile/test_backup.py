"""Backups and restores of a managed database on a real API server: from Jobs and what their pods say to the status.

Pods run nowhere here: what pgBackRest does is in tests/e2e/images/test_backup.py.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from kubernetes.dynamic.exceptions import UnprocessibleEntityError

from sensorthings_operator.cli.backup import requests
from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from tests.apiserver.conftest import Kubectl
    from tests.apiserver.reconcile.walk import Walk
    from tests.unit.api.examples import Manifest

_LABEL: Final = "20260101-000000F"
_TIME: Final = int(time.time()) - 24 * 60 * 60
"""A day ago: a backup of then is none that is overdue."""
_SCHEDULE: Final = "0 0 29 2 *"


def _at(minutes: int) -> str:
    """So many minutes after that, as Kubernetes writes a time."""
    return datetime.fromtimestamp(_TIME + 60 * minutes, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_BACKED_UP: Final = json.dumps({"backups": [[_LABEL, _TIME, 1000, 100]], "oldest": _TIME})
_COUNTED: Final = json.dumps(
    {"label": _LABEL, "seconds": 9, "observations": 7, "newest": _TIME, "last_transaction": _TIME}
)


def _with(storage: Manifest | None = None, **managed: Any) -> Manifest:
    backup = {"schedule": _SCHEDULE, "storage": storage or {"volume": {"size": "1Gi"}}}
    return {"database": {"type": "Managed", "managed": {"backup": backup, **managed}}}


def _backups(walk: Walk) -> dict[str, Any]:
    found: dict[str, Any] = walk.service()["status"]["database"]["backup"]
    return found


def _job(walk: Walk, cron_job: str) -> str:
    """As ``sensorthings backup`` makes it."""
    live = walk.appears("CronJob", cron_job)
    made = walk.cluster.create(requests.job(live, datetime.now(UTC)))
    return str(made["metadata"]["name"])


def _ends(walk: Walk, component: str, said: str, *, well: bool = True, at: str = _at(1)) -> None:
    walk.kubelet.end(component, said, well=well, at=at)


@pytest.fixture
def backed_up(walk: Walk) -> Walk:
    """A service whose first backup was made."""
    walk.managed(_with())
    walk.becomes_ready()
    _ends(walk, "backup", _BACKED_UP)
    walk.becomes("BackedUp", "True", "BackedUp")
    return walk


def test_the_first_backup_is_made_once_the_database_answers(walk: Walk) -> None:
    walk.managed(_with())
    walk.becomes_ready()
    walk.becomes("BackedUp", "False", "BackupAwaited")
    _ends(walk, "backup", _BACKED_UP)
    assert _at(0) in walk.becomes("BackedUp", "True", "BackedUp")
    found = _backups(walk)
    assert found["database"] == "air-db"
    assert found["lastSuccessTime"] == found["oldestRestorableTime"] == _at(0)
    assert found["nextScheduleTime"].endswith("-02-29T00:00:00Z")
    assert found["backups"] == [{"label": _LABEL, "time": _at(0), "sizeBytes": 1000, "storedBytes": 100}]


def test_what_fails_is_told_and_what_succeeds_again_too(backed_up: Walk) -> None:
    walk = backed_up
    _job(walk, "air-backup")
    _ends(walk, "backup", '{"failed": "the store is away"}', well=False, at=_at(60))
    message = walk.becomes("BackedUp", "False", "BackupFailed")
    assert "the store is away" in message
    assert walk.condition("Ready")["status"] == "True", "clients notice nothing"
    assert _backups(walk)["lastSuccessTime"] == _at(0)

    def told() -> None:
        events = [event for event in walk.cluster.list("Event") if event.get("reason") == "BackupFailed"]
        assert events, "there is no Event"
        assert events[0]["type"] == "Warning"

    eventually(told)
    # The Job's second try, which its controller makes after seconds.
    again = json.dumps({"backups": [["20260102-000000F", _TIME + 3660, 1000, 100]], "oldest": _TIME})
    eventually(lambda: _ends(walk, "backup", again, at=_at(62)), seconds=60)
    walk.becomes("BackedUp", "True", "BackedUp")
    assert "lastFailure" not in _backups(walk)


def test_what_was_said_stays_when_the_pods_are_gone(backed_up: Walk) -> None:
    walk = backed_up
    before = _backups(walk)
    for pod in walk.cluster.list("Pod", "app.kubernetes.io/component=backup"):
        walk.cluster.delete("Pod", pod["metadata"]["name"])

    def gone() -> None:
        assert not walk.cluster.list("Pod", "app.kubernetes.io/component=backup")

    eventually(gone)
    walk.settle()
    assert _backups(walk) == before
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
    _job(walk, "air-drill")
    _ends(walk, "drill", _COUNTED, at=_at(120))

    def told() -> None:
        assert _backups(walk).get("lastDrill") == {
            "time": _at(120),
            "succeeded": True,
            "message": "",
            "label": _LABEL,
            "seconds": 9,
            "observations": 7,
            "newestObservation": _at(0),
        }

    eventually(told)


def test_a_drill_that_fails_is_a_warning(backed_up: Walk) -> None:
    _job(backed_up, "air-drill")
    _ends(backed_up, "drill", '{"failed": "WAL is missing"}', well=False, at=_at(120))
    assert "WAL is missing" in backed_up.becomes("BackedUp", "False", "DrillFailed")
    backed_up.change({"database": {"managed": {"backup": {"drill": {"enabled": False}}}}})
    backed_up.becomes("BackedUp", "True", "BackedUp")
    backed_up.disappears("CronJob", "air-drill")


def test_whatever_is_said_breaks_nothing(backed_up: Walk) -> None:
    said = json.dumps({"backups": [["x" * 65, 1, 2, 3], [1], "y", ["20260104-000000F", 10**30, 1, 1]], "oldest": []})
    _job(backed_up, "air-backup")
    _ends(backed_up, "backup", said, at=_at(180))
    backed_up.becomes("BackedUp", "False", "BackupFailed")


def _restore(walk: Walk) -> None:
    walk.change({"database": {"managed": {"restore": {"name": "r1", "to": "2026-01-01T12:00:00Z"}}}})
    walk.becomes("Restored", "False", "RestoreProgressing")
    walk.appears("StatefulSet", "air-db-r1")


def _restored(walk: Walk) -> None:
    walk.kubelet.end_first("database-r1", _COUNTED)
    walk.becomes("Restored", "False", "RestoreStarting")
    walk.kubelet.run("database-r1")
    walk.becomes("Restored", "True", "RestoreReady")


def test_a_database_is_restored_beside_the_one_that_serves(backed_up: Walk) -> None:
    walk = backed_up
    before = walk.cluster.require("StatefulSet", "air-db")["metadata"]["generation"]
    _restore(walk)
    walk.kubelet.end_first("database-r1", '{"failed": "no backup before that"}', well=False)
    assert "no backup before that" in walk.becomes("Restored", "False", "RestoreFailed")
    _restored(walk)
    assert "7 Observations" in walk.condition("Restored")["message"]
    assert walk.service()["status"]["database"]["restored"]["observations"] == 7
    assert walk.condition("Ready")["status"] == "True"
    assert walk.cluster.require("StatefulSet", "air-db")["metadata"]["generation"] == before, "it goes on untouched"
    # Nobody is led to the restored one.
    for name in ("air-db", "air-db-primary"):
        selector = walk.cluster.require("Service", name)["spec"]["selector"]
        assert selector["app.kubernetes.io/component"] == "database"


def test_it_serves_and_the_former_one_is_kept(backed_up: Walk) -> None:
    walk = backed_up
    _restore(walk)
    _restored(walk)
    schema = walk.cluster.list("Job", "app.kubernetes.io/component=schema")[0]["metadata"]["name"]
    walk.change({"database": {"managed": {"serving": "r1"}}})

    def scaled_down() -> None:
        assert walk.cluster.require("StatefulSet", "air-db")["spec"]["replicas"] == 0

    eventually(scaled_down)
    walk.becomes_ready()
    walk.becomes("Restored", "True", "RestoreServing")
    jobs = [job["metadata"]["name"] for job in walk.cluster.list("Job", "app.kubernetes.io/component=schema")]
    assert jobs != [schema], "its schema is brought to the service's version first"
    # Its own backups begin.
    walk.becomes("BackedUp", "False", "BackupAwaited")
    _ends(walk, "backup", _BACKED_UP, at=_at(240))
    walk.becomes("BackedUp", "True", "BackedUp")
    assert _backups(walk)["database"] == "air-db-r1"

    walk.change({"database": {"managed": {"restore": None}}})
    walk.disappears("StatefulSet", "air-db")

    def began_anew() -> None:
        pods = walk.cluster.list("Pod", "app.kubernetes.io/component=database-r1")
        assert [pod["spec"].get("initContainers") for pod in pods] == [None]

    eventually(began_anew)
    walk.kubelet.run("database-r1")
    walk.becomes_ready()
    claims = {claim["metadata"]["name"] for claim in walk.cluster.list("PersistentVolumeClaim")}
    assert {"data-air-db-0", "data-air-db-r1-0"} <= claims


def test_and_back_again(backed_up: Walk) -> None:
    walk = backed_up
    _restore(walk)
    _restored(walk)
    walk.change({"database": {"managed": {"serving": "r1"}}})
    walk.becomes_ready()
    walk.change({"database": {"managed": {"serving": ""}}})
    walk.becomes_ready()
    assert walk.cluster.require("StatefulSet", "air-db")["spec"]["replicas"] == 1
    walk.becomes("BackedUp", "False", "BackupAwaited")


@pytest.mark.parametrize(
    ("managed", "says"),
    [
        ({"serving": "r7"}, "serving can be changed to the database that restore makes"),
        ({"restore": {"name": "r1", "to": "2026-01-01T13:00:00Z"}}, "restore once more, with another restore.name"),
        ({"restore": {"to": None}}, "restore once more, with another restore.name"),
        ({"backup": None}, "restore needs backup"),
        ({"instances": 2}, "before one instance becomes a pair"),
    ],
)
def test_what_would_serve_other_data_by_a_slip_is_refused(walk: Walk, managed: Manifest, says: str) -> None:
    walk.managed(_with(restore={"name": "r1", "to": "2026-01-01T12:00:00Z"}))
    with pytest.raises(UnprocessibleEntityError, match=says):
        walk.change({"database": {"managed": managed}})


def test_a_restore_over_the_database_that_serves_is_refused(walk: Walk) -> None:
    walk.managed(_with(serving="r1"))
    with pytest.raises(UnprocessibleEntityError, match="is the database that serves: choose another name"):
        walk.change({"database": {"managed": {"restore": {"name": "r1"}}}})
    walk.change({"database": {"managed": {"restore": {"name": "r2", "source": "r1"}}}})


def test_a_restored_database_is_not_left_by_leaving_managed_out(walk: Walk) -> None:
    walk.managed(_with(restore={"name": "r1"}, serving="r1"))
    with pytest.raises(UnprocessibleEntityError, match="the first one would serve again"):
        walk.change({"database": {"managed": None}})


def test_a_store_s_secret_that_is_missing_stops_nothing_but_backups(walk: Walk) -> None:
    bucket = {"endpoint": "https://s3.city.example", "bucket": "air", "credentialsSecretRef": {"name": "s3"}}
    walk.managed(_with({"s3": bucket}))
    walk.becomes_ready()
    assert "Secret s3 does not exist" in walk.becomes("BackedUp", "False", "SecretUnusable")
    keys = {"accessKeyId": "a", "secretAccessKey": "correct horse"}
    walk.cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3"}, "stringData": keys})
    walk.becomes("BackedUp", "False", "BackupAwaited")
    everything = json.dumps([walk.service(), *walk.cluster.list("Event"), *walk.cluster.list("ConfigMap")])
    assert "correct horse" not in everything


def test_pods_around_backups_have_no_right(walk: Walk, kubectl: Kubectl) -> None:
    walk.managed(_with())
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
