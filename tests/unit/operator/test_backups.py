"""Backups of a managed database: what is made for them."""

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import orjson
import pytest

from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.validation import validate
from tests.unit.operator.backed_up import S3, VOLUME, backed_up, children_of, files_of, pod_of, sections_of
from tests.unit.operator.samples import SETTINGS, service


def test_a_database_without_backups_has_nothing_of_them() -> None:
    made = children_of({"database": {"type": "Managed"}})
    assert not [name for kind, name in made if kind == "CronJob" or "backup" in name or "repository" in name]
    assert "archive" not in made["ConfigMap", "air-db"]["data"]["postgresql.conf"]
    assert pod_of(made["StatefulSet", "air-db"])["containers"][0]["image"] == SETTINGS.images.postgresql


@pytest.mark.parametrize("storage", [VOLUME, S3], ids=["volume", "s3"])
@pytest.mark.parametrize("number", [1, 2])
def test_no_write_ahead_log_is_ever_given_up(storage: Manifest, number: int) -> None:
    spec = backed_up(storage, instances=number)
    made = children_of(spec)
    told = orjson.dumps(
        [made["ConfigMap", "air-db"], *(m for (_, n), m in made.items() if n == "air-db-config")]
    ).decode()
    assert "archive-push %p" in told
    assert "--stanza=air-db " in told
    everything = "".join(files_of(spec).values())
    assert "archive-push-queue-max" not in everything
    assert "archive-async" not in everything
    # PostgreSQL without an archive lets go of what waited for it.
    assert "archive_mode=off" not in made["ConfigMap", "air-db"]["data"]["start.sh"]


def test_the_volume_is_behind_one_pod_and_a_backup_runs_beside_it() -> None:
    made = children_of(backed_up())
    job = pod_of(made["CronJob", "air-backup"])
    claim = next(v["persistentVolumeClaim"]["claimName"] for v in job["volumes"] if v["name"] == "data")
    repository = made["StatefulSet", "air-repository"]
    assert claim == f"data-{repository['metadata']['name']}-0"
    (term,) = job["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    labels = repository["spec"]["template"]["metadata"]["labels"]
    assert term["labelSelector"]["matchLabels"].items() <= labels.items()
    configuration = sections_of(files_of(backed_up())["job.conf"])
    assert "repo1-host" not in configuration["global"], "pgBackRest makes backups where the repository is"
    assert configuration["air-db"]["pg1-host"] == "air-db-0.air-db.hamburg.svc.cluster.local"
    database = sections_of(files_of(backed_up())["database.conf"])
    assert database["global"]["repo1-host"] == "air-repository.hamburg.svc.cluster.local"


def test_a_bucket_needs_no_pod_of_its_own() -> None:
    made = children_of(backed_up(S3))
    assert ("StatefulSet", "air-repository") not in made
    assert "affinity" not in pod_of(made["CronJob", "air-backup"])
    for file in ("database.conf", "job.conf"):
        found = sections_of(files_of(backed_up(S3))[file])["global"]
        assert found["repo1-s3-endpoint"] == "https://minio.city.internal:9000"
        assert found["repo1-path"] == "/hamburg/air"
        assert found["repo1-storage-ca-file"] == "/run/sensorthings/storage-ca/ca.crt"
        assert not [option for option in found if "key" in option and option.startswith("repo1-s3")]


@pytest.mark.parametrize("number", [1, 3])
def test_each_instance_gives_its_files_and_its_certificate_is_for_its_name(number: int) -> None:
    spec = backed_up(instances=number)
    section = sections_of(files_of(spec)["job.conf"])["air-db"]
    hosts = [value for option, value in section.items() if option.endswith("-host")]
    assert len(hosts) == number
    made = children_of(spec)
    named = made["Secret", "air-backup-certificates"]["metadata"]["annotations"]["sensorthings.city/certificate-hosts"]
    wildcards = [name.removeprefix("*") for name in named.split(",") if name.startswith("*.")]
    assert all(host.partition(".")[1] + host.partition(".")[2] in wildcards for host in hosts)
    container = pod_of(made["StatefulSet", "air-db"])["containers"][1]
    data = next(mount for mount in container["volumeMounts"] if mount["name"] == "data")
    assert data["readOnly"] is True


def test_what_gives_files_to_backups_knows_no_key_and_no_store() -> None:
    """Its children keep the environment that it began with: keys that come later would never reach them."""
    container = pod_of(children_of(backed_up(S3))["StatefulSet", "air-db"])["containers"][1]
    assert container["name"] == "pgbackrest"
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        "tmp",
        "data",
        "backup-files",
        "backup-certificates",
    }
    assert not [option for option in sections_of(files_of(backed_up(S3))["files.conf"])["global"] if "repo" in option]


