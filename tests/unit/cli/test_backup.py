"""``sensorthings backup``: what it writes, what it waits for, and what it refuses."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sensorthings_operator.cli import app
from sensorthings_operator.cli.backup import command, requests
from sensorthings_operator.cli.errors import SensorThingsError
from sensorthings_operator.cli.sizes import size
from sensorthings_operator.cli.status.cluster import AnswerError, Cluster
from sensorthings_operator.desired import children
from tests.unit.operator.samples import SETTINGS, body, service

if TYPE_CHECKING:
    from pathlib import Path

_MANAGED: Final = {"instances": 1, "backup": {"storage": {"volume": {"size": "20Gi"}}}}
_SPEC: Final = {"database": {"type": "Managed", "managed": _MANAGED}}
_PATH: Final = "/apis/sensorthings.city/v1alpha1/namespaces/hamburg/sensorthingsservices/air"
_JOBS: Final = "/apis/batch/v1/namespaces/hamburg/jobs"
_BACKUP: Final = {
    "database": "air-db",
    "lastSuccessTime": "2026-11-23T01:17:30Z",
    "oldestRestorableTime": "2026-11-09T01:17:30Z",
    "nextScheduleTime": "2026-11-24T01:17:00Z",
    "lastDrill": {"time": "2026-11-02T03:50:00Z", "succeeded": True},
    "backups": [
        {"label": "20261123-011700F", "time": "2026-11-23T01:17:30Z", "sizeBytes": 3 * 2**30, "storedBytes": 2**20}
    ],
}


def _condition(type_: str, status: str, reason: str) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": "so it is", "observedGeneration": 1}


class FakeCluster:
    """A cluster with one service and the CronJobs that the operator made for it."""

    def __init__(self) -> None:
        made = children(service(_SPEC), SETTINGS)
        self.live = {
            **body(deepcopy(_SPEC)),
            "status": {"conditions": [_condition("BackedUp", "True", "BackedUp")], "database": {"backup": _BACKUP}},
        }
        self.cron_jobs = {
            each["metadata"]["name"]: {**each, "metadata": {**each["metadata"], "uid": "u"}}
            for each in made
            if each["kind"] == "CronJob"
        }
        self.written: list[tuple[str, dict[str, Any]]] = []
        self.refuses: AnswerError | None = None
        self.ends = "Complete"
        self.then: list[dict[str, Any]] = []
        """Conditions of the service at each look that follows."""

    def services(self, _: str | None, name: str) -> tuple[list[dict[str, Any]], None, tuple[str, ...]]:
        return ([self.live] if name == "air" else []), None, ()

    def get(self, path: str) -> dict[str, Any]:
        if path == _PATH:
            if self.then:
                self.live["status"]["conditions"] = [self.then.pop(0)]
            return self.live
        if path.startswith(_JOBS):
            return {"status": {"conditions": [{"type": self.ends, "status": "True", "message": "2 pods failed"}]}}
        name = path.rpartition("/")[2]
        if name not in self.cron_jobs:
            raise AnswerError(404, "not found")
        return self.cron_jobs[name]

    def create(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        return self._write(path, manifest)

    def merge(self, path: str, patch: dict[str, Any]) -> dict[str, Any]:
        return self._write(path, patch)

    def _write(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        if self.refuses is not None:
            raise self.refuses
        self.written.append((path, manifest))
        return manifest


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    fake = FakeCluster()

    def connect(_: Path | None, __: str | None) -> FakeCluster:
        return fake

    monkeypatch.setattr(Cluster, "connect", connect)
    monkeypatch.setattr(command, "_PAUSE_SECONDS", 0)
    return fake


def _run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["backup", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(("name", "cron_job"), [("now", "air-backup"), ("drill", "air-drill")])
def test_a_job_is_made_from_the_cron_job(cluster: FakeCluster, name: str, cron_job: str) -> None:
    code, _, beside = _run(name, "air")
    assert code == 0, beside
    ((path, job),) = cluster.written
    assert path == _JOBS
    assert job["spec"] == cluster.cron_jobs[cron_job]["spec"]["jobTemplate"]["spec"]
    assert job["metadata"]["labels"]["sensorthings.city/service"] == "air", "the operator sees what comes of it"
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("CronJob", cron_job, "u")
    assert "ended well" in beside


def test_a_job_that_fails_is_an_error(cluster: FakeCluster) -> None:
    cluster.ends = "Failed"
    code, _, beside = _run("now", "air")
    assert code == 1
    assert "2 pods failed" in beside
    assert "kubectl logs -n hamburg job/air-backup-now-" in beside


def test_nobody_waits_who_does_not_want_to(cluster: FakeCluster) -> None:
    cluster.ends = "Running"
    assert _run("now", "air", "--no-wait")[0] == 0
    assert len(cluster.written) == 1


def test_what_is_missing_is_told(cluster: FakeCluster) -> None:
    cluster.cron_jobs.clear()
    assert "There is no CronJob hamburg/air-drill" in _run("drill", "air")[2]
    cluster.live["spec"]["database"]["managed"].pop("backup")
    assert "Set spec.database.managed.backup" in _run("now", "air")[2]
    cluster.live["spec"]["database"] = {"type": "External", "external": {}}
    assert "run elsewhere" in _run("list", "air")[2]
    assert "There is no SensorThingsService water" in _run("list", "water")[2]


def test_a_refusal_names_the_right_that_is_lacking(cluster: FakeCluster) -> None:
    cluster.refuses = AnswerError(403, "403, no")
    assert "the right to create it" in _run("now", "air")[2]
    assert "the right to patch it" in _run("restore", "air")[2]


def test_the_list(cluster: FakeCluster) -> None:
    code, shown, _ = _run("list", "air")
    assert code == 0
    lines = shown.splitlines()
    assert lines[1].split() == ["20261123-011700F", "2026-11-23T01:17:30Z", "3.0", "GiB", "1.0", "MiB"]
    assert "2026-11-24T01:17:00Z" in shown
    assert "practice of 2026-11-02T03:50:00Z succeeded" in shown
    assert json.loads(_run("list", "air", "--json")[1])["backup"] == _BACKUP
    cluster.live["status"]["conditions"] = [_condition("BackedUp", "False", "BackupFailed")]
    assert _run("list", "air")[0] == 3


def test_a_restore_is_asked_for_and_awaited(cluster: FakeCluster) -> None:
    cluster.then = [
        _condition("Ready", "True", "ServiceReady"),
        _condition("Restored", "False", "RestoreProgressing"),
        _condition("Restored", "True", "RestoreReady"),
    ]
    code, _, beside = _run("restore", "air", "--to", "2026-11-23T10:00:00+01:00")
    assert code == 0, beside
    wanted = {"name": "r1", "source": "", "to": "2026-11-23T09:00:00Z"}
    assert cluster.written == [(_PATH, {"spec": {"database": {"managed": {"restore": wanted}}}})]
    assert "sensorthings backup switch air" in beside


def test_a_restore_that_fails_is_an_error(cluster: FakeCluster) -> None:
    cluster.then = [_condition("Restored", "False", "RestoreFailed")]
    assert _run("restore", "air")[0] == 1


def test_for_gitops_it_is_shown_and_nothing_is_changed(cluster: FakeCluster) -> None:
    code, shown, _ = _run("restore", "air", "--to", "2026-11-23T10:00:00Z", "--as", "flood", "--show")
    assert (code, cluster.written) == (0, [])
    wanted = {"name": "flood", "source": "", "to": "2026-11-23T10:00:00Z"}
    assert yaml.safe_load(shown) == {"spec": {"database": {"managed": {"restore": wanted}}}}
    assert "null" not in _run("restore", "air", "--show")[1]


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("yesterday", "no time with a time zone"),
        ("2026-11-23T10:00:00", "no time with a time zone"),
        ("2026-11-09T01:17:29Z", "Choose a time from 2026-11-09T01:17:30Z on"),
    ],
)
def test_a_time_that_can_not_be_is_refused(cluster: FakeCluster, to: str, told: str) -> None:
    code, _, beside = _run("restore", "air", "--to", to)
    assert (code, cluster.written) == (1, [])
    assert told in beside


@pytest.mark.parametrize(
    ("to", "until", "refused"),
    [
        ("2026-11-20T10:00:00Z", "2026-11-20T12:00:00Z", False),
        ("2026-11-20T10:00:01Z", "2026-11-20T12:00:00Z", True),
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00Z", False),
        ("2026-11-22T10:00:00Z", None, True),
    ],
)
def test_a_time_in_a_gap_of_the_archive_is_refused(
    cluster: FakeCluster, to: str, until: str | None, refused: bool
) -> None:
    gap = {"segment": "0" * 24, "since": "2026-11-20T10:00:00Z", **({} if until is None else {"until": until})}
    cluster.live["status"]["database"] = {"backup": {**_BACKUP, "gap": gap}}
    cluster.then = [_condition("Restored", "True", "RestoreReady")]
    code, _, beside = _run("restore", "air", "--to", to)
    assert (code, bool(cluster.written)) == ((1, False) if refused else (0, True))
    if refused:
        assert "Choose a time up to 2026-11-20T10:00:00Z" in beside
    assert (f"from {until} on" in beside) == (refused and until is not None)


def test_the_switch_waits_for_a_restored_database(cluster: FakeCluster) -> None:
    assert "Nothing is restored" in _run("switch", "air")[2]
    cluster.live["spec"]["database"]["managed"]["restore"] = {"name": "r1", "source": ""}
    assert "not ready" in _run("switch", "air")[2]
    cluster.live["status"]["conditions"] = [_condition("Restored", "True", "RestoreReady")]
    assert _run("switch", "air")[0] == 0
    assert cluster.written == [(_PATH, {"spec": {"database": {"managed": {"serving": "r1"}}}})]


def test_what_the_operator_said_of_an_older_spec_is_no_leave_to_switch(cluster: FakeCluster) -> None:
    cluster.live["spec"]["database"]["managed"]["restore"] = {"name": "r2", "source": ""}
    cluster.live["metadata"]["generation"] = 2
    cluster.live["status"]["conditions"] = [_condition("Restored", "True", "RestoreReady")]
    assert _run("switch", "air")[0] == 1
    assert cluster.written == []


def _live(**managed: Any) -> dict[str, Any]:
    return body({"database": {"type": "Managed", "managed": {**_MANAGED, **managed}}})


@pytest.mark.parametrize(
    ("managed", "name", "source"),
    [
        ({}, "r1", ""),
        ({"restore": {"name": "r1", "source": ""}}, "r2", ""),
        ({"restore": {"name": "r1", "source": ""}, "serving": "r1"}, "r2", "r1"),
        ({"serving": "flood"}, "r1", "flood"),
    ],
)
def test_the_next_name_is_free_and_the_one_that_serves_is_the_source(
    managed: dict[str, Any], name: str, source: str
) -> None:
    wanted = requests.restore(_live(**managed), name="", source=None, to="")["spec"]["database"]["managed"]["restore"]
    assert (wanted["name"], wanted["source"], wanted["to"]) == (name, source, None)


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.timezones() | st.just(UTC)))
def test_a_time_means_what_it_meant(asked: datetime) -> None:
    try:
        utc = asked.astimezone(UTC)
    except OverflowError:
        return
    if utc.utcoffset() is None or asked.isoformat().count(":") > 3:  # offsets with seconds, before there were zones
        return
    said = requests.moment(asked.isoformat(), _live())
    assert datetime.fromisoformat(said) == utc
    service({"database": {"type": "Managed", "managed": {**_MANAGED, "restore": {"name": "r1", "to": said}}}})


def test_names_of_jobs_are_short_enough() -> None:
    cron_job = {"metadata": {"name": "a" * 52, "namespace": "x", "uid": "u"}, "spec": {"jobTemplate": {"spec": {}}}}
    assert len(requests.job(cron_job, datetime(2026, 11, 23, tzinfo=UTC))["metadata"]["name"]) <= 63


@pytest.mark.parametrize(("number", "said"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 kiB"), (2**31, "2.0 GiB")])
def test_sizes(number: int, said: str) -> None:
    assert size(number) == said


def test_a_database_that_is_not_there_is_no_database() -> None:
    with pytest.raises(SensorThingsError, match="run elsewhere"):
        requests.managed(body({"database": {"type": "External"}}))


def test_a_name_whose_volume_is_still_there_is_not_taken_again() -> None:
    """What an earlier restore left would be taken for this one's."""
    live = body(deepcopy(_SPEC))
    claims = ["data-air-db-0", "data-air-db-r1-0", "data-air-db-r2-1", "data-airport-db-r7-0", "data-air-repository-0"]
    patch = requests.restore(live, name="", source=None, to="", claims=claims)
    assert patch["spec"]["database"]["managed"]["restore"]["name"] == "r3"
