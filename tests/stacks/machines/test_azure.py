"""The scripts that fetch secrets and keep backups on Azure, with a managed identity and no other login.

The blob storage is Microsoft's emulator; who gives tokens and secrets is a stand-in of ours.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

from localcluster.errors import LocalClusterError
from sensorthings_stacks.machines import cluster as c
from tests.stacks.machines import azure
from tests.stacks.machines.site import Site, until
from tests.stacks.programs import PASSWORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stacks.machines.virtual import Machine

pytestmark = pytest.mark.machines

_ARCHIVE: Final = "/usr/local/sbin/sensorthings-archive"
_PROGRAMS: Final = f"/usr/lib/postgresql/{c.VERSION}/bin"
_DATA: Final = "/var/lib/postgresql/data"
_OTHER: Final = "/var/lib/postgresql/other"
_RESTORED: Final = "/var/lib/postgresql/restored"
_SETTINGS: Final = f"""
listen_addresses = ''
unix_socket_directories = '/run/postgresql'
archive_mode = always
archive_command = '{_ARCHIVE} wal %p %f'
"""


@pytest.fixture(scope="module")
def machine(place: Site) -> Iterator[Machine]:
    """A machine that has the scripts, and Azure beside it."""
    with azure.machine_on_azure(place, azure.CLUSTER.databases[0]) as made:
        until(lambda: _is_up(made), "cloud-init")
        yield made


def _is_up(machine: Machine) -> bool:
    try:
        return "done" in machine.run("cloud-init", "status")
    except (LocalClusterError, IndexError):
        return False


def _as_postgres(machine: Machine, *argv: str) -> str:
    return machine.run("runuser", "-u", "postgres", "--", "sh", "-c", 'cd / && exec "$@"', "sh", *argv).strip()


def _sql(machine: Machine, statement: str) -> str:
    return _as_postgres(machine, "psql", "-XAtqc", statement)


def test_secrets_come_from_the_vault_for_the_machines_identity_alone(machine: Machine, place: Site) -> None:
    machine.run("/usr/local/sbin/sensorthings-secrets")
    for role, password in PASSWORDS.items():
        assert machine.run("cat", f"{c.RUN}/postgres/{role}") == password
    assert machine.run("cat", f"{c.RUN}/etcd/machine.key") == (place.folder / "secrets/tls-db-0-key").read_text()
    modes = machine.run("find", c.RUN, "-type", "f", "-printf", "%m %u %P\n").splitlines()
    assert {mode.split()[0] for mode in modes} == {"600"}
    assert "600 etcd etcd/machine.key" in modes
    script = "/usr/local/sbin/sensorthings-secrets"
    other = f"sed s/identity-of-db-0/identity-of-db-1/ {script} > /root/other && exec bash /root/other"
    with pytest.raises(LocalClusterError, match="403"):
        machine.run("sh", "-c", other)


def test_backups_and_logs_are_kept_in_blob_storage_and_come_back(machine: Machine) -> None:
    machine.run("install", "-d", "-o", "postgres", "/run/postgresql")
    _as_postgres(machine, f"{_PROGRAMS}/initdb", "--auth=peer", "--pgdata", _DATA)
    machine.run("sh", "-c", 'printf %s "$0" >> "$1/postgresql.conf"', _SETTINGS, _DATA)
    _as_postgres(machine, f"{_PROGRAMS}/pg_ctl", "start", "--wait", f"--pgdata={_DATA}", "--log=/tmp/log")
    _sql(machine, "CREATE TABLE kept AS SELECT 1 AS number")
    for _ in range(2):
        _as_postgres(machine, _ARCHIVE, "backup")
        # An id is a second.
        time.sleep(1)
    first, second = (line.split()[0] for line in _as_postgres(machine, _ARCHIVE, "list").splitlines())
    assert first < second
    _sql(machine, "INSERT INTO kept VALUES (2)")
    segment = _sql(machine, "SELECT pg_walfile_name(pg_switch_wal())")
    archived = "SELECT last_archived_wal >= '{}' AND failed_count = 0 FROM pg_stat_archiver"
    until(lambda: _sql(machine, archived.format(segment)) == "t", f"{segment} in the archive")
    _as_postgres(machine, _ARCHIVE, "fetch", segment, "/tmp/segment")  # noqa: S108 - on the machine
    machine.run("cmp", "/tmp/segment", f"{_DATA}/pg_wal/{segment}")  # noqa: S108
    with pytest.raises(LocalClusterError, match="does not exist"):
        _as_postgres(machine, _ARCHIVE, "fetch", "0000000900000000000000FF", "/tmp/none")  # noqa: S108
    _as_postgres(machine, _ARCHIVE, "prune")
    assert len(_as_postgres(machine, _ARCHIVE, "list").splitlines()) == 2, "both are of the kept time"
    _as_postgres(machine, f"{_PROGRAMS}/pg_ctl", "stop", f"--pgdata={_DATA}")
    assert _restored(machine, second) == ["1", "2"]


def test_backups_of_another_postgresql_are_left_alone(machine: Machine) -> None:
    """After the test above: the container is that one's. The identity may write, and the script does not."""
    _as_postgres(machine, f"{_PROGRAMS}/initdb", "--auth=peer", "--pgdata", _OTHER)
    first, there = "000000010000000000000001", 'cd /var/lib/postgresql/other && exec "$@"'
    owner = _as_postgres(machine, _ARCHIVE, "owner")
    call = ("runuser", "-u", "postgres", "--", "sh", "-c", there, "sh", _ARCHIVE, "wal", f"pg_wal/{first}", first)
    with pytest.raises(LocalClusterError, match=f"system identifier {owner}"):
        machine.run(*call)
    with pytest.raises(LocalClusterError, match="is not known"):
        _as_postgres(machine, _ARCHIVE, "backup")


def _restored(machine: Machine, backup: str) -> list[str]:
    """The rows of a database made of a backup and all logs after it."""
    machine.run("install", "-d", "-o", "postgres", "-m", "0700", _RESTORED)
    _as_postgres(machine, _ARCHIVE, "unpack", backup, _RESTORED)
    _as_postgres(machine, "touch", f"{_RESTORED}/recovery.signal")
    settings = f"-c archive_mode=off -c restore_command='{_ARCHIVE} fetch %f %p'"
    start = [f"{_PROGRAMS}/pg_ctl", "start", "--wait", "--timeout=300", f"--pgdata={_RESTORED}"]
    _as_postgres(machine, *start, "--log=/tmp/restored", f"--options={settings}")
    rows = _sql(machine, "SELECT number FROM kept ORDER BY number").split()
    _as_postgres(machine, f"{_PROGRAMS}/pg_ctl", "stop", f"--pgdata={_RESTORED}")
    return rows
