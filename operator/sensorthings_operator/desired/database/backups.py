"""The Jobs around backups: one that is asked for, a CronJob of them, and a CronJob of restores for practice.

They run pgBackRest in PostgreSQL's image and say what came of it in their termination message.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from sensorthings_operator.api.backup import Backup
from sensorthings_operator.api.status import BackupRequest
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.database import configuration, names, pgbackrest, pgbackrestconf, repository
from sensorthings_operator.desired.metadata import CERTIFICATE_HOSTS_ANNOTATION, Manifest, digest, labels, metadata
from sensorthings_operator.desired.pods import TMP_MOUNT, TMP_VOLUME, container, env, pod_spec, resources
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

COMPONENT: Final = "backup"
DRILL: Final = "drill"
_DAY_SECONDS: Final = 24 * 60 * 60
_KEPT_JOBS: Final = 2
_TRIES: Final = 2
_FIRST: Final = BackupRequest(number=0, kind="Backup", time="1970-01-01T00:00:00Z")
_DRILL_KEPT: Final = {"ttlSecondsAfterFinished": _DAY_SECONDS}
"""A drill's volume goes with its pod, and the pod with its Job, which a CronJob would keep until the next ones."""


def secrets(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The Secret with the certificates by which the pods know each other; nothing without backups."""
    if pgbackrest.wanted(service) is None:
        return []
    described = metadata(service, COMPONENT, pgbackrest.certificates_name(service))
    hosts = {CERTIFICATE_HOSTS_ANNOTATION: ",".join(pgbackrest.hosts(service, settings))}
    return [{"apiVersion": "v1", "kind": "Secret", "metadata": {**described, "annotations": hosts}, "type": "Opaque"}]


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """Configuration, ServiceAccount, and the CronJobs; nothing without backups."""
    backup = pgbackrest.wanted(service)
    if backup is None:
        return []
    name = pgbackrest.name(service)
    held = pgbackrestconf.held(service, settings)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(service, COMPONENT, name)}
    made: list[Manifest] = [
        {**account, "automountServiceAccountToken": False},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(service, COMPONENT, name), "data": held},
        _cron_job(service, COMPONENT, name, backup.schedule, _job(_backup_template(service, settings, backup))),
    ]
    if backup.drill.enabled:
        job = {**_DRILL_KEPT, **_job(_drill_template(service, settings, backup))}
        made.append(_cron_job(service, DRILL, f"{service.name}-drill", backup.drill.schedule, job))
    return made


def requested(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """What is asked for beside the schedule: a backup of a database that has none, another try, or a look."""
    backup = pgbackrest.wanted(service)
    request = service.backup_request or _FIRST
    if backup is None or service.spec.hibernated or service.backup_held or request.done:
        return []
    variables = {"REQUEST": str(request.number)}
    command = "backup"
    if request.kind == "Check":
        command, variables = "check", {**variables, "TIMELINE": str(request.timeline)}
    template = _backup_template(service, settings, backup, command, variables)
    name = f"{pgbackrest.name(service)}-{digest([template, pgbackrestconf.held(service, settings)['job.conf']])}"
    return [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata(service, COMPONENT, name),
            "spec": _job(template),
        }
    ]


def _cron_job(service: Service, component: str, name: str, schedule: str, job: Manifest) -> Manifest:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(service, component, name),
        "spec": {
            "schedule": schedule,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            # A cluster that was down when it was due makes up for it.
            "startingDeadlineSeconds": _DAY_SECONDS // 2,
            "suspend": service.spec.hibernated,
            "successfulJobsHistoryLimit": _KEPT_JOBS,
            "failedJobsHistoryLimit": _KEPT_JOBS,
            "jobTemplate": {"metadata": {"labels": labels(service, component)}, "spec": job},
        },
    }


def _job(template: Manifest) -> Manifest:
    return {"backoffLimit": _TRIES, "activeDeadlineSeconds": _DAY_SECONDS, "template": template}


def _backup_template(
    service: Service,
    settings: OperatorSettings,
    backup: Backup,
    command: str = "backup",
    more_variables: Mapping[str, str] = MappingProxyType({}),
) -> Manifest:
    variables = {
        "STANZA": addresses.database_name(service),
        "LOCATION": pgbackrest.location(service),
        "INSTANCES": str(addresses.instances(service)),
        "FULL_EVERY_DAYS": str(backup.full_every_days),
        **more_variables,
        **pgbackrest.PROGRAM_VARIABLES,
    }
    volumes, mounts = [TMP_VOLUME, *pgbackrest.job_volumes(service)], [TMP_MOUNT, *pgbackrest.mounts(service)]
    more: dict[str, Any] = {}
    if backup.storage.volume is not None:
        volumes, mounts = [*volumes, repository.claimed(service)], [*mounts, repository.MOUNT]
        more = {"affinity": repository.beside(service)}
    made = container(
        COMPONENT,
        settings.images.postgresql_pair,
        settings,
        command=[*pgbackrest.PROGRAM, command],
        env=env(variables),
        resources=resources(backup.resources, cpu="100m", memory="256Mi"),
        volumeMounts=mounts,
    )
    return _template(service, COMPONENT, made, volumes, more)


def _drill_template(service: Service, settings: OperatorSettings, backup: Backup) -> Manifest:
    storage = configuration.managed(service).storage
    claim: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": storage.size}},
        **({} if storage.storage_class_name is None else {"storageClassName": storage.storage_class_name}),
    }
    data = {"name": "data", "ephemeral": {"volumeClaimTemplate": {"spec": claim}}}
    variables = {
        "STANZA": addresses.database_name(service),
        "LOCATION": pgbackrest.location(service),
        "PGDATA": names.PGDATA,
        **pgbackrest.PROGRAM_VARIABLES,
    }
    made = container(
        DRILL,
        settings.images.postgresql_pair,
        settings,
        command=[*pgbackrest.PROGRAM, "drill"],
        env=env(variables),
        resources=resources(backup.resources, cpu="100m", memory="512Mi"),
        volumeMounts=[TMP_MOUNT, {"name": "data", "mountPath": names.DATA_PATH}, *pgbackrest.mounts(service)],
    )
    return _template(service, DRILL, made, [TMP_VOLUME, data, *pgbackrest.database_volumes(service)], {})


def _template(
    service: Service, component: str, made: Manifest, volumes: list[Manifest], more: dict[str, Any]
) -> Manifest:
    pod = pod_spec(
        service,
        component,
        user=names.USER,
        service_account=pgbackrest.name(service),
        containers=[made],
        volumes=volumes,
        restart_policy="Never",
    )
    return {"metadata": {"labels": labels(service, component)}, "spec": {**pod, **more}}
