"""Which secret lies where on which machine, and for whom. No machine fetches what it doesn't need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sensorthings_stacks.machines.cluster import RUN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sensorthings_stacks.machines.cluster import Cluster, Member

AUTHORITY: Final = "tls-authority"
"""The certificate with which machines and clients verify the machines' certificates."""
_CERTIFICATE_USERS: Final = {"database": ("postgres", "etcd", "prometheus"), "witness": ("etcd",)}
"""Accounts that serve with the machine's certificate. Each has a copy that it alone can read."""


@dataclass(frozen=True)
class Placed:
    """A secret as a file."""

    name: str
    """Its name in the key vault."""
    account: str
    """The account that owns the file and alone can read it."""
    path: str
    """Where it lies."""


def roles(cluster: Cluster) -> tuple[str, ...]:
    """PostgreSQL's roles that log in with a password: the databases' owners, and those of the machines themselves."""
    return (*cluster.owners.values(), "replication", "rewind")


def password(role: str) -> str:
    """Name of a role's password."""
    return f"postgresql-{role}"


def certificate(machine: str) -> str:
    """Name of a machine's certificate."""
    return f"tls-{machine}-certificate"


def key(machine: str) -> str:
    """Name of the key of a machine's certificate."""
    return f"tls-{machine}-key"


def folder(account: str) -> str:
    """Where an account's secrets lie."""
    return f"{RUN}/{account}"


def placed(cluster: Cluster, member: Member) -> list[Placed]:
    """The secrets of a machine."""
    users = _CERTIFICATE_USERS["witness" if member == cluster.witness else "database"]
    sources = {"authority.crt": AUTHORITY, "machine.crt": certificate(member.name), "machine.key": key(member.name)}
    files = [Placed(name, user, f"{folder(user)}/{file}") for user in users for file, name in sources.items()]
    if member != cluster.witness:
        files += [Placed(password(role), "postgres", f"{folder('postgres')}/{role}") for role in roles(cluster)]
    return files


def needed(machine: str, with_password: Iterable[str]) -> list[str]:
    """Names of the secrets that a machine must be able to read, each once.

    Args:
        machine: Its name.
        with_password: Roles whose passwords it needs; none for the witness.
    """
    return [AUTHORITY, certificate(machine), key(machine), *map(password, with_password)]
