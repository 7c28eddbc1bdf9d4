"""How something on the cluster reaches a PostgreSQL database outside of it. Platform and city layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi import Input


@dataclass(frozen=True)
class DatabaseAccess:
    """A database, the machines that may hold its primary, and a role of it."""

    hosts: Input[list[str]]
    """Names of the machines, the primary of the first day first."""
    name: Input[str]
    """Name of the database."""
    username: Input[str]
    """Role to log in with."""
    password: Input[str]
    """Its password: a secret."""
    certificate_authority: Input[str] | None = None
    """PEM of the authority that signed the machines' certificates; without it they are not verified."""
