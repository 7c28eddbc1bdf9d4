"""Backups with real PostgreSQL and pgBackRest: archive, backup, restore to a point in time, drill, a repository away.

The store that speaks S3 is versitygw, which others wrote; its files lie in a folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from localcluster import parts
from sensorthings_operator.apply import authority
from sensorthings_operator.observe import backupruns
from tests.e2e.images.backups import STORE_KEYS, City, authority_of_a_store, empty
from tests.e2e.images.conftest import free_port, listens
from tests.e2e.images.containers import await_true

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sensorthings_operator.apply.authority import Pair
    from tests.e2e.images.containers import Container, Runtime
    from tests.unit.api.examples import Manifest

_TABLE: Final = 'create table "OBSERVATIONS" ("ID" bigint primary key, "PHENOMENON_TIME_START" timestamptz)'
"""As FROST-Server names them."""
_INSERT: Final = 'insert into "OBSERVATIONS" values ({}, now())'


@contextmanager
def _store(folder: Path, signer: Pair) -> Iterator[Manifest]:
    """A store with a bucket; spec.database.managed.backup.storage for it."""
    pair = authority.server(signer, datetime.now(UTC), ["store.city.internal"])
    certificate, key, root, port = folder / "store.crt", folder / "store.key", folder / "store", free_port()
    certificate.write_bytes(pair.pem)
    key.write_bytes(pair.key_pem)
    (root / "backups").mkdir(parents=True)
    environment = {"ROOT_ACCESS_KEY": STORE_KEYS["accessKeyId"], "ROOT_SECRET_KEY": STORE_KEYS["secretAccessKey"]}
    command = [str(parts.ensure(parts.VERSITYGW) / "versitygw"), f"--port=127.0.0.1:{port}"]
    tls = [f"--cert={certificate}", f"--key={key}"]
    with (folder / "store.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *tls, "posix", str(root)], env={**os.environ, **environment}, stdout=log, stderr=log
        )
    try:
        await_true(lambda: listens(port), f"the store listens, see {folder / 'store.log'}")
        bucket = {"endpoint": f"https://store.city.internal:{port}", "bucket": "backups"}
        secrets = {"credentialsSecretRef": {"name": "store"}, "caSecretRef": {"name": "store-ca"}}
        yield {"s3": {**bucket, **secrets}}
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def _volume(_: Path, __: Pair) -> Iterator[Manifest]:
    yield {"volume": {"size": "1Gi"}}


class _Running:
    """A city's database that runs, with a table as FROST-Server makes it."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.repository = city.start_repository()
        self.database, self.files = city.start_database()
        self.sql(_TABLE)

    def sql(self, statement: str) -> str:
        return self.city.sql(self.database, statement)

    def write(self, first: int, last: int) -> datetime:
        """Rows with these numbers, each committed by itself; a time after all of them."""
        for number in range(first, last + 1):
            self.sql(_INSERT.format(number))
        time.sleep(0.2)
        after = float(self.sql("select extract(epoch from clock_timestamp())"))
        time.sleep(0.2)
        return datetime.fromtimestamp(after, UTC)

    def archive(self) -> None:
        """Wait until all that was written is in the archive."""
        wanted = self.sql("select pg_walfile_name(pg_switch_wal())")

        def archived() -> bool:
            return self.sql("select coalesce(last_archived_wal, '') from pg_stat_archiver") >= wanted

        await_true(archived, f"{wanted} is archived, see {self.database.bundle / 'log'}", seconds=150, interval=0.3)


