"""Backups of a managed database: what is made for them, what is read of them, what the conditions say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.api.status import BackupEntry, BackupFailure, BackupStatus, DrillStatus, RestoreStatus
from sensorthings_operator.apply.status import build
from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.backups import SEGMENT_BYTES, Archive, Backups, Run, segment_end
from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.databasehosts import Limits
from sensorthings_operator.conditions.databasejudging import judge
from sensorthings_operator.conditions.observed import Answer, PodProblem, PodState
from sensorthings_operator.desired import addresses, children, databases
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.validation import validate
from sensorthings_operator.observe import backups
from sensorthings_operator.observe.databases import last_database_answer
from sensorthings_operator.observe.gather import instances
from sensorthings_operator.observe.summaries import SUMMARIES
from tests.unit.operator.samples import SETTINGS, body, child, look, observed, service, standby, workload

_VOLUME: Final[Manifest] = {"volume": {"size": "20Gi"}}
_S3: Final[Manifest] = {
    "s3": {
        "endpoint": "https://minio.city.internal:9000",
        "bucket": "backups",
        "credentialsSecretRef": {"name": "minio"},
        "caSecretRef": {"name": "minio-ca"},
    }
}
_NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_ENTRY: Final = BackupEntry(label="20261123-011700F", time="2026-11-23T01:17:30Z", size_bytes=10, stored_bytes=2)
_WELL: Final = Backups(
    "air-db",
    succeeded="2026-11-23T01:17:30Z",
    oldest="2026-11-09T01:17:30Z",
    kept=(_ENTRY,),
    due="2026-11-24T01:17:00Z",
)


def _spec(storage: Manifest = _VOLUME, *, instances: int = 1, **managed: Any) -> Manifest:
    backup = {"storage": storage, **managed.pop("backup", {})}
    return {"database": {"type": "Managed", "managed": {"instances": instances, "backup": backup, **managed}}}


def _made(spec: Manifest) -> dict[tuple[str, str], Manifest]:
    return {(m["kind"], m["metadata"]["name"]): m for m in children(service(spec), SETTINGS)}


def _pod(manifest: Manifest) -> Manifest:
    template = manifest["spec"]
    if manifest["kind"] == "CronJob":
        template = template["jobTemplate"]["spec"]
    pod: Manifest = template["template"]["spec"]
    return pod


def _files(spec: Manifest) -> dict[str, str]:
    data: dict[str, str] = _made(spec)["ConfigMap", "air-backup"]["data"]
    return data


def _configuration(text: str) -> dict[str, dict[str, str]]:
    """pgBackRest's INI, by sections."""
    sections: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line:
            option, _, value = line.partition("=")
            section[option] = value
    return sections


# What is made


def test_a_database_without_backups_has_nothing_of_them() -> None:
    made = _made({"database": {"type": "Managed"}})
    assert not [name for kind, name in made if kind == "CronJob" or "backup" in name or "repository" in name]
    assert "archive" not in made["ConfigMap", "air-db"]["data"]["postgresql.conf"]
    assert _pod(made["StatefulSet", "air-db"])["containers"][0]["image"] == SETTINGS.images.postgresql


@pytest.mark.parametrize("storage", [_VOLUME, _S3], ids=["volume", "s3"])
@pytest.mark.parametrize("number", [1, 2])
def test_no_write_ahead_log_is_ever_given_up(storage: Manifest, number: int) -> None:
    spec = _spec(storage, instances=number)
    made = _made(spec)
    told = orjson.dumps(
        [made["ConfigMap", "air-db"], *(m for (_, n), m in made.items() if n == "air-db-config")]
    ).decode()
    assert "archive-push %p" in told
    assert "--stanza=air-db " in told
    everything = "".join(_files(spec).values())
    assert "archive-push-queue-max" not in everything
    assert "archive-async" not in everything


