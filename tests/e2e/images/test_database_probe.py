"""What the operator sees of real PostgreSQL servers, alone and as a pair; by a role without any privilege."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from sensorthings_operator.api.database import DatabaseEndpoint
from sensorthings_operator.clients.database import Credentials, ask
from sensorthings_operator.conditions.databasehosts import DatabaseAnswer, HostLook, Limits, ReplicationReason, Role
from sensorthings_operator.conditions.databasejudging import judge
from sensorthings_operator.desired.addresses import DatabaseAddress
from tests.e2e.images.conftest import Stack, free_port
from tests.e2e.images.containers import Container, await_true

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensorthings_operator.conditions.observed import Answer
    from tests.e2e.images.containers import Runtime

_CREDENTIALS = Credentials("sensorthings", "test")
_START_STANDBY = """
set -eu
pg_basebackup --host=127.0.0.1 --port=$PRIMARY --username=postgres --pgdata="$PGDATA" --write-recovery-conf \
  --checkpoint=fast --wal-method=stream
exec postgres -c listen_addresses=127.0.0.1 -c port=$PORT -c unix_socket_directories=/tmp -c fsync=off \
  -c wal_retrieve_retry_interval=200ms
"""


def _address(*ports: int) -> DatabaseAddress:
    endpoints = tuple(DatabaseEndpoint(host="127.0.0.1", port=port) for port in ports)
    return DatabaseAddress(endpoints, "sensorthings", "air-db", "disable", None)


def _judged(looks: tuple[HostLook, ...], before: Answer | None = None, **limits: Any) -> Answer:
    now = time.monotonic()
    return judge(looks, "sensorthings", Limits(**limits), before, began=now, now=now)


async def _answer(stack: Stack, **limits: Any) -> Answer:
    return _judged(await ask(_address(stack.database_port), _CREDENTIALS), **limits)


async def test_more_connections_than_it_takes_are_told_of(stack: Stack) -> None:
    """PostgreSQL takes 100 by default and keeps three of them for superusers."""
    assert (await _answer(stack, connections=97)).reason == DatabaseAnswer.REACHABLE
    answer = await _answer(stack, connections=98)
    assert answer.reason == DatabaseAnswer.FEW_CONNECTIONS
    assert "takes 97 connections, where all pods together may open 98" in answer.message


async def test_the_limits_of_the_role_and_the_database_count_too(stack: Stack) -> None:
    for limited in ("role", "database"):
        stack.sql("postgres", f"alter {limited} sensorthings connection limit 10")
        try:
            answer = await _answer(stack, connections=40)
            assert answer.reason == DatabaseAnswer.FEW_CONNECTIONS
            assert "takes 10 connections" in answer.message
        finally:
            stack.sql("postgres", f"alter {limited} sensorthings connection limit -1")
    assert (await _answer(stack, connections=40)).reason == DatabaseAnswer.REACHABLE


async def test_connections_that_are_nearly_used_up_are_told_of(stack: Stack) -> None:
    """Of a role of its own: other tests leave modules with open connections behind."""
    stack.sql("postgres", "create role lonely login password 'test' connection limit 1")
    try:
        looks = await ask(_address(stack.database_port), Credentials("lonely", "test"))
    finally:
        stack.sql("postgres", "drop role lonely")
    assert _judged(looks).reason == DatabaseAnswer.CONNECTIONS_USED, "the probe's own connection is the only one"


async def test_what_a_server_says_of_itself(stack: Stack) -> None:
    (look,) = await ask(_address(stack.database_port), _CREDENTIALS)
    assert (look.role, look.version // 10000, look.postgis[:2]) == (Role.PRIMARY, 15, "3.")
    assert look.size_bytes > 5_000_000
    assert look.timeline == 1
    assert look.position > 0
    assert look.address == "127.0.0.1"
    assert [usage.limit for usage in look.usages] == [97]


@dataclass
class Pair:
    """A primary and a standby of its own, from the image of managed databases."""

    runtime: Runtime
    folder: Path
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))

    def __post_init__(self) -> None:
        self.stack = Stack(self.runtime, self.folder, database_port=self.ports[0])
        self.primary = self.stack.start_database("sensorthings")
        environment = {"PRIMARY": str(self.ports[0]), "PORT": str(self.ports[1]), "PGDATA": "/tmp/data"}  # noqa: S108
        self.standby = self.runtime.run("postgresql", environment=environment, command=["bash", "-c", _START_STANDBY])
        log = f"standby: {self.standby.bundle / 'log'}"
        await_true(lambda: "started streaming WAL from primary" in self.standby.log, log)

    @property
    def hosts(self) -> tuple[str, str]:
        """As the operator names them."""
        one, other = self.ports
        return f"127.0.0.1:{one}", f"127.0.0.1:{other}"

    def at_standby(self, script: str) -> str:
        """Run SQL there as the superuser."""
        psql = ["psql", "--host=127.0.0.1", f"--port={self.ports[1]}", "--username=postgres", "-XAtqc", script]
        return self.standby.execute(*psql, "sensorthings").strip()

    async def look(self, before: Answer | None = None, **limits: Any) -> Answer:
        """Ask both, and judge."""
        return _judged(await ask(_address(*self.ports), _CREDENTIALS), before, **limits)

    def write(self) -> None:
        """One transaction."""
        self.stack.sql("sensorthings", "create table if not exists written (at timestamptz)")
        self.stack.sql("sensorthings", "insert into written values (now())")


@pytest.fixture
def pair(runtime: Runtime, tmp_path: Path) -> Iterator[Pair]:
    """Gone after the test."""
    made = Pair(runtime, tmp_path)
    yield made
    for container in (made.standby, made.primary):
        container.stop()


async def _caught_up(pair: Pair) -> Answer:
    for _ in range(100):
        answer = await pair.look()
        if answer.hosts[1].lag is not None and answer.hosts[1].lag.bytes == 0:
            return answer
        await asyncio.sleep(0.1)
    pytest.fail(f"the standby never came up to the primary: {answer}")


async def test_a_pair_that_streams(pair: Pair) -> None:
    pair.write()
    answer = await _caught_up(pair)
    assert answer.reason == DatabaseAnswer.REACHABLE
    assert answer.replication is not None
    assert answer.replication.reason is ReplicationReason.STREAMING
    assert answer.replication.roles == ((pair.hosts[0], Role.PRIMARY), (pair.hosts[1], Role.STANDBY))
    assert not answer.replication.reads_at_primary
    assert answer.hosts[1].sync_state == "", "the role has no pg_monitor"
    pair.stack.sql("postgres", "grant pg_monitor to sensorthings")
    assert (await pair.look()).hosts[1].sync_state == "async"


async def test_an_idle_primary_is_no_lag_and_a_standby_that_does_not_replay_is(pair: Pair) -> None:
    pair.write()
    before = await _caught_up(pair)
    await asyncio.sleep(3)
    idle = await pair.look(before)
    assert idle.hosts[1].look.replay_age_seconds is not None
    assert idle.hosts[1].look.replay_age_seconds > 2, "PostgreSQL's own figure grows while nobody writes"
    assert idle.hosts[1].lag is not None
    assert idle.hosts[1].lag.seconds is not None
    assert idle.hosts[1].lag.seconds < 0.5

    pair.at_standby("select pg_wal_replay_pause()")
    pair.write()
    await asyncio.sleep(2)
    late = await pair.look(idle, standby_lag_seconds=1)
    assert late.hosts[1].lag is not None
    assert late.hosts[1].lag.bytes > 0
    assert late.hosts[1].lag.seconds is not None
    assert 2 <= late.hosts[1].lag.seconds < 4
    assert late.replication is not None
    assert late.replication.reason is ReplicationReason.LAGGING
    assert late.replication.reads_at_primary

    pair.at_standby("select pg_wal_replay_resume()")
    await _caught_up(pair)
    once = await pair.look(late, standby_lag_seconds=1)
    again = await pair.look(once, standby_lag_seconds=1)
    for answer, at_primary in ((once, True), (again, False)):
        assert answer.replication is not None
        assert answer.replication.reason is ReplicationReason.STREAMING
        assert answer.replication.reads_at_primary == at_primary


async def test_a_standby_that_is_promoted_beside_its_primary_makes_two(pair: Pair) -> None:
    pair.at_standby("select pg_promote()")
    answer = await pair.look()
    assert (answer.holds, answer.reason) == (False, DatabaseAnswer.TWO_PRIMARIES)
    assert f"{pair.hosts[0]} (timeline 1) and {pair.hosts[1]} (timeline 2)" in answer.message


async def test_a_primary_that_goes(pair: Pair) -> None:
    before = await _caught_up(pair)
    pair.primary.stop()
    await_true(lambda: pair.at_standby("select count(*) from pg_stat_wal_receiver") == "0", "it receives no more")
    gone = await pair.look(before)
    assert gone.reason == DatabaseAnswer.NO_PRIMARY
    pair.at_standby("select pg_promote()")
    after = await pair.look(gone)
    assert after.holds
    assert after.replication is not None
    assert after.replication.roles == ((pair.hosts[1], Role.PRIMARY),)
    assert after.replication.reason is ReplicationReason.MISSING


def _signal(container: Container, number: signal.Signals) -> None:
    listing = subprocess.run(["runc", "ps", "--format", "json", container.name], capture_output=True, check=True).stdout
    for pid in json.loads(listing):
        os.kill(pid, number)


async def test_a_standby_that_hangs_makes_the_primarys_answer_late_by_little(pair: Pair) -> None:
    """The kernel takes the connection, and nobody speaks."""
    await _caught_up(pair)
    _signal(pair.standby, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = await pair.look()
        seconds = time.monotonic() - began
    finally:
        _signal(pair.standby, signal.SIGCONT)
    assert answer.holds
    assert seconds < 4
    assert answer.replication is not None
    assert answer.replication.reason is ReplicationReason.MISSING
