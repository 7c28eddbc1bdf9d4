"""Settings of the database layer: the size of its machines, who logs in to them, and the passwords of its roles."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from sensorthings_stacks.machine_size import machine_size
from sensorthings_stacks.settings.base import Settings, VMSize


def _known(size: str) -> str:
    machine_size(size)
    return size


Password = Annotated[SecretStr, Field(min_length=16, max_length=128)]
"""A password. The least length makes guessing hopeless."""


class Passwords(Settings):
    """Passwords of PostgreSQL's roles. They go to the key vault, from where the machines fetch them."""

    sensorthings: Password
    """Of the role that FROST-Server logs in with."""
    replication: Password
    """Of the role that the standby streams with."""
    rewind: Password
    """Of the role with which a former primary finds out what it must give back."""


class KeycloakRole(Settings):
    """The role with which Keycloak logs in to a database of its own, beside the city's."""

    password: Password
    """Its password."""


class DatabaseSettings(Settings):
    """The city's PostgreSQL pair, its witness and its backups."""

    vm_size: Annotated[VMSize, AfterValidator(_known)] = "Standard_D4ds_v5"
    """Size of the two database machines; PostgreSQL is tuned for it."""
    witness_vm_size: VMSize = "Standard_B2als_v2"
    """Size of the witness."""
    disk_gibibytes: Annotated[int, Field(ge=32, le=32767)] = 256
    """Size of each machine's data disk."""
    backup_retention_days: Annotated[int, Field(ge=1, le=365)] = 30
    """How long every moment of the database can be restored, in days."""
    administrator_key: Annotated[str, Field(pattern=r"^(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/=]+( .*)?$", max_length=4096)]
    """Public SSH key of those who administer the machines."""
    passwords: Passwords
    """Passwords of PostgreSQL's roles."""
    keycloak: KeycloakRole | None = None
    """Keycloak's database on the same machines. Where it is absent, none is made."""
