"""What the conditions say of backups and restores, and of an archive that takes nothing."""

from dataclasses import replace
from typing import Any, Final

import pytest

from sensorthings_operator.api.status import ArchiveGap, BackupFailure, BackupRequest, DrillStatus, RestoreStatus
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.backups import SEGMENT_BYTES, Archive, Backups
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.databasehosts import Limits
from sensorthings_operator.conditions.databasejudging import judge
from sensorthings_operator.conditions.observed import Answer, PodProblem
from sensorthings_operator.desired import databases
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.observe.databases import last_database_answer
from tests.unit.operator.backed_up import S3, WELL, backed_up
from tests.unit.operator.samples import body, look, observed, service, standby, workload


def _backed_up(known: Backups | None = WELL, *, spec: Manifest | None = None, **fields: Any) -> Verdict:
    return evaluate(observed(service=service(spec or backed_up()), backups=known, **fields))["BackedUp"]


def _answer(archive: Archive | None) -> Answer:
    return Answer(True, "DatabaseAnswers", "it answers", archive=archive)


def test_backed_up() -> None:
    verdict = _backed_up(database=_answer(Archive(failing=False, waiting_bytes=0)))
    assert (verdict.status, verdict.reason) == ("True", "BackedUp")
    assert "2026-11-09T01:17:30Z" in verdict.message
    assert "BackedUp" not in evaluate(observed())


def test_ready_does_not_wait_for_backups() -> None:
    failing = Archive(failing=True, waiting_bytes=2**20)
    seen = observed(service=service(backed_up()), backups=WELL, database=_answer(failing))
    assert evaluate(seen)["Ready"].holds


def test_an_archive_that_takes_nothing_is_told_with_what_waits() -> None:
    verdict = _backed_up(database=_answer(Archive(failing=True, waiting_bytes=2**30)))
    assert (verdict.status, verdict.reason, verdict.expected) == ("False", "ArchivingFails", False)
    assert "1024 MiB" in verdict.message
    problem = PodProblem("repository", "air-repository-0", "Unschedulable", "no node has room")
    with_pod = _backed_up(database=_answer(Archive(failing=True, waiting_bytes=0)), pod_problems=(problem,))
    assert "air-repository-0: no node has room" in with_pod.message


def test_before_the_first_backup_the_archive_has_no_place_yet() -> None:
    failing = _answer(Archive(failing=True, waiting_bytes=2**20))
    verdict = _backed_up(Backups("air-db"), database=failing)
    assert (verdict.status, verdict.reason, verdict.expected) == ("False", "BackupAwaited", True)


def test_what_keeps_the_first_backup_from_running_is_told() -> None:
    problem = PodProblem("backup", "air-backup-x", "Unschedulable", "no node has room")
    assert _backed_up(Backups("air-db"), pod_problems=(problem,)).reason == "Unschedulable"


_GAP: Final = ArchiveGap(segment="00000001000000000000000A", since="2026-11-22T09:00:00Z")
_CHECK: Final = BackupRequest(number=4, kind="Check", time="2026-11-23T11:59:00Z", timeline=2)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"failure": BackupFailure(time="2026-11-23T05:00:00Z", message="the store is away")}, "BackupFailed"),
        ({"gap": _GAP}, "ArchiveGap"),
        ({"gap": _GAP.model_copy(update={"until": "2026-11-23T01:17:30Z"})}, "BackedUp"),
        ({"request": _CHECK}, "ArchiveUnchecked"),
        ({"request": _CHECK.model_copy(update={"done": True})}, "BackedUp"),
        ({"missed": "2026-11-23T01:17:00Z"}, "BackupOverdue"),
        ({"drill": DrillStatus(time="2026-11-02T03:43:00Z", succeeded=False, message="no WAL")}, "DrillFailed"),
        ({"drill": DrillStatus(time="2026-11-02T03:43:00Z", succeeded=True)}, "BackedUp"),
    ],
)
def test_what_is_wrong_is_told(fields: dict[str, Any], reason: str) -> None:
    assert _backed_up(replace(WELL, **fields)).reason == reason


def test_a_gap_is_told_while_it_is_open_as_a_warning_and_later_as_what_it_is() -> None:
    verdict = _backed_up(replace(WELL, gap=_GAP))
    assert (verdict.status, verdict.expected) == ("False", False)
    assert _GAP.segment in verdict.message
    over = _backed_up(replace(WELL, gap=_GAP.model_copy(update={"until": "2026-11-23T01:17:30Z"})))
    assert over.holds
    assert "none from 2026-11-22T09:00:00Z to 2026-11-23T01:17:30Z" in over.message


def test_after_a_failover_nobody_says_that_all_can_be_restored_before_it_was_looked_at() -> None:
    verdict = _backed_up(replace(WELL, request=_CHECK))
    assert (verdict.status, verdict.expected) == ("Unknown", True)


def test_a_backup_that_failed_says_when_it_is_made_again() -> None:
    failure = BackupFailure(time="2026-11-23T05:00:00Z", message="the store is away")
    assert (
        "tried again at 2026-11-23T05:05:00Z"
        in _backed_up(replace(WELL, failure=failure, again="2026-11-23T05:05:00Z")).message
    )
    assert "again at" not in _backed_up(replace(WELL, failure=failure)).message


