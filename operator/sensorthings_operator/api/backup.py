"""Backups of a managed database, and its restore into a database beside it. Part of a SensorThingsService's spec."""

from typing import Annotated, Final

from pydantic import Field

from sensorthings_operator.api.base import (
    PORT_PATTERN,
    Model,
    ResourceRequirements,
    SecretReference,
    VolumeStorage,
    cel,
    rules,
)

_ENDPOINT: Final = rf"^https://[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*{PORT_PATTERN}$"
_TIME: Final = (
    r"^[0-9]{4}-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-][0-2][0-9]:[0-5][0-9])$"
)

Schedule = Annotated[str, Field(pattern=r"^\S+( \S+){4}$", max_length=128)]
"""A cron schedule of five fields, UTC."""
DatabaseName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$", max_length=8)]
"""What tells a restored database from the first one of its service: a part of the names of pods and volumes."""

FormerDatabaseName = Annotated[str, Field(pattern=r"^([a-z][a-z0-9]*)?$", max_length=8)]
"""The same, or empty: the first one."""


class S3Storage(Model):
    """A bucket of a store that speaks S3, over HTTPS."""

    endpoint: Annotated[str, Field(pattern=_ENDPOINT, max_length=253)]
    """Where it is, such as https://s3.eu-central-1.amazonaws.com or https://minio.city.example:9000."""
    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][-.a-z0-9]*[a-z0-9]$", min_length=3, max_length=63)]
    """Name of the bucket, which has to be there."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", max_length=63)] = "us-east-1"
    """Its region; stores of other makers take any."""
    prefix: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9_.-]+)+$", max_length=256)] | None = None
    """Folder in the bucket, for this service alone; /NAMESPACE/NAME where it is not given."""
    virtual_hosts: bool = False
    """The bucket is a part of the host name, and not of the path."""
    credentials_secret_ref: SecretReference
    """Secret with the keys accessKeyId and secretAccessKey."""
    ca_secret_ref: SecretReference | None = None
    """Secret whose key ca.crt signed the store's certificate, where no public authority did."""


class BackupStorage(Model):
    """Where backups lie: one of its members."""

    model_config = rules(
        cel(
            "has(self.volume) != has(self.s3)",
            "backups lie in one place: either volume, a volume of their own, or s3, a bucket",
            field_path=".volume",
        )
    )

    volume: VolumeStorage | None = None
    """A volume of their own, served to the database's pods by one pod that has it mounted."""
    s3: S3Storage | None = None
    """A bucket, which the pods reach themselves."""


class Retention(Model):
    """How long backups are kept."""

    days: Annotated[int, Field(ge=1, le=3650)] = 14
    """The database can be restored to any time of at least so many days."""


class Drill(Model):
    """A restore for practice, into a volume that lives as long as its pod."""

    enabled: bool = True
    """Whether there is one."""
    schedule: Schedule = "43 3 2 * *"
    """When, UTC."""


class Backup(Model):
    """Base backups on a schedule, and the write-ahead log as it is written."""

    schedule: Schedule = "17 1 * * *"
    """When a backup is taken, UTC."""
    full_every_days: Annotated[int, Field(ge=1, le=90)] = 7
    """A backup holds everything where the last one that does is so old, and else what changed since that."""
    retention: Retention = Retention()
    """How long backups are kept."""
    storage: BackupStorage
    """Where they lie."""
    drill: Drill = Drill()
    """Practice for the day on which a restore is needed."""
    resources: ResourceRequirements = ResourceRequirements()
    """Compute resources of what makes and restores backups."""


class Restore(Model):
    """A database made from backups beside the one that serves."""

    model_config = rules(
        cel("self.name != self.source", "restore.name is that of a new database: choose another", field_path=".name"),
        cel(
            "!(self.name in ['primary', 'replica', 'config', 'leader', 'sync', 'failover'])",
            "primary, replica, config, leader, sync and failover are names of other objects: choose another",
            field_path=".name",
        ),
        cel(
            "self.name != oldSelf.name || (self.source == oldSelf.source && has(self.to) == has(oldSelf.to) "
            "&& (!has(self.to) || self.to == oldSelf.to))",
            "what a database was restored from can't be changed: restore once more, with another restore.name",
            field_path=".name",
        ),
    )

    name: DatabaseName
    """Name of the new database, such as r1. Set database.managed.serving to it to switch over."""
    source: FormerDatabaseName = ""
    """Whose backups: the name of a restored database; empty for the service's first one."""
    to: Annotated[str, Field(pattern=_TIME, max_length=35)] | None = None
    """Up to when, such as 2026-11-23T10:00:00Z: what was committed later is not in it. All that was archived where it
    is not given."""
