"""The database: external, or managed by the operator. Part of a SensorThingsService's spec."""

from typing import Annotated, Literal

from pydantic import Field

from sensorthings_operator.api.backup import Backup, FormerDatabaseName, Restore
from sensorthings_operator.api.base import (
    Hostname,
    Model,
    Port,
    ResourceRequirements,
    SecretReference,
    VolumeStorage,
    cel,
    rules,
)


class DatabaseEndpoint(Model):
    """A PostgreSQL server."""

    host: Hostname
    """DNS name or IPv4 address."""
    port: Port = 5432
    """Its TCP port."""


class DatabaseTLS(Model):
    """How connections to an external database are encrypted."""

    model_config = rules(
        cel(
            "self.mode in ['disable', 'require'] || has(self.caSecretRef)",
            "verify-ca and verify-full need caSecretRef: the Secret whose key ca.crt signed the server's certificate",
            field_path=".caSecretRef",
        )
    )

    mode: Literal["disable", "require", "verify-ca", "verify-full"] = "verify-full"
    """PostgreSQL's sslmode."""
    ca_secret_ref: SecretReference | None = None
    """Secret whose key ca.crt holds the certificate authority."""


class ExternalDatabase(Model):
    """A PostgreSQL with PostGIS run elsewhere."""

    primary: DatabaseEndpoint
    """The server that takes writes."""
    replicas: Annotated[
        list[DatabaseEndpoint],
        Field(
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["host"]},
        ),
    ] = Field(default_factory=list)
    """Streaming replicas: one of them may become the primary at any time."""
    name: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$", max_length=63)] = "sensorthings"
    """Name of the database."""
    credentials_secret_ref: SecretReference
    """Secret with the keys username and password."""
    tls: DatabaseTLS
    """Encryption of the connections."""


class ManagedDatabase(Model):
    """A PostgreSQL with PostGIS that the operator runs in the cluster."""

    model_config = rules(
        cel(
            "!has(self.restore) || has(self.backup)",
            "restore needs backup: it says where the backups lie",
            field_path=".restore",
        ),
        cel(
            "self.serving == oldSelf.serving || (has(self.restore) && self.serving in "
            "[self.restore.name, self.restore.source])",
            "serving can be changed to the database that restore makes, and back to restore.source",
            field_path=".serving",
        ),
        cel(
            "!has(self.restore) || self.restore.name != self.serving || self.serving != oldSelf.serving || "
            "(has(oldSelf.restore) && oldSelf.restore.name == self.restore.name)",
            "restore.name is the database that serves: choose another name",
            field_path=".restore.name",
        ),
        cel(
            # The one beside would get its second pod before Patroni runs the first, and each wait for the other.
            "self.instances == 1 || oldSelf.instances > 1 || !has(self.restore) || self.restore.name == self.serving",
            "switch over, or take restore out, before one instance becomes a pair",
            field_path=".instances",
        ),
    )

    instances: Annotated[int, Field(ge=1, le=3)] = 1
    """Number of PostgreSQL instances: one, or a primary and standbys that take over from it. Two or three never become
    one again."""
    storage: VolumeStorage = VolumeStorage(size="10Gi")
    """Volume of each instance. It outlives the service unless whenDeleted says Delete."""
    resources: ResourceRequirements = ResourceRequirements()
    """Compute resources of each instance."""
    backup: Backup | None = None
    """Backups and the archive of the write-ahead log; none where it is not given."""
    restore: Restore | None = None
    """A database to be restored beside the one that serves. While it is there, so is the other's volume."""
    serving: FormerDatabaseName = ""
    """Which database serves: the name of a restored one, or empty for the service's first one."""


class Database(Model):
    """Where all data lives."""

    model_config = rules(
        cel(
            "(self.type == 'External') == has(self.external)",
            "external belongs to database.type External, and is required there",
            field_path=".external",
        ),
        cel(
            "self.type == 'Managed' || !has(self.managed)",
            "managed belongs to database.type Managed: a service has one database",
            field_path=".managed",
        ),
        cel(
            "self.type == oldSelf.type",
            "database.type can't be changed: the data would stay behind; make a new service and move the data",
            field_path=".type",
        ),
        cel(
            "!has(oldSelf.managed) || oldSelf.managed.serving == '' || has(self.managed)",
            "database.managed can't be left out while a restored database serves: the first one would serve again",
            field_path=".managed",
        ),
        cel(
            # On the database, so that leaving managed out is no way round it.
            "!has(oldSelf.managed) || oldSelf.managed.instances == 1 || "
            "(has(self.managed) && self.managed.instances > 1)",
            "database.managed.instances can't go back to 1: the newest data may be on the instance that would go",
            field_path=".managed.instances",
        ),
    )

    type: Literal["External", "Managed"]
    """External: a server run elsewhere. Managed: one in the cluster, run by the operator."""
    max_standby_lag_seconds: Annotated[int, Field(ge=1, le=86400)] = 30
    """How far standbys may be behind their primary, in seconds. Beyond it, DatabaseReplicated is False, and reads that
    http.readReplicas leads to standbys go to the primary."""
    external: ExternalDatabase | None = None
    """The database of type External."""
    managed: ManagedDatabase | None = None
    """Settings of the database of type Managed."""