def test_the_volume_is_behind_one_pod_and_a_backup_runs_beside_it() -> None:
    made = _made(_spec())
    job = _pod(made["CronJob", "air-backup"])
    claim = next(v["persistentVolumeClaim"]["claimName"] for v in job["volumes"] if v["name"] == "data")
    repository = made["StatefulSet", "air-repository"]
    assert claim == f"data-{repository['metadata']['name']}-0"
    (term,) = job["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    labels = repository["spec"]["template"]["metadata"]["labels"]
    assert term["labelSelector"]["matchLabels"].items() <= labels.items()
    configuration = _configuration(_files(_spec())["job.conf"])
    assert "repo1-host" not in configuration["global"], "pgBackRest makes backups where the repository is"
    assert configuration["air-db"]["pg1-host"] == "air-db-0.air-db.hamburg.svc.cluster.local"
    database = _configuration(_files(_spec())["database.conf"])
    assert database["global"]["repo1-host"] == "air-repository.hamburg.svc.cluster.local"


def test_a_bucket_needs_no_pod_of_its_own() -> None:
    made = _made(_spec(_S3))
    assert ("StatefulSet", "air-repository") not in made
    assert "affinity" not in _pod(made["CronJob", "air-backup"])
    for file in ("database.conf", "job.conf"):
        found = _configuration(_files(_spec(_S3))[file])["global"]
        assert found["repo1-s3-endpoint"] == "https://minio.city.internal:9000"
        assert found["repo1-path"] == "/hamburg/air"
        assert found["repo1-storage-ca-file"] == "/run/sensorthings/storage-ca/ca.crt"
        assert not [option for option in found if "key" in option and option.startswith("repo1-s3")]


@pytest.mark.parametrize("number", [1, 3])
def test_each_instance_gives_its_files_and_its_certificate_is_for_its_name(number: int) -> None:
    spec = _spec(instances=number)
    section = _configuration(_files(spec)["job.conf"])["air-db"]
    hosts = [value for option, value in section.items() if option.endswith("-host")]
    assert len(hosts) == number
    made = _made(spec)
    named = made["Secret", "air-backup-certificates"]["metadata"]["annotations"]["sensorthings.city/certificate-hosts"]
    wildcards = [name.removeprefix("*") for name in named.split(",") if name.startswith("*.")]
    assert all(host.partition(".")[1] + host.partition(".")[2] in wildcards for host in hosts)
    container = _pod(made["StatefulSet", "air-db"])["containers"][1]
    data = next(mount for mount in container["volumeMounts"] if mount["name"] == "data")
    assert data["readOnly"] is True


def test_what_gives_files_to_backups_knows_no_key_and_no_store() -> None:
    """Its children keep the environment that it began with: keys that come later would never reach them."""
    container = _pod(_made(_spec(_S3))["StatefulSet", "air-db"])["containers"][1]
    assert container["name"] == "pgbackrest"
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        "tmp",
        "data",
        "backup-files",
        "backup-certificates",
    }
    assert not [option for option in _configuration(_files(_spec(_S3))["files.conf"])["global"] if "repo" in option]


@pytest.mark.parametrize("storage", [_VOLUME, _S3], ids=["volume", "s3"])
def test_no_secret_stands_in_a_variable_or_an_argument(storage: Manifest) -> None:
    for manifest in _made(_spec(storage)).values():
        if manifest["kind"] not in ("CronJob", "Job", "StatefulSet") or "schema" in manifest["metadata"]["name"]:
            continue
        pod = _pod(manifest)
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            assert not [v for v in container.get("env", ()) if "secretKeyRef" in v.get("valueFrom", {})]


def test_a_database_starts_without_the_secret_of_a_store() -> None:
    volumes = {v["name"]: v for v in _pod(_made(_spec(_S3))["StatefulSet", "air-db"])["volumes"]}
    assert volumes["storage"]["secret"]["optional"] is True
    assert volumes["storage-ca"]["secret"]["optional"] is True


