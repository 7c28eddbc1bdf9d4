"""The stack's own user-data on real machines: systemd, cloud-init and PostgreSQL are those of Debian.

What is not Azure's here: passwords come from a folder instead of the key vault, the data disk is mounted already, and
the packages are installed already.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from localcluster.errors import LocalClusterError
from tests.stacks.machines.conftest import PAIR, Client, RunningPair
from tests.stacks.programs import PASSWORDS

if TYPE_CHECKING:
    from sensorthings_stacks.user_data import Member

pytestmark = pytest.mark.machines

_PATIENCE = 240  # seconds; two cores may be shared with much else


def _eventually(client: Client, member: Member, sql: str, expected: str) -> float:
    """Seconds until the answer is the expected one."""
    started = time.monotonic()
    while not client.answers(member, sql, expected):
        waited = time.monotonic() - started
        assert waited < _PATIENCE, f"{member.name} did not answer {expected!r} to {sql!r} within {_PATIENCE} s"
        time.sleep(0.2)
    return time.monotonic() - started


def test_a_row_written_on_the_primary_is_read_on_the_replica(pair: RunningPair, node: Client) -> None:
    _eventually(node, PAIR.replica, "SELECT pg_is_in_recovery()", "t")
    node.ask(PAIR.primary, "CREATE TABLE observation (result int); INSERT INTO observation VALUES (42)")
    _eventually(node, PAIR.replica, "SELECT result FROM observation", "42")
    with pytest.raises(LocalClusterError, match="read-only transaction"):
        node.ask(PAIR.replica, "INSERT INTO observation VALUES (43)")


def test_the_replica_streams_from_its_slot_over_tls(pair: RunningPair, node: Client) -> None:
    _eventually(node, PAIR.replica, "SELECT pg_is_in_recovery()", "t")
    as_superuser = ("runuser", "-u", "postgres", "--", "psql", "-Atqc")
    streams = pair.primary.machine.run(
        *as_superuser,
        "SELECT application_name, state, slot_name, ssl.version FROM pg_stat_replication "
        "JOIN pg_stat_ssl AS ssl USING (pid) JOIN pg_replication_slots ON active_pid = pid",
    )
    assert streams.strip() == "db-1|streaming|db_1|TLSv1.3"


def test_postgis_checksums_and_tuning_are_there(pair: RunningPair, node: Client) -> None:
    for member in (PAIR.primary, PAIR.replica):
        _eventually(node, member, "SELECT ST_AsText(ST_MakePoint(10, 53.5))", "POINT(10 53.5)")
        assert node.ask(member, "SHOW data_checksums") == "on"
        assert node.ask(member, "SHOW shared_buffers") == "2GB"


def test_only_the_clusters_nodes_may_log_in_and_only_encrypted(
    pair: RunningPair, node: Client, stranger: Client
) -> None:
    _eventually(node, PAIR.primary, "SELECT 1", "1")
    with pytest.raises(LocalClusterError, match=r'no pg_hba.conf entry for host "10\.20\.32\.5"'):
        stranger.ask(PAIR.primary, "SELECT 1")
    with pytest.raises(LocalClusterError, match="no encryption"):
        node.ask(PAIR.primary, "SELECT 1", tls="disable")


def test_cloud_init_and_systemd_report_no_error(pair: RunningPair, node: Client) -> None:
    _eventually(node, PAIR.replica, "SELECT 1", "1")
    for machine in (side.machine for side in pair):
        assert "status: done" in machine.run("cloud-init", "status", "--wait")
        assert machine.run("systemctl", "list-units", "--failed", "--no-legend", "sensorthings-*", "postgresql*") == ""


def test_no_password_lies_on_a_disk_or_in_a_log(pair: RunningPair, node: Client) -> None:
    _eventually(node, PAIR.replica, "SELECT 1", "1")
    for machine in (side.machine for side in pair):
        for password in PASSWORDS.values():
            where = ("/etc", "/var/lib/postgresql", "/var/log", "/var/lib/cloud")
            # grep ends with 1 where it finds nothing.
            found = machine.run("sh", "-c", 'grep -rlF -- "$0" "$@" || test $? = 1', password, *where)
            assert found == ""
            assert password not in machine.run("journalctl", "--no-pager")


def test_cloud_inits_own_schema_accepts_the_user_data(pair: RunningPair) -> None:
    seed = "/var/lib/cloud/seed/nocloud/user-data"
    for machine in (side.machine for side in pair):
        assert "Valid cloud-config" in machine.run("cloud-init", "schema", "--config-file", seed)


@pytest.mark.parametrize("side", ["primary", "replica"])
def test_a_new_machine_takes_the_data_over_from_the_old_ones_disk(pair: RunningPair, node: Client, side: str) -> None:
    _eventually(node, PAIR.replica, "SELECT 1", "1")
    node.ask(PAIR.primary, "CREATE TABLE IF NOT EXISTS kept (name text); INSERT INTO kept VALUES ('before')")
    before = node.ask(PAIR.primary, "SELECT count(*) FROM kept")
    getattr(pair, side).replace()
    _eventually(node, PAIR.primary, "SELECT count(*) FROM kept", before)
    node.ask(PAIR.primary, "INSERT INTO kept VALUES ('after')")
    _eventually(node, PAIR.replica, "SELECT count(*) FROM kept", str(int(before) + 1))
    copies = getattr(pair, side).machine.run("journalctl", "-b", "--no-pager", "-u", "sensorthings-database")
    assert "pg_basebackup" not in copies
