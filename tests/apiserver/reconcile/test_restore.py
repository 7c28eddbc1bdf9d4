"""Restores of a managed database on a real API server: beside the one that serves, the switch, and what is refused.

Pods run nowhere here: what pgBackRest does is in tests/e2e/images/test_backup.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kubernetes.dynamic.exceptions import UnprocessibleEntityError

from tests.apiserver.reconcile.backed_up import BACKED_UP, COUNTED, at, backups, ends, with_backups
from tests.apiserver.reconcile.waiting import eventually

if TYPE_CHECKING:
    from tests.apiserver.reconcile.walk import Walk
    from tests.unit.api.examples import Manifest


def _restore(walk: Walk) -> None:
    walk.change({"database": {"managed": {"restore": {"name": "r1", "to": "2026-01-01T12:00:00Z"}}}})
    walk.becomes("Restored", "False", "RestoreProgressing")
    walk.appears("StatefulSet", "air-db-r1")


def _restored(walk: Walk) -> None:
    walk.kubelet.end_first("database-r1", COUNTED)
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
    ends(walk, "backup", BACKED_UP, at=at(240))
    walk.becomes("BackedUp", "True", "BackedUp")
    assert backups(walk)["database"] == "air-db-r1"

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


def test_a_switch_before_the_restore_is_done_waits_for_it(backed_up: Walk) -> None:
    """Both in one change, as a GitOps tool may make them: clients are served by the former one until then."""
    walk = backed_up
    walk.change({"database": {"managed": {"restore": {"name": "r1"}, "serving": "r1"}}})
    walk.becomes("Ready", "False", "SwitchAwaited")
    walk.becomes("Restored", "False", "RestoreProgressing")
    assert walk.cluster.require("StatefulSet", "air-db")["spec"]["replicas"] == 1
    assert "serving" not in walk.service()["status"]["database"]
    schema = [job["metadata"]["name"] for job in walk.cluster.list("Job", "app.kubernetes.io/component=schema")]
    walk.kubelet.end_first("database-r1", '{"failed": "no backup before that"}', well=False)
    walk.becomes("Restored", "False", "RestoreFailed")
    walk.settle()
    assert [j["metadata"]["name"] for j in walk.cluster.list("Job", "app.kubernetes.io/component=schema")] == schema

    walk.kubelet.end_first("database-r1", COUNTED)
    walk.becomes("Restored", "False", "RestoreStarting")
    told = walk.cluster.require("ConfigMap", "air-backup")["data"]["restored"]
    assert told.split() == ["air-db-r1"], "it is not restored again, whatever becomes of its volume"
    walk.kubelet.run("database-r1")
    walk.becomes_ready()
    walk.becomes("Restored", "True", "RestoreServing")
    assert walk.service()["status"]["database"]["serving"] == "r1"
    assert walk.cluster.require("StatefulSet", "air-db")["spec"]["replicas"] == 0


def test_a_restore_that_is_taken_out_before_it_is_done_leaves_the_former_one_serving(backed_up: Walk) -> None:
    walk = backed_up
    walk.change({"database": {"managed": {"restore": {"name": "r1"}, "serving": "r1"}}})
    walk.becomes("Ready", "False", "SwitchAwaited")
    walk.change({"database": {"managed": {"restore": None}}})
    walk.becomes("Ready", "False", "SwitchImpossible")
    assert walk.cluster.require("StatefulSet", "air-db")["spec"]["replicas"] == 1
    walk.disappears("StatefulSet", "air-db-r1")
    walk.change({"database": {"managed": {"restore": {"name": "r1"}, "serving": ""}}})
    walk.becomes_ready()


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
    walk.managed(with_backups(restore={"name": "r1", "to": "2026-01-01T12:00:00Z"}))
    with pytest.raises(UnprocessibleEntityError, match=says):
        walk.change({"database": {"managed": managed}})


def test_a_restore_over_the_database_that_serves_is_refused(walk: Walk) -> None:
    walk.managed(with_backups(serving="r1"))
    with pytest.raises(UnprocessibleEntityError, match="is the database that serves: choose another name"):
        walk.change({"database": {"managed": {"restore": {"name": "r1"}}}})
    walk.change({"database": {"managed": {"restore": {"name": "r2", "source": "r1"}}}})


def test_a_restored_database_is_not_left_by_leaving_managed_out(walk: Walk) -> None:
    walk.managed(with_backups(restore={"name": "r1"}, serving="r1"))
    with pytest.raises(UnprocessibleEntityError, match="the first one would serve again"):
        walk.change({"database": {"managed": None}})