def test_hibernated_nothing_runs() -> None:
    made = _made({**_spec(), "hibernated": True})
    assert made["CronJob", "air-backup"]["spec"]["suspend"] is True
    assert made["CronJob", "air-drill"]["spec"]["suspend"] is True
    assert made["StatefulSet", "air-repository"]["spec"]["replicas"] == 0
    assert not [name for kind, name in made if kind == "Job"]


def test_the_first_backup_is_made_at_once_and_anew_where_another_database_serves() -> None:
    def first(spec: Manifest) -> str:
        (name,) = (name for kind, name in _made(spec) if kind == "Job" and "backup" in name)
        return name

    other = _spec(serving="r1")
    assert first(_spec()) == first(_spec(backup={"schedule": "0 2 * * *", "drill": {"enabled": False}}))
    assert first(_spec()) != first(other)
    assert first(_spec()) != first(_spec(_S3))


def test_a_drill_is_optional() -> None:
    assert ("CronJob", "air-drill") not in _made(_spec(backup={"drill": {"enabled": False}}))


@pytest.mark.parametrize("schedule", ["61 * * * *", "* * * * MOO", "0 0 31 2 *", "a b c d e"])
def test_a_schedule_that_never_comes_is_told_with_its_path(schedule: str) -> None:
    (problem,) = validate(service(_spec(backup={"schedule": schedule})).spec)
    assert problem.path == "spec.database.managed.backup.schedule"
    assert schedule in problem.message
    (problem,) = validate(service(_spec(backup={"drill": {"schedule": schedule}})).spec)
    assert problem.path == "spec.database.managed.backup.drill.schedule"


# Restored databases


def test_a_restored_database_shares_nothing_with_the_one_that_serves() -> None:
    spec = _spec(instances=2, restore={"name": "r1", "to": "2026-11-23T10:00:00Z"})
    made = _made(spec)
    first, second = made["StatefulSet", "air-db"], made["StatefulSet", "air-db-r1"]
    assert first == _made(_spec(instances=2))["StatefulSet", "air-db"], "the one that serves goes on as it was"
    template = second["spec"]["template"]["metadata"]["labels"]
    for name in ("air-db", "air-db-primary", "air-db-replica"):
        selector = made["Service", name]["spec"]["selector"]
        assert (
            not selector.items()
            <= {**template, "sensorthings.city/role": selector.get("sensorthings.city/role")}.items()
        )
    assert not first["spec"]["selector"]["matchLabels"].items() <= template.items()
    restore = _pod(second)["initContainers"][0]
    variables = {v["name"]: v.get("value") for v in restore["env"]}
    assert (variables["SOURCE"], variables["STANZA"]) == ("air-db", "air-db-r1")
    assert variables["TARGET"] == "2026-11-23T10:00:00Z"
    assert _pod(first).get("initContainers") is None
    patroni = yaml.safe_load(made["ConfigMap", "air-db-r1"]["data"]["patroni.yml"])
    assert patroni["scope"] == "air-db-r1"
    dynamic = made["ConfigMap", "air-db-r1-config"]["metadata"]["annotations"]["config"]
    assert "--stanza=air-db-r1 " in dynamic, "its timelines are its own"


def test_it_serves_when_the_spec_says_so_and_the_former_one_is_kept_without_a_pod() -> None:
    spec = _spec(restore={"name": "r1"}, serving="r1")
    made = _made(spec)
    assert made["StatefulSet", "air-db"]["spec"]["replicas"] == 0
    assert made["StatefulSet", "air-db-r1"]["spec"]["replicas"] == 1
    assert addresses.database_address(service(spec), SETTINGS).endpoints[0].host.startswith("air-db-r1-primary.")
    assert (
        made["StatefulSet", "air-db-r1"]["spec"]["template"]
        == _made(_spec(restore={"name": "r1"}))["StatefulSet", "air-db-r1"]["spec"]["template"]
    ), "its pods do not start anew for that"
    credentials = [name for kind, name in made if kind == "Secret" and name.endswith("-credentials")]
    assert credentials == ["air-db-credentials"], "whoever knows the database's password goes on with it"
    assert ("StatefulSet", "air-db") not in _made(_spec(serving="r1"))


