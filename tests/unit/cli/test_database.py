"""``sensorthings database status``: the table, what is said where the operator can't be asked, and how it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from typer.testing import CliRunner

from sensorthings_operator.cli import app
from sensorthings_operator.cli.status.cluster import AnswerError, Cluster
from sensorthings_operator.conditions.databasehosts import Limits, Sender, Usage
from sensorthings_operator.conditions.databasejudging import judge
from sensorthings_operator.observe.databasefigures import DatabaseFigures
from sensorthings_operator.observe.services import Services
from tests.unit.operator.samples import body, look, silent, standby

if TYPE_CHECKING:
    from pathlib import Path

    from sensorthings_operator.conditions.databasehosts import HostLook

_PRIMARY = look(senders=(Sender("walreceiver", "10.0.0.7", "sync"),), usages=(Usage(41, 97),), size_bytes=3 * 2**30)
_LATE = standby(position=1000 - 512, replay_age_seconds=12.34, usages=(Usage(7, 97),), size_bytes=1023)


def _exposition(*looks: HostLook) -> str:
    services = Services()
    services.put(body())
    services.put(body(name="noise", uid="2"))
    answer = judge(looks, "sensorthings", Limits(), None, began=0.0, now=0.0)
    registry = CollectorRegistry()
    registry.register(DatabaseFigures(services, lambda _: answer))
    return "# HELP other x\n# TYPE other counter\nother_total 1.0\n" + generate_latest(registry).decode()


def _condition(type_: str, status: str, reason: str) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": "so it is", "lastTransitionTime": "x"}


class FakeCluster:
    """A cluster with one service, and an operator in one of its pods."""

    def __init__(self, *looks: HostLook) -> None:
        self.operator = _exposition(*looks)
        self.refuses: AnswerError | None = None
        self.pods = ["standby", "leader"]
        self.asked: list[str] = []
        self.conditions = [
            _condition("DatabaseReachable", "True", "DatabaseAnswers"),
            _condition("DatabaseReplicated", "True", "StandbysStreaming"),
            _condition("Ready", "False", "RollingOut"),
        ]

    def services(self, _: str | None, name: str) -> tuple[list[dict[str, Any]], None, tuple[str, ...]]:
        hosts = [{"host": "db-0:5432", "role": "primary"}, {"host": "db-1:5432", "role": "standby"}]
        status = {"conditions": self.conditions, "database": {"primary": "db-0:5432", "hosts": hosts}}
        return ([{**body(), "status": status}] if name == "air" else []), None, ()

    def labelled(self, _: object, namespace: str, __: str) -> list[dict[str, Any]]:
        self.asked.append(namespace)
        return [{"metadata": {"name": name}} for name in self.pods]

    def text(self, path: str) -> str:
        self.asked.append(path)
        if self.refuses is not None:
            raise self.refuses
        return self.operator if "leader" in path else "# nothing\n"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    fake = FakeCluster(_PRIMARY, _LATE)

    def connect(_: Path | None, __: str | None) -> FakeCluster:
        return fake

    monkeypatch.setattr(Cluster, "connect", connect)
    return fake


def _run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["database", "status", *arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.stdout, result.stderr


def test_the_table(cluster: FakeCluster) -> None:
    code, shown, beside = _run("air")
    assert (code, beside) == (0, "")
    lines = [line.split() for line in shown.splitlines()]
    assert lines[0] == ["HOST", "ROLE", "VERSION", "LAG", "SYNC", "CONNECTIONS", "SIZE"]
    assert lines[1] == ["db-0:5432", "primary", "15.18", "-", "-", "41", "of", "97", "3.0", "GiB"]
    assert lines[2] == [
        *("db-1:5432", "standby", "15.18", "12.3", "s,", "512", "B", "sync", "7", "of", "97", "1023", "B")
    ]
    assert shown.splitlines()[3:] == [
        "DatabaseReachable True, DatabaseAnswers: so it is",
        "DatabaseReplicated True, StandbysStreaming: so it is",
    ]
    assert cluster.asked == [
        "sensorthings-system",
        "/api/v1/namespaces/sensorthings-system/pods/standby:8080/proxy/metrics",
        "/api/v1/namespaces/sensorthings-system/pods/leader:8080/proxy/metrics",
    ]


def test_a_server_that_does_not_answer_is_said_so(cluster: FakeCluster) -> None:
    cluster.operator = _exposition(_PRIMARY, silent("db-1:5432"))
    assert "db-1:5432   does not answer   -" in _run("air")[1]


def test_for_programs(cluster: FakeCluster) -> None:
    code, shown, _ = _run("air", "-o", "json")
    record = json.loads(shown)
    assert code == 0
    assert record["servers"][1] == {
        "host": "db-1:5432",
        "answers": True,
        "role": "standby",
        "version": "15.18",
        "lag_seconds": 12.34,
        "lag_bytes": 512,
        "sync": "sync",
        "connections": 7,
        "connection_limit": 97,
        "size_bytes": 1023,
    }
    assert [each["type"] for each in record["conditions"]] == ["DatabaseReachable", "DatabaseReplicated"]


def test_it_ends_by_the_conditions(cluster: FakeCluster) -> None:
    cluster.conditions[1] = _condition("DatabaseReplicated", "False", "StandbyLagging")
    assert _run("air")[0] == 3
    cluster.conditions.clear()
    assert _run("air")[0] == 3


@pytest.mark.parametrize(("status", "remedy"), [(403, "pods/proxy"), (503, "Look whether the operator's pod is ready")])
def test_where_the_operator_can_not_be_asked_the_status_has_the_roles(
    cluster: FakeCluster, status: int, remedy: str
) -> None:
    cluster.refuses = AnswerError(status, f"{status}, no")
    code, shown, beside = _run("air")
    assert code == 0
    assert shown.splitlines()[2].split() == ["db-1:5432", "standby", *"-----"]
    assert remedy in beside


@pytest.mark.parametrize(("pods", "told"), [([], "There is no operator"), (["standby"], "has not looked")])
def test_where_nobody_knows(cluster: FakeCluster, pods: list[str], told: str) -> None:
    cluster.pods = pods
    assert told in _run("air", "--operator-namespace", "elsewhere")[2]
    assert cluster.asked[0] == "elsewhere"


def test_a_service_that_is_not_there(cluster: FakeCluster) -> None:
    assert cluster
    code, shown, beside = _run("water")
    assert (code, shown) == (1, "")
    assert "There is no SensorThingsService water" in beside