def test_a_secret_that_is_missing_is_told_and_database_reachable_is_not_about_it() -> None:
    missing = {"minio": "Secret minio does not exist: create it"}
    seen = observed(service=service(backed_up(S3)), backups=WELL, missing_backup_secrets=missing)
    verdicts = evaluate(seen)
    assert verdicts["BackedUp"].reason == "SecretUnusable"
    assert verdicts["DatabaseReachable"].holds
    assert verdicts["Ready"].holds


def test_hibernated_it_is_not_known() -> None:
    assert _backed_up(spec={**backed_up(), "hibernated": True}).reason == "Hibernated"


_RESTORED: Final = RestoreStatus(
    name="r1", label="20261123-011700F", observations=7, newest_observation="2026-11-23T09:59:59Z"
)


def _restore(*, serving: str = "", **fields: Any) -> Verdict:
    spec = backed_up(restore={"name": "r1", "to": "2026-11-23T10:00:00Z"}, serving=serving)
    return evaluate(observed(service=service(spec), **fields))["Restored"]


def test_a_restore_from_its_begin_to_the_switch() -> None:
    assert (_restore().reason, _restore().expected) == ("RestoreProgressing", True)
    assert _restore(restore_failure="no backup before that").reason == "RestoreFailed"
    assert _restore(restored=_RESTORED).reason == "RestoreStarting"
    ready = _restore(restored=_RESTORED, restored_database=workload())
    assert (ready.status, ready.reason) == ("True", "RestoreReady")
    assert "7 Observations, the newest of 2026-11-23T09:59:59Z" in ready.message
    assert "spec.database.managed.serving to r1" in ready.message
    serves = _restore(serving="r1", restored=_RESTORED)
    assert (serves.status, serves.reason) == ("True", "RestoreServing")
    assert "Restored" not in evaluate(observed(service=service(backed_up())))


def test_an_estimate_is_told_as_one() -> None:
    large = RestoreStatus(name="r1", estimated_observations=6480975)
    assert "it holds about 6480975 Observations; its last" in _restore(restored=large).message
    assert "no table of FROST-Server" in _restore(restored=RestoreStatus(name="r1")).message


def test_a_restored_database_that_does_not_start_or_lost_its_volume_is_told() -> None:
    problem = PodProblem("database-r1", "air-db-r1-0", "Unschedulable", "no node has room")
    assert _restore(restored=_RESTORED, pod_problems=(problem,)).reason == "Unschedulable"
    lost = _restore(restored=_RESTORED, restore_failure="air-db-r1 was restored before", restored_database=workload())
    assert (lost.status, lost.reason) == ("False", "RestoreFailed")


def _ready(serving: str | None, **restore: str) -> Verdict:
    more: dict[str, Any] = {"restore": restore} if restore else {}
    spec = backed_up(serving="r1", **more)
    return evaluate(observed(service=service(spec, serving=serving), restored=_RESTORED))["Ready"]


def test_a_switch_that_waits_is_no_service_as_the_spec_wants_it() -> None:
    assert _ready(None, name="r1").holds
    waits = _ready("", name="r1")
    assert (waits.status, waits.reason, waits.expected) == ("False", "SwitchAwaited", True)
    assert "air-db serves until" in waits.message
    for never in (_ready(""), _ready("", name="r2")):
        assert (never.status, never.reason, never.expected) == ("False", "SwitchImpossible", False)


def test_trouble_of_the_database_that_is_restored_is_not_that_of_the_one_that_serves() -> None:
    problem = PodProblem("database-r1", "air-db-r1-0", "Unschedulable", "no node has room")
    spec = backed_up(restore={"name": "r1"})
    verdicts = evaluate(observed(service=service(spec), backups=WELL, pod_problems=(problem,)))
    assert verdicts["Restored"].reason == "Unschedulable"
    assert verdicts["DatabaseReachable"].holds
    assert verdicts["Ready"].holds


def _judged(**fields: Any) -> Answer:
    looks = (look(position=100 * SEGMENT_BYTES, **fields), standby())
    return judge(looks, "sensorthings", Limits(is_archived=True), None, began=0.0, now=0.0)


def test_how_much_waits_is_what_the_archive_lacks_in_steps() -> None:
    found = _judged(archived="000000010000000000000059", unarchived=True).archive
    assert found == Archive(failing=True, waiting_bytes=16 * SEGMENT_BYTES, timeline=1), "ten, as a power of two"
    assert _judged(archived="000000010000000000000059").archive == Archive(False, 0, timeline=1)
    assert _judged(archived="00000002.history", unarchived=True).archive == Archive(True, 1, timeline=1)


def test_nobody_looks_at_an_archiver_where_there_are_no_backups() -> None:
    looks = (look(unarchived=True),)
    assert judge(looks, "sensorthings", Limits(), None, began=0.0, now=0.0).archive is None


def test_an_operator_that_starts_goes_on_from_what_the_status_says() -> None:
    verdicts = {"DatabaseReachable": ("True", "DatabaseAnswers"), "BackedUp": ("False", "ArchivingFails")}
    conditions = [
        {"type": t, "status": status, "reason": reason, "message": "x"} for t, (status, reason) in verdicts.items()
    ]
    found = last_database_answer({**body(), "status": {"conditions": conditions}})
    assert found is not None
    assert found.archive is not None
    assert found.archive.failing


def test_which_databases_there_are() -> None:
    assert [each.database for each in databases.running(service(backed_up(restore={"name": "r1"})))] == [None, "r1"]
    assert databases.running(service({"database": {"type": "Managed"}}))[0].database is None