@pytest.fixture(scope="module", params=[_volume, _store], ids=["volume", "s3"])
def running(
    request: pytest.FixtureRequest, runtime: Runtime, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[_Running]:
    """Backed up once, before there was a row."""
    folder = tmp_path_factory.mktemp("backups")
    folder.chmod(0o755)
    signer = authority_of_a_store()
    with request.param(folder, signer) as storage:
        city = City(runtime, folder, storage, signer)
        try:
            made = _Running(city)
            code, said = city.backup()
            assert code == 0, said
            yield made
        finally:
            city.close()


def _numbers(city: City, database: Container) -> list[int]:
    return [int(n) for n in city.sql(database, 'select "ID" from "OBSERVATIONS" order by 1').split()]


@pytest.fixture
def restored(running: _Running) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Restores into the volume of the second database; it is empty again afterwards."""

    def restore(to: str) -> dict[str, Any]:
        code, said = running.city.restore(to)
        return {"code": code, **said}

    yield restore
    empty(running.city.folder / "air-db-r1")


def test_what_a_backup_says_is_what_the_operator_reads(running: _Running) -> None:
    code, said = running.city.backup()
    assert code == 0, said
    live = {
        "metadata": {"labels": {"app.kubernetes.io/component": "backup"}},
        "spec": {"containers": [{"name": "backup", "env": [{"name": "STANZA", "value": "air-db"}]}]},
    }
    over = {"exitCode": 0, "finishedAt": "2026-11-23T01:18:00Z", "message": json.dumps(said)}
    status = {"containerStatuses": [{"name": "backup", "state": {"terminated": over}}]}
    found = backupruns.run({**live, "status": status})
    assert found is not None
    assert found.failed == ""
    assert [entry.label[-1] for entry in found.backups][-2:] == ["D", "F"], (
        "what changed, after one that has everything"
    )
    assert found.oldest == found.backups[-1].time
    assert all(entry.size_bytes > 20_000_000 > entry.stored_bytes > 0 for entry in found.backups)


def test_a_standby_that_is_not_there_does_not_keep_a_backup_from_being_made(running: _Running) -> None:
    code, said = running.city.backup(INSTANCES="2")
    assert code == 0, said


def test_rows_up_to_a_time_and_none_after(
    running: _Running, restored: Callable[[str], dict[str, Any]], measured: Callable[[str], None]
) -> None:
    city = running.city
    at = running.write(1, 10)
    running.write(11, 20)
    running.archive()
    said = restored(at.isoformat().replace("+00:00", "Z"))
    assert said["code"] == 0, said
    assert said["observations"] == 10
    assert datetime.fromtimestamp(said["last_transaction"], UTC) <= at
    measured(f"restored in {said['seconds']} s")
    database, files = city.start_database("air-db-r1")
    try:
        assert _numbers(city, database) == list(range(1, 11))
        # It is a database of its own from here on: nothing of it goes to the archive that it came from.
        city.sql(database, _INSERT.format(1000))
        assert city.sql(database, "select timeline_id from pg_control_checkpoint()") == "2"
        assert "air-db-r1" in city.sql(database, "show archive_command")
        assert city.sql(database, "select count(*) from pg_file_settings where name like 'recovery_target%'") == "0"
        assert _numbers(city, running.database) == list(range(1, 21)), "the one that serves knows nothing of it"
    finally:
        city.stop(files, database)
    running.write(21, 22)
    running.archive()


def test_all_that_was_archived(running: _Running, restored: Callable[[str], dict[str, Any]]) -> None:
    running.archive()
    said = restored("")
    assert (said["code"], said["observations"]) == (0, int(running.sql('select count(*) from "OBSERVATIONS"'))), said
    assert restored("")["observations"] == said["observations"], "a pod that starts anew says it again"


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("2020-01-01T00:00:00Z", "unable to find backup set"),
        ("2100-01-01T00:00:00Z", "recovery ended before configured recovery target was reached"),
    ],
)
def test_a_time_that_no_backup_leads_to_fails_and_says_so(
    running: _Running, restored: Callable[[str], dict[str, Any]], to: str, why: str
) -> None:
    running.archive()
    said = restored(to)
    assert said["code"] == 1
    assert why in said["failed"]


def test_the_drill(running: _Running) -> None:
    running.archive()
    code, said = running.city.drill()
    assert code == 0, said
    assert said["observations"] == int(running.sql('select count(*) from "OBSERVATIONS"'))
    assert said["label"]


def test_what_is_written_while_the_repository_is_away_is_kept_and_archived_later(
    running: _Running, measured: Callable[[str], None]
) -> None:
    if running.repository is None:
        pytest.skip("a bucket has no pod")
    running.archive()
    before = int(running.sql("select failed_count from pg_stat_archiver"))
    running.city.stop(running.repository)
    last = running.sql("select last_archived_wal from pg_stat_archiver")
    running.sql(_INSERT.format(5000))
    waiting = running.sql("select pg_walfile_name(pg_switch_wal())")

    def failed() -> bool:
        return int(running.sql("select failed_count from pg_stat_archiver")) > before

    await_true(failed, "PostgreSQL tells that it can't archive", seconds=180, interval=0.5)
    assert running.sql("select last_archived_wal from pg_stat_archiver") == last
    assert waiting in running.sql("select name from pg_ls_waldir()").split()
    code, said = running.city.backup()
    assert code == 1, "nothing can be backed up whose log is not archived"
    assert said["failed"]
    running.repository = running.city.start_repository()
    began = time.monotonic()
    running.archive()
    measured(f"archived {time.monotonic() - began:.0f} s after the repository came back")
    code, said = running.city.drill()
    assert code == 0, said
    assert said["observations"] == int(running.sql('select count(*) from "OBSERVATIONS"'))


def test_a_piece_of_the_archive_that_is_missing_is_found_and_a_backup_begins_anew(running: _Running) -> None:
    city = running.city
    code, said = city.backup()
    assert code == 0, said
    pieces = []
    for number in range(6000, 6003):
        running.sql(_INSERT.format(number))
        pieces.append(running.sql("select pg_walfile_name(pg_current_wal_lsn())"))
        running.archive()
    lost = pieces[1]
    code, said = city.check(timeline=1)
    assert (code, "gap" in said) == (0, False), said
    assert city.check(timeline=2)[1]["failed"].startswith("nothing of what the primary writes (timeline 2)")
    # As where a primary is lost before it has handed it over.
    (piece,) = city.folder.rglob(f"15-1/*/{lost}-*")
    piece.unlink()
    code, said = city.check(timeline=1)
    assert (code, said["gap"]["segment"]) == (0, lost), said
    code, said = city.backup()
    assert (code, said["gap"]["segment"]) == (0, lost), said
    assert said["backups"][0][1] > said["gap"]["since"]
    code, said = city.check(timeline=1)
    assert (code, "gap" in said) == (0, False), said


def test_no_key_is_in_a_log(running: _Running) -> None:
    logs = "".join(container.log for container in running.city.runtime.containers)
    for secret in (*STORE_KEYS.values(), "BEGIN PRIVATE KEY"):
        assert secret not in logs