def test_a_third_one_is_restored_from_the_second() -> None:
    made = _made(_spec(restore={"name": "r2", "source": "r1"}, serving="r1"))
    assert {name for kind, name in made if kind == "StatefulSet" and "db" in name} == {"air-db-r1", "air-db-r2"}
    variables = {v["name"]: v.get("value") for v in _pod(made["StatefulSet", "air-db-r2"])["initContainers"][0]["env"]}
    assert variables["SOURCE"] == "air-db-r1"
    assert set(
        _configuration(_files(_spec(restore={"name": "r2", "source": "r1"}, serving="r1"))["database.conf"])
    ) == {
        "global",
        "global:archive-push",
        "global:archive-get",
        "air-db-r1",
        "air-db-r2",
    }


_NAMES: Final = st.sampled_from(["", "r1", "r2", "flood"])


@given(_NAMES, st.one_of(st.none(), st.tuples(_NAMES.filter(bool), _NAMES)), st.sampled_from([1, 2]))
def test_names_never_meet(serving: str, restore: tuple[str, str] | None, number: int) -> None:
    """Kind and name of each child are its alone, and each StatefulSet selects its own pods alone."""
    wanted = (
        {} if restore is None or restore[0] == restore[1] else {"restore": {"name": restore[0], "source": restore[1]}}
    )
    made = children(service(_spec(instances=number, serving=serving, **wanted)), SETTINGS)
    names = [(each["kind"], each["metadata"]["name"]) for each in made]
    assert len(names) == len(set(names))
    sets = [each for each in made if each["kind"] in ("StatefulSet", "Deployment")]
    for one in sets:
        selected = one["spec"]["selector"]["matchLabels"].items()
        found = [each for each in sets if selected <= each["spec"]["template"]["metadata"]["labels"].items()]
        assert found == [one]


def test_pods_of_a_restored_pair_are_not_taken_for_those_that_serve() -> None:
    store = OwnedStore(SUMMARIES)
    for pod in ("air-db-0", "air-db-r1-0"):
        labels = {"sensorthings.city/service": "air", "sensorthings.city/role": "primary"}
        store.put("Pod", child("Pod", pod, uid=pod, labels=labels))
    assert [each.pod for each in instances(store, service(_spec(instances=2)))] == ["air-db-0"]
    assert [each.pod for each in instances(store, service(_spec(instances=2, serving="r1")))] == ["air-db-r1-0"]


# What is read


@given(st.integers(0, 2**30), st.sampled_from(["", ".partial", ".00000028.backup"]), st.integers(1, 2**32 - 1))
def test_where_a_segment_ends(number: int, ending: str, timeline: int) -> None:
    """As PostgreSQL names them: 256 segments of 16 MiB for each of the second number (wal_segment_size)."""
    name = f"{timeline:08X}{number // 256:08X}{number % 256:08X}{ending}"
    assert segment_end(name) == (number + 1) * SEGMENT_BYTES


@given(st.text())
def test_a_name_that_is_no_segment_s_has_no_end(name: str) -> None:
    if segment_end(name) is not None:
        assert len(name) >= 24
    assert segment_end("0000000A.history") is None


_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_FIELDS: Final = ("backups", "oldest", "label", "seconds", "observations", "newest", "last_transaction", "failed")
_SAID: Final = st.dictionaries(st.sampled_from(_FIELDS), _JSON) | _JSON


def _live(component: str, message: str, *, code: int = 0, ended: str = "2026-11-23T01:18:00Z", **env: str) -> Manifest:
    variables = [{"name": name, "value": value} for name, value in {"STANZA": "air-db", **env}.items()]
    init = component not in ("backup", "drill")
    name = "restore" if init else component
    over = {"exitCode": code, "finishedAt": ended, "message": message}
    live = child("Pod", "x", labels={"app.kubernetes.io/component": component, "sensorthings.city/service": "air"})
    kind = "initContainer" if init else "container"
    return {
        **live,
        "spec": {f"{kind}s": [{"name": name, "env": variables}]},
        "status": {f"{kind}Statuses": [{"name": name, "image": "x", "state": {"terminated": over}}]},
    }


