"""What the builders build from: a service's identity and spec, and what was read of the Secrets it names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sensorthings_operator.api.sensorthingsservice import SensorThingsServiceSpec
from sensorthings_operator.api.status import BackupRequest
from sensorthings_operator.desired.reading import Reading


@dataclass(frozen=True)
class Service:
    """One SensorThingsService as the builders see it."""

    name: str
    namespace: str
    uid: str
    generation: int
    spec: SensorThingsServiceSpec
    secret_digests: Mapping[str, str] = field(default_factory=dict)
    """Hash of each Secret that the service reads, by the Secret's name; one that is missing is not there."""
    realm_ca: str | None = ""
    """CA by which the Keycloak of the service's realm is trusted, PEM; empty where any public one is. None where that
    can't be known now, or the realm is not known: then nothing that depends on it is changed."""

    reading: Reading | None = None
    """What the service's data held when it was last asked, for its catalogue; None where that is not known."""
    database_adopted: bool = True
    """Whether the pod of a single managed database that becomes a pair runs what a pair runs: then more may join it."""

    database: str | None = None
    """Which of the service's managed databases is meant, by the name that it was restored under; None: the one that
    serves."""

    serving: str | None = None
    """Which managed database goes on serving while the one that shall is restored; None: the one that the spec says."""

    restored: str = ""
    """Which database was restored, by its name: nothing is written over what it holds by now. Empty: none yet."""

    backup_request: BackupRequest | None = None
    """What is asked for beside the backups' schedule; None: the first backup."""

    backup_held: bool = False
    """Whether that waits for a Secret of the store."""

    host_holder: tuple[str, str] | None = None
    """Namespace and name of an older service that asks for the same host, and has it; then this one gets no routes."""

    reads_at_primary: bool = False
    """Whether reads that have pods of their own are led to those of the HTTP module all the same: no standby is near
    enough to its primary."""

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return (self.namespace, self.name)
