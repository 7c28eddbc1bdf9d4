"""Backups, and restoring to a moment: rows committed up to then are there again, and none after."""

from __future__ import annotations

import hashlib
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from localcluster.errors import LocalClusterError
from tests.stacks.machines.site import CLUSTER, Site, until

if TYPE_CHECKING:
    from sensorthings_stacks.machines.cluster import Member
    from tests.stacks.machines.client import Client
    from tests.stacks.machines.results import Results
    from tests.stacks.machines.virtual import Machine

pytestmark = pytest.mark.machines

_BACKUP = "/usr/local/sbin/sensorthings-backup"
_RESTORE = "/usr/local/sbin/sensorthings-restore"
_WAITING = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"


def _backup(place: Site, member: Member) -> str:
    """The id of a new backup."""
    # An id is a second.
    time.sleep(1)
    place.of(member).run(_BACKUP, "now")
    return place.of(member).run(_BACKUP, "list").splitlines()[-1].split()[0]


def _moments(node: Client) -> str:
    """Rows before and after a moment, and the moment."""
    node.ask_primary("CREATE TABLE IF NOT EXISTS moments (name text)")
    node.ask_primary("TRUNCATE moments; INSERT INTO moments VALUES ('before')")
    time.sleep(1.5)
    moment = node.ask_primary("SELECT clock_timestamp()")
    time.sleep(1.5)
    node.ask_primary("INSERT INTO moments VALUES ('after')")
    return moment


def test_a_backup_is_made_by_the_standby_and_not_by_the_primary_of_a_standby(well: Site) -> None:
    count = len(well.of(well.primary).run(_BACKUP, "list").splitlines())
    assert "The other machine makes the backup" in well.of(well.primary).run(_BACKUP)
    time.sleep(1)
    well.of(well.standby).run(_BACKUP)
    assert len(well.of(well.primary).run(_BACKUP, "list").splitlines()) == count + 1


def test_a_moment_is_restored_beside_the_database(well: Site, node: Client, results: Results) -> None:
    _backup(well, well.standby)
    moment = _moments(node)
    machine = well.of(well.primary)
    started = time.monotonic()
    machine.run(_RESTORE, "--to", moment, "--beside", "/var/lib/postgresql/restored")
    results.seconds["a moment restored beside the database"] = time.monotonic() - started
    ask = ("runuser", "-u", "postgres", "--", "psql", "-XAtq", "-p", "5433", "-d", "sensorthings", "-c")
    assert machine.run(*ask, "SELECT name FROM moments").split() == ["before"]
    stop = ("runuser", "-u", "postgres", "--", "/usr/lib/postgresql/15/bin/pg_ctl", "stop", "-m", "fast", "-D")
    machine.run(*stop, "/var/lib/postgresql/restored")
    machine.run("rm", "-r", "/var/lib/postgresql/restored")
    # The database itself saw nothing of it.
    assert node.ask_primary("SELECT count(*) FROM moments") == "2"


def test_the_cluster_is_restored_to_a_moment_and_goes_on_from_there(well: Site, node: Client, results: Results) -> None:
    _backup(well, well.standby)
    moment = _moments(node)
    primary = well.primary
    started = time.monotonic()
    well.of(primary).run(_RESTORE, "--to", moment, "--in-place")
    results.seconds["a moment restored in place, the standby copied anew"] = time.monotonic() - started
    well.until_well()
    for member in CLUSTER.databases:
        until(partial(node.answers, member, "SELECT name FROM moments", "before"), "the row of before")
    # And once more, from a backup of the new history.
    _backup(well, well.standby)
    moment = _moments(node)
    well.of(well.primary).run(_RESTORE, "--to", moment, "--in-place")
    well.until_well()
    assert node.ask_primary("SELECT name FROM moments") == "before"
    for member in CLUSTER.databases:
        well.of(member).run("sh", "-c", "rm -r /var/lib/postgresql/15/main.before-* || true")


def _sql(machine: Machine, statement: str) -> str:
    """As the superuser, who logs in by the socket alone."""
    return machine.run("runuser", "-u", "postgres", "--", "psql", "-XAtqc", statement).strip()


def _archived(place: Site) -> dict[str, bytes]:
    """What the archive holds, each file by a hash."""
    files = (each for each in sorted(place.archive.rglob("*")) if each.is_file())
    return {str(each.relative_to(place.archive)): hashlib.sha256(each.read_bytes()).digest() for each in files}


def test_new_machines_write_nothing_over_old_backups_and_have_the_old_rows_again(
    well: Site, node: Client, results: Results
) -> None:
    """All three machines and both data disks are lost; the archive is left, as after a disaster."""
    _backup(well, well.standby)
    node.ask_primary("CREATE TABLE IF NOT EXISTS moments (name text)")
    node.ask_primary("TRUNCATE moments; INSERT INTO moments VALUES ('before')")
    primary = well.of(well.primary)
    identifier = _sql(primary, "SELECT system_identifier FROM pg_control_system()")
    _sql(primary, "SELECT pg_switch_wal()")
    until(lambda: _sql(primary, _WAITING) == "0", "the last log in the archive")
    for member in CLUSTER.members:
        well.cut_power(member)
    for member in CLUSTER.databases:
        (well.data(member).parent / "disk").unlink()
    kept = _archived(well)

    for member in CLUSTER.members:
        well.boot(member, new=True)
    well.until_well()
    machine = well.of(well.primary)
    refused = f"holds the backups of the PostgreSQL with system identifier {identifier}"
    until(lambda: refused in machine.run("journalctl", "-u", "patroni", "--no-pager"), "the refusal in the journal")
    with pytest.raises(LocalClusterError, match=refused):
        machine.run(_BACKUP, "now")
    assert _archived(well) == kept

    started = time.monotonic()
    machine.run(_RESTORE, "--to", "latest", "--in-place")
    results.seconds["new machines, from old backups, the standby copied anew"] = time.monotonic() - started
    well.until_well()
    for member in CLUSTER.databases:
        until(partial(node.answers, member, "SELECT name FROM moments", "before"), "the row of before")
        machine = well.of(member)
        assert _sql(machine, "SELECT system_identifier FROM pg_control_system()") == identifier
        machine.run("sh", "-c", "rm -r /var/lib/postgresql/15/main.before-* || true")
    _backup(well, well.standby)
    assert kept.items() <= _archived(well).items()


def test_what_cannot_be_restored_is_refused_before_anything_is_touched(well: Site, node: Client) -> None:
    primary, standby = well.of(well.primary), well.of(well.standby)
    with pytest.raises(LocalClusterError, match="is not over yet"):
        primary.run(_RESTORE, "--to", "tomorrow", "--in-place")
    with pytest.raises(LocalClusterError, match="No backup ended before"):
        primary.run(_RESTORE, "--to", "2020-01-01 00:00:00Z", "--in-place")
    with pytest.raises(LocalClusterError, match="is no time"):
        primary.run(_RESTORE, "--to", "yesterdayish", "--in-place")
    _backup(well, well.standby)
    with pytest.raises(LocalClusterError, match="is not the primary"):
        standby.run(_RESTORE, "--to", "now", "--in-place")
    assert well.is_well()
