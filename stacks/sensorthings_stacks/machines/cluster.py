"""The description of the database cluster: two machines with PostgreSQL, a witness, and what they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv4Network

    from sensorthings_stacks.machine_size import MachineSize

SCOPE: Final = "sensorthings"
"""Name of the cluster, for Patroni and etcd, and of its backups."""
VERSION: Final = 15
"""Major version of PostgreSQL: that of Debian 12."""
DATABASE: Final = "sensorthings"
"""Name of the database."""
OWNER: Final = "sensorthings"
"""Role that owns it; FROST-Server logs in with it."""
KEYCLOAK: Final = "keycloak"
"""Name of Keycloak's database, and of the role that owns it."""
CONNECTIONS: Final = 200
"""Of all clients together: FROST-Server keeps a pool in each of its pods."""
KEYCLOAK_CONNECTIONS: Final = 60
"""Those of them that Keycloak may take at most, where its database lies on the same machines."""
POSTGRESQL_PORT: Final = 5432
PATRONI_PORT: Final = 8008
"""Of Patroni's REST API. `GET /primary` answers 200 on the machine that takes writes, 503 elsewhere."""
ETCD_CLIENT_PORT: Final = 2379
ETCD_PEER_PORT: Final = 2380
EXPORTER_PORT: Final = 9187
"""Of Prometheus' exporter for PostgreSQL."""
DISK: Final = "/var/lib/postgresql"
"""Where the data disk is mounted."""
DATA: Final = f"{DISK}/{VERSION}/main"
"""PostgreSQL's data directory."""
RUN: Final = "/run/sensorthings"
"""Where passwords, certificates and keys lie: in memory."""


@dataclass(frozen=True)
class KeyVault:
    """Secrets are those of a key vault, read with each machine's managed identity."""

    vault_uri: str
    """Its address with a slash at the end, such as https://hamburg.vault.azure.net/."""


@dataclass(frozen=True)
class Folder:
    """Secrets are files of a folder, named as in the key vault."""

    folder: str
    """Its path on the machine."""


@dataclass(frozen=True)
class BlobArchive:
    """Base backups and write-ahead logs go to a container of Azure's blob storage, with the machine's identity."""

    url: str
    """Address of the container, such as https://hamburg.blob.core.windows.net/postgresql."""


@dataclass(frozen=True)
class FolderArchive:
    """Base backups and write-ahead logs go to a folder that all machines see."""

    folder: str
    """Its path on the machines."""


@dataclass(frozen=True)
class Member:
    """One of the three machines."""

    name: str
    """Its host name."""
    address: IPv4Address
    """Its address in the database subnet."""


@dataclass(frozen=True)
class Cluster:
    """Three machines of which two hold the data."""

    databases: tuple[Member, Member]
    """The machines with PostgreSQL. Which of them takes writes is theirs to agree on."""
    witness: Member
    """The third voice of etcd, without which two could not tell a dead neighbour from a dead line."""
    domain: str
    """DNS zone in which the machines are found."""
    keycloak: bool
    """Whether Keycloak's database lies there, too."""
    clients: IPv4Network
    """Addresses of the cluster's nodes: nobody else may log in. Pods leave the cluster with their node's address."""
    size: MachineSize
    """Size of each database machine."""
    disk_gibibytes: int
    """Size of each data disk, in GiB."""
    secrets: KeyVault | Folder
    """Where the machines fetch passwords, certificates and keys."""
    archive: BlobArchive | FolderArchive
    """Where backups go."""
    retention_days: int
    """How long each moment can be restored, in days."""
    identities: Mapping[str, str]
    """Client id of each machine's managed identity, by its name; empty where no cloud is."""
    data_disk: str | None
    """Device of the data disk; None where the place of the data is mounted already."""

    @property
    def members(self) -> tuple[Member, Member, Member]:
        """All three."""
        return (*self.databases, self.witness)

    @property
    def owners(self) -> dict[str, str]:
        """The databases, each with the role that owns it and alone logs in to it."""
        return {DATABASE: OWNER, **({KEYCLOAK: KEYCLOAK} if self.keycloak else {})}

    def others(self, member: Member) -> tuple[Member, ...]:
        """All but one."""
        return tuple(each for each in self.members if each != member)

    def peer(self, member: Member) -> Member:
        """The other machine with PostgreSQL."""
        first, second = self.databases
        return second if member == first else first