def _run(*arguments: Any, **fields: Any) -> Run:
    found = backups.run(_live(*arguments, **fields))
    assert found is not None
    return found


def _dumped(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except (TypeError, ValueError):  # a float that is no number, half of a surrogate pair, an integer beyond 64 bits
        return repr(value)


@given(st.sampled_from(["backup", "drill", "database-r1"]), _SAID.map(_dumped) | st.text(), st.integers(0, 2))
def test_whatever_a_pod_says_becomes_a_status_that_the_api_server_takes(component: str, said: str, code: int) -> None:
    found = _run(component, said, code=code)
    assert len(found.failed) <= 1024
    assert len(found.backups) <= 40
    assert len({each.label for each in found.backups}) == len(found.backups)
    pods = [PodState(run=found)]
    wanted = service(_spec(restore={"name": "r1"}))
    seen = backups.look(observed(service=wanted), body(), pods, _NOW)
    status = build(body(), seen, evaluate(seen), (), _NOW)
    BackupStatus.model_validate(status["database"]["backup"], strict=True)
    again = backups.look(observed(service=wanted), {**body(), "status": status}, [], _NOW)
    assert again.backups == seen.backups, "what stands in the status is what was seen"


def test_a_backup_that_ended_well() -> None:
    listed = [["20261123-011700F", 1795396650, 1000, 200], ["20261116-011700F", 1794791850, 900, 150]]
    found = _run("backup", orjson.dumps({"backups": listed, "oldest": 1794791850}).decode())
    assert (found.failed, found.database, found.oldest) == ("", "air-db", "2026-11-16T01:17:30Z")
    assert [each.label for each in found.backups] == ["20261123-011700F", "20261116-011700F"]
    assert found.backups[0].stored_bytes == 200


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ('{"failed":"[028]: repo1: unable to reach it"}', "[028]: repo1: unable to reach it"),
        ("Traceback ...\nKeyError: 'STANZA'", "Traceback ... KeyError: 'STANZA'"),
        ("", "it ended without a word"),
        ('{"failed":""}', '{"failed":""}'),
    ],
)
def test_a_backup_that_failed(message: str, told: str) -> None:
    assert _run("backup", message, code=1).failed == told


def test_one_that_ended_well_and_says_nothing_is_no_success() -> None:
    assert "says nothing of a backup" in _run("backup", "").failed


def test_other_pods_and_those_that_run_tell_nothing() -> None:
    assert backups.run(child("Pod", "x", labels={"app.kubernetes.io/component": "http"})) is None
    running = _live("backup", "")
    running["status"]["containerStatuses"][0]["state"] = {"running": {}}
    assert backups.run(running) is None


def _known(
    runs: list[Run], before: BackupStatus | None = None, *, now: datetime = _NOW, spec: Manifest | None = None
) -> Backups:
    found = backups.known(service(spec or _spec()), before, runs, now)
    assert found is not None
    return found


def _succeeded(time: str, ended: str) -> Run:
    entry = BackupEntry(label=f"of {time}", time=time, size_bytes=1, stored_bytes=1)
    return Run("backup", "air-db", ended, backups=(entry,), oldest=time)


_EARLY: Final = _succeeded("2026-11-22T01:17:10Z", "2026-11-22T01:17:12Z")
_LATE: Final = _succeeded("2026-11-23T01:17:10Z", "2026-11-23T01:17:12Z")
_FAILED: Final = Run("backup", "air-db", "2026-11-23T01:16:00Z", failed="the store is away")