@pytest.mark.parametrize("storage", [VOLUME, S3], ids=["volume", "s3"])
def test_no_secret_stands_in_a_variable_or_an_argument(storage: Manifest) -> None:
    for manifest in children_of(backed_up(storage)).values():
        if manifest["kind"] not in ("CronJob", "Job", "StatefulSet") or "schema" in manifest["metadata"]["name"]:
            continue
        pod = pod_of(manifest)
        for container in (*pod["containers"], *pod.get("initContainers", ())):
            assert not [v for v in container.get("env", ()) if "secretKeyRef" in v.get("valueFrom", {})]


def test_a_database_starts_without_the_secret_of_a_store() -> None:
    volumes = {v["name"]: v for v in pod_of(children_of(backed_up(S3))["StatefulSet", "air-db"])["volumes"]}
    assert volumes["storage"]["secret"]["optional"] is True
    assert volumes["storage-ca"]["secret"]["optional"] is True


def _mounted(folder: Path, template: Manifest) -> None:
    """The configuration of a pod, as a kubelet puts it into its volume."""
    volume = next(each for each in template["volumes"] if each["name"] == "backup-config")
    data = files_of(backed_up())
    for item in volume["configMap"]["items"]:
        file = folder / item["path"]
        file.parent.mkdir(exist_ok=True)
        file.write_text(data[item["key"]])


def test_the_program_is_mounted_whole_and_is_found(tmp_path: Path) -> None:
    job = pod_of(children_of(backed_up())["CronJob", "air-backup"])
    _mounted(tmp_path, job)
    source = files("sensorthings_operator.desired") / "files" / "backups"
    modules = {each.name for each in source.iterdir() if each.name.endswith(".py")}
    assert {each.name for each in (tmp_path / "backups").iterdir()} == modules
    template = children_of(backed_up(restore={"name": "r1"}))["StatefulSet", "air-db-r1"]
    (container,) = pod_of(template)["initContainers"]
    variables = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    assert variables["PYTHONPATH"] == "/etc/pgbackrest"
    # The pod of a standby: it restores nothing, and needs no pgBackRest for that.
    here = {**variables, "PYTHONPATH": str(tmp_path), "POD": "air-db-r1-1", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, *container["command"][1:]], env=here, cwd="/", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_hibernated_nothing_runs() -> None:
    made = children_of({**backed_up(), "hibernated": True})
    assert made["CronJob", "air-backup"]["spec"]["suspend"] is True
    assert made["CronJob", "air-drill"]["spec"]["suspend"] is True
    assert made["StatefulSet", "air-repository"]["spec"]["replicas"] == 0
    assert not [name for kind, name in made if kind == "Job"]


def test_the_first_backup_is_made_at_once_and_anew_where_another_database_serves() -> None:
    def first(spec: Manifest) -> str:
        (name,) = (name for kind, name in children_of(spec) if kind == "Job" and "backup" in name)
        return name

    other = backed_up(serving="r1")
    assert first(backed_up()) == first(backed_up(backup={"schedule": "0 2 * * *", "drill": {"enabled": False}}))
    assert first(backed_up()) != first(other)
    assert first(backed_up()) != first(backed_up(S3))


def test_a_drill_is_optional() -> None:
    assert ("CronJob", "air-drill") not in children_of(backed_up(backup={"drill": {"enabled": False}}))


def test_the_volumes_of_drills_do_not_gather() -> None:
    """Each is as large as the database, and is there as long as its pod, whether that has ended or not."""
    spec = children_of(backed_up())["CronJob", "air-drill"]["spec"]["jobTemplate"]["spec"]
    assert spec["ttlSecondsAfterFinished"] == 24 * 60 * 60
    data = next(volume for volume in spec["template"]["spec"]["volumes"] if volume["name"] == "data")
    assert "ephemeral" in data


@pytest.mark.parametrize("schedule", ["61 * * * *", "* * * * MOO", "0 0 31 2 *", "a b c d e"])
def test_a_schedule_that_never_comes_is_told_with_its_path(schedule: str) -> None:
    (problem,) = validate(service(backed_up(backup={"schedule": schedule})).spec)
    assert problem.path == "spec.database.managed.backup.schedule"
    assert schedule in problem.message
    (problem,) = validate(service(backed_up(backup={"drill": {"schedule": schedule}})).spec)
    assert problem.path == "spec.database.managed.backup.drill.schedule"
