"""Whole passes over a service with backups, on a fake API server and a clock of its own: what is made, and when."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final

import orjson

from sensorthings_operator.conditions.backups import told
from tests.unit.operator.backed_up import S3, backed_up
from tests.unit.operator.samples import look, standby
from tests.unit.operator.test_reconcile import SERVICE, City
from tests.unit.operator.virtual_time import on_virtual_time

_LABELS: Final = {"sensorthings.city/service": "air"}


class _BackedUp(City):
    """A service with backups, its Jobs and what their pods say."""

    def said(self, type_: str = "BackedUp") -> tuple[str, str]:
        """A condition: its status and reason."""
        conditions = self.api.objects[SERVICE]["status"]["conditions"]
        return next((each["status"], each["reason"]) for each in conditions if each["type"] == type_)

    @property
    def backup(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.objects[SERVICE]["status"]["database"]["backup"]
        return found

    def jobs(self) -> list[str]:
        """Of backups, that are there."""
        return [name for kind, name in self.api.objects if kind == "Job" and name.startswith("air-backup-")]

    async def pass_by(self, **time: float) -> float | None:
        """So much time, and a pass; what is gone by now is told, too."""
        self.now += timedelta(**time)
        for known in list(self.store.of_service(("hamburg", "air"))):
            if (known.kind, known.name) not in self.api.objects:
                self.store.remove(known.kind, known.namespace, known.name, known.uid)
        return await self.look()

    async def passes(self, number: int = 2) -> None:
        for _ in range(number):
            await self.pass_by(seconds=1)

    def ends(self, job: str, said: dict[str, Any]) -> None:
        """The Job's pod ends, and the Job with it."""
        template = self.api.objects["Job", job]["spec"]["template"]
        over = {
            "exitCode": 1 if "failed" in said else 0,
            "finishedAt": told(self.now),
            "message": orjson.dumps(said).decode(),
        }
        statuses = [{"name": "backup", "image": "x", "state": {"terminated": over}}]
        metadata = {"name": f"{job}-x", "namespace": "hamburg", "labels": template["metadata"]["labels"]}
        self.api.put({"kind": "Pod", "metadata": metadata, "spec": template["spec"]})
        self.api.objects["Pod", f"{job}-x"]["status"] = {"containerStatuses": statuses}
        outcome = "Failed" if "failed" in said else "Complete"
        self._status(self.api.objects["Job", job], {"conditions": [{"type": outcome, "status": "True"}]})

    def backed_up(self, *labels: str, **more: Any) -> dict[str, Any]:
        """What a backup says that ended now, as the last of several."""
        at = int(self.now.timestamp())
        listed = [[label, at - 60 * number, 10, 2] for number, label in enumerate(labels)]
        return {"backups": listed, "oldest": listed[-1][1], **more}

    def change(self, **managed: Any) -> None:
        """Edit the spec."""
        live = self.api.objects[SERVICE]
        live["spec"]["database"]["managed"] |= managed
        live["metadata"]["generation"] += 1
        self.api.touch(live)


async def _made(spec: dict[str, Any]) -> tuple[_BackedUp, str]:
    """Ready, and the Job of the first backup, which runs."""
    city = _BackedUp(spec)
    await city.settle()
    (job,) = city.jobs()
    city._status(city.api.objects["Job", job], {})
    await city.pass_by(seconds=1)
    return city, job


@on_virtual_time
async def test_the_first_backup_is_made_once_and_its_job_goes_when_it_is_done() -> None:
    city, job = await _made(backed_up())
    assert city.said() == ("False", "BackupAwaited")
    city.start()
    await city.pass_by(seconds=30)
    assert city.jobs() == [job], "an operator that starts anew goes on with it"
    city.ends(job, city.backed_up("20260101-000000F"))
    await city.passes()
    assert city.said() == ("True", "BackedUp")
    assert city.jobs() == []
    del city.api.objects["Pod", f"{job}-x"]
    before = len(city.api.writes())
    city.start()
    await city.passes(4)
    assert city.api.writes()[before:] == []
    assert city.said() == ("True", "BackedUp")
    await city.close()


@on_virtual_time
async def test_one_that_failed_is_made_again_when_it_is_time_and_not_before() -> None:
    city, job = await _made(backed_up())
    city.ends(job, {"failed": "the store is away"})
    later = await city.pass_by(seconds=0)
    assert city.said() == ("False", "BackupFailed")
    assert later is not None
    assert 295 < later <= 300, "the operator looks again by itself"
    assert await city.pass_by(seconds=later - 2) is not None
    assert city.jobs() == [job]
    tries = []
    for _ in range(4):
        while city.jobs() == [job]:
            await city.pass_by(minutes=1)
        tries.append(city.now)
        (job,) = city.jobs()
        city.ends(job, {"failed": "the store is away"})
        await city.passes()
    pauses = [(after - before) / timedelta(minutes=1) for before, after in pairwise(tries)]
    assert all(5 <= before < after for before, after in pairwise(pauses)), "later and later"
    await city.pass_by(minutes=30)
    (job,) = city.jobs()
    city.ends(job, city.backed_up("20260101-000000F"))
    await city.passes()
    assert (city.said(), city.jobs()) == (("True", "BackedUp"), [])
    await city.close()