@pytest.mark.parametrize("runs", [[_EARLY, _FAILED, _LATE], [_LATE, _FAILED, _EARLY]])
def test_the_last_run_decides(runs: list[Run]) -> None:
    found = _known(runs)
    assert (found.succeeded, found.failure) == ("2026-11-23T01:17:10Z", None)


def test_a_failure_after_a_success_is_told_and_the_success_kept() -> None:
    failed = Run("backup", "air-db", "2026-11-23T05:00:00Z", failed="the store is away")
    found = _known([_LATE, failed])
    assert found.failure == BackupFailure(time="2026-11-23T05:00:00Z", message="the store is away")
    assert found.succeeded == "2026-11-23T01:17:10Z"


@given(st.permutations([_EARLY, _FAILED, _LATE]), st.integers(0, 3))
def test_what_is_known_is_the_same_whether_pods_are_seen_together_or_one_after_the_other(
    runs: list[Run], cut: int
) -> None:
    """Pods go with their Jobs: what the status remembers has to come to the same, in the order in which they ended."""
    ordered = sorted(runs, key=lambda each: each.ended)
    at_once = _known(runs)
    first = _known(ordered[:cut])
    status = BackupStatus(
        database=first.database,
        last_success_time=first.succeeded,
        oldest_restorable_time=first.oldest,
        last_failure=first.failure,
        backups=list(first.kept),
    )
    assert _known(ordered[cut:], status) == at_once
    assert _known(ordered, status) == at_once


def test_another_database_s_backups_are_not_taken_for_its_own() -> None:
    status = BackupStatus(database="air-db", last_success_time="2026-11-23T01:17:10Z")
    found = _known([_LATE], status, spec=_spec(serving="r1"))
    assert (found.database, found.succeeded) == ("air-db-r1", None)


def test_when_the_next_one_is_due() -> None:
    assert _known([_LATE]).due == "2026-11-24T01:17:00Z"
    assert _known([_LATE], spec=_spec(backup={"schedule": "0 12 * * *"})).due == "2026-11-24T12:00:00Z"


def test_a_backup_that_did_not_come_is_missed_after_half_a_day() -> None:
    assert _known([_EARLY], now=datetime(2026, 11, 23, 12, 0, tzinfo=UTC)).missed is None
    assert _known([_EARLY], now=datetime(2026, 11, 23, 14, 0, tzinfo=UTC)).missed == "2026-11-23T01:17:00Z"
    assert _known([_LATE], now=datetime(2026, 11, 23, 14, 0, tzinfo=UTC)).missed is None


@given(st.integers(0, 60 * 24 * 40), st.sampled_from(["17 1 * * *", "5 */6 * * *", "0 3 * * SUN", "0 0 1 * *"]))
def test_who_has_a_backup_of_each_due_time_missed_none(minutes: int, schedule: str) -> None:
    now = _NOW + timedelta(minutes=minutes)
    due = backups.missed(schedule, Backups("air-db", succeeded="1970-01-01T00:00:00Z"), now)
    assert due is not None
    assert backups.missed(schedule, Backups("air-db", succeeded=due), now) is None
    later = backups.due(schedule, now)
    assert later is not None
    assert due < backups.told(now) < later


# What is said


def _backed_up(known: Backups | None = _WELL, *, spec: Manifest | None = None, **fields: Any) -> Verdict:
    return evaluate(observed(service=service(spec or _spec()), backups=known, **fields))["BackedUp"]


def _answer(archive: Archive | None) -> Answer:
    return Answer(True, "DatabaseAnswers", "it answers", archive=archive)


def test_backed_up() -> None:
    verdict = _backed_up(database=_answer(Archive(failing=False, waiting_bytes=0)))
    assert (verdict.status, verdict.reason) == ("True", "BackedUp")
    assert "2026-11-09T01:17:30Z" in verdict.message
    assert "BackedUp" not in evaluate(observed())


def test_ready_does_not_wait_for_backups() -> None:
    failing = Archive(failing=True, waiting_bytes=2**20)
    seen = observed(service=service(_spec()), backups=_WELL, database=_answer(failing))
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


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"failure": BackupFailure(time="2026-11-23T05:00:00Z", message="the store is away")}, "BackupFailed"),
        ({"missed": "2026-11-23T01:17:00Z"}, "BackupOverdue"),
        ({"drill": DrillStatus(time="2026-11-02T03:43:00Z", succeeded=False, message="no WAL")}, "DrillFailed"),
        ({"drill": DrillStatus(time="2026-11-02T03:43:00Z", succeeded=True)}, "BackedUp"),
    ],
)
def test_what_is_wrong_is_told(fields: dict[str, Any], reason: str) -> None:
    assert _backed_up(replace(_WELL, **fields)).reason == reason


def test_a_secret_that_is_missing_is_told_and_database_reachable_is_not_about_it() -> None:
    missing = {"minio": "Secret minio does not exist: create it"}
    seen = observed(service=service(_spec(_S3)), backups=_WELL, missing_backup_secrets=missing)
    verdicts = evaluate(seen)
    assert verdicts["BackedUp"].reason == "SecretUnusable"
    assert verdicts["DatabaseReachable"].holds
    assert verdicts["Ready"].holds


def test_hibernated_it_is_not_known() -> None:
    assert _backed_up(spec={**_spec(), "hibernated": True}).reason == "Hibernated"


_RESTORED: Final = RestoreStatus(
    name="r1", label="20261123-011700F", observations=7, newest_observation="2026-11-23T09:59:59Z"
)


def _restore(*, serving: str = "", **fields: Any) -> Verdict:
    spec = _spec(restore={"name": "r1", "to": "2026-11-23T10:00:00Z"}, serving=serving)
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
    assert "Restored" not in evaluate(observed(service=service(_spec())))


def test_trouble_of_the_database_that_is_restored_is_not_that_of_the_one_that_serves() -> None:
    problem = PodProblem("database-r1", "air-db-r1-0", "Unschedulable", "no node has room")
    spec = _spec(restore={"name": "r1"})
    verdicts = evaluate(observed(service=service(spec), backups=_WELL, pod_problems=(problem,)))
    assert verdicts["Restored"].reason == "Unschedulable"
    assert verdicts["DatabaseReachable"].holds
    assert verdicts["Ready"].holds


def test_a_restore_that_failed_and_then_did_not_is_told_as_it_is() -> None:
    failed = _run("database-r1", '{"failed":"no backup before that"}', code=1, STANZA="air-db-r1")
    done = _run(
        "database-r1", '{"label":"x","observations":3,"seconds":5}', ended="2026-11-23T02:00:00Z", STANZA="air-db-r1"
    )
    seen = observed(service=service(_spec(restore={"name": "r1"})))
    assert backups.look(seen, body(), [PodState(run=failed)], _NOW).restore_failure == "no backup before that"
    after = backups.look(seen, body(), [PodState(run=failed), PodState(run=done)], _NOW)
    assert (after.restore_failure, after.restored and after.restored.observations) == ("", 3)


# The archiver, as the primary tells


def _judged(**fields: Any) -> Answer:
    looks = (look(position=100 * SEGMENT_BYTES, **fields), standby())
    return judge(looks, "sensorthings", Limits(is_archived=True), None, began=0.0, now=0.0)


def test_how_much_waits_is_what_the_archive_lacks_in_steps() -> None:
    found = _judged(archived="000000010000000000000059", unarchived=True).archive
    assert found == Archive(failing=True, waiting_bytes=16 * SEGMENT_BYTES), "ten segments, in powers of two"
    assert _judged(archived="000000010000000000000059").archive == Archive(failing=False, waiting_bytes=0)
    assert _judged(archived="00000002.history", unarchived=True).archive == Archive(failing=True, waiting_bytes=1)


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
    assert [each.database for each in databases.running(service(_spec(restore={"name": "r1"})))] == [None, "r1"]
    assert databases.running(service({"database": {"type": "Managed"}}))[0].database is None