@on_virtual_time
async def test_nothing_is_asked_of_a_store_before_its_keys_are_there_and_then_at_once() -> None:
    city = _BackedUp(backed_up(S3))
    await city.settle()
    assert (city.said(), city.jobs()) == (("False", "SecretUnusable"), [])
    await city.pass_by(days=3)
    for name, keys in (("minio", ("accessKeyId", "secretAccessKey")), ("minio-ca", ("ca.crt",))):
        data = dict.fromkeys(keys, "b3Vycw==")
        city.api.put({"kind": "Secret", "metadata": {"name": name, "namespace": "hamburg"}, "data": data})
    await city.passes()
    assert city.said() == ("False", "BackupAwaited")
    assert len(city.jobs()) == 1
    await city.close()


def _pair(timeline: int) -> tuple[Any, ...]:
    hosts = [f"air-db-{number}.air-db.hamburg.svc.cluster.local:5432" for number in (0, 1)]
    return look(hosts[0], timeline=timeline), standby(hosts[1])


async def _made_pair() -> _BackedUp:
    """A pair with a backup."""
    city = _BackedUp(backed_up(instances=2))
    city.looks = _pair(1)
    for number, role in enumerate(("primary", "replica")):
        labels = {**_LABELS, "app.kubernetes.io/component": "database", "sensorthings.city/role": role}
        metadata = {"name": f"air-db-{number}", "namespace": "hamburg", "labels": labels}
        city.api.put({"kind": "Pod", "metadata": metadata})
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        city.api.objects["Pod", f"air-db-{number}"]["status"] = ready
    await city.settle()
    (job,) = city.jobs()
    city.ends(job, city.backed_up("20260101-000000F"))
    await city.passes()
    assert (city.said(), city.jobs()) == (("True", "BackedUp"), [])
    assert city.backup["request"]["timeline"] == 1
    return city


async def _fails_over(city: _BackedUp) -> str:
    """Another instance is the primary; the Job that looks through the archive."""
    city.looks = _pair(2)
    city.probes.ask_now(("hamburg", "air"))
    await asyncio.sleep(40)
    await city.passes()
    assert city.said() == ("Unknown", "ArchiveUnchecked")
    (job,) = city.jobs()
    command = city.api.objects["Job", job]["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[-1] == "check"
    city._status(city.api.objects["Job", job], {})
    return job


@on_virtual_time
async def test_a_failover_that_lost_nothing_costs_a_look() -> None:
    city = await _made_pair()
    job = await _fails_over(city)
    city.ends(job, {**city.backed_up("20260101-000000F"), "oldest": 0})
    await city.passes()
    assert (city.said(), city.jobs()) == (("True", "BackedUp"), [])
    await city.close()


@on_virtual_time
async def test_a_gap_is_a_warning_and_a_backup_begins_anew() -> None:
    city = await _made_pair()
    job = await _fails_over(city)
    since = int((city.now + timedelta(minutes=1)).timestamp())
    city.now += timedelta(minutes=2)
    looked = city.backup["backups"][0]
    before = int((city.now - timedelta(hours=1)).timestamp())
    said = [[looked["label"], before, 10, 2]]
    city.ends(job, {"backups": said, "oldest": before, "gap": {"segment": "0" * 24, "since": since}})
    await city.pass_by(seconds=0)
    assert city.said() == ("False", "ArchiveGap")
    assert [each["reason"] for each in city.api.events].count("ArchiveGap") == 1
    await city.passes()
    (job,) = city.jobs()
    city.now += timedelta(minutes=3)
    made = city.backed_up("20260101-000000F_20260101-001000D", looked["label"])
    city.ends(job, {**made, "oldest": before})
    await city.passes()
    assert (city.said(), city.jobs()) == (("True", "BackedUp"), [])
    assert city.backup["gap"]["until"] == city.backup["lastSuccessTime"]
    await city.close()


@on_virtual_time
async def test_a_switch_waits_for_the_restored_database_over_restarts_too() -> None:
    city, job = await _made(backed_up())
    city.ends(job, city.backed_up("20260101-000000F"))
    await city.passes()
    city.change(restore={"name": "r1"}, serving="r1")
    await city.passes()
    assert city.said("Ready") == ("False", "SwitchAwaited")
    city.start()
    await city.passes()
    sets = {name: live for (kind, name), live in city.api.objects.items() if kind == "StatefulSet"}
    assert (sets["air-db"]["spec"]["replicas"], sets["air-db-r1"]["spec"]["replicas"]) == (1, 1)

    template = sets["air-db-r1"]["spec"]["template"]
    over = {"exitCode": 0, "finishedAt": told(city.now), "message": '{"label":"x","observations":3}'}
    metadata = {"name": "air-db-r1-0", "namespace": "hamburg", "labels": template["metadata"]["labels"]}
    city.api.put({"kind": "Pod", "metadata": metadata, "spec": template["spec"]})
    statuses = [{"name": "restore", "image": "x", "state": {"terminated": over}}]
    city.api.objects["Pod", "air-db-r1-0"]["status"] = {"initContainerStatuses": statuses}
    await city.passes()
    assert city.said("Ready") == ("False", "SwitchAwaited"), "restored, and not ready yet"
    city.succeed()
    await city.passes()
    city.succeed()
    await city.passes()
    live = city.api.objects
    assert live["StatefulSet", "air-db"]["spec"]["replicas"] == 0
    assert live[SERVICE]["status"]["database"]["serving"] == "r1"
    assert live[SERVICE]["status"]["database"]["backup"]["database"] == "air-db-r1"
    city.start()
    counts = live["StatefulSet", "air-db-r1"]["status"]
    city._status(live["StatefulSet", "air-db-r1"], {**counts, "readyReplicas": 0})
    await city.passes()
    assert live["StatefulSet", "air-db"]["spec"]["replicas"] == 0, "away for a moment, it is not left again"
    await city.close()
