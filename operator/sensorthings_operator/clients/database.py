"""Asks a PostgreSQL whether a FROST-Server could work on it. Used by the probes."""

import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from sensorthings_operator.desired.addresses import DatabaseAddress

_TIMEOUT_SECONDS: Final = 5


class DatabaseAnswer(StrEnum):
    """How a database answered; reasons of the condition DatabaseReachable."""

    REACHABLE = "DatabaseAnswers"
    UNREACHABLE = "DatabaseUnreachable"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    DATABASE_MISSING = "DatabaseMissing"
    POSTGIS_MISSING = "PostGISMissing"
    NO_PRIMARY = "NoPrimary"
    CA_INVALID = "DatabaseCAInvalid"


@dataclass(frozen=True)
class Credentials:
    """What a connection is made with. Never printed."""

    username: str
    password: str
    ca: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r})"


async def ask(address: DatabaseAddress, credentials: Credentials) -> tuple[DatabaseAnswer, str]:
    """Connect to the primary and look for PostGIS: the answer, and a sentence for people."""
    where = ", ".join(f"{endpoint.host}:{endpoint.port}" for endpoint in address.endpoints)
    try:
        context = _ssl(address.tls_mode, credentials.ca)
    except ssl.SSLError as error:
        return (
            DatabaseAnswer.CA_INVALID,
            f"ca.crt in Secret {address.ca_secret} is no certificate in PEM: {error.reason}",
        )
    try:
        connection = await asyncpg.connect(
            host=[endpoint.host for endpoint in address.endpoints],
            port=[endpoint.port for endpoint in address.endpoints],
            user=credentials.username,
            password=credentials.password,
            database=address.name,
            ssl=context,
            timeout=_TIMEOUT_SECONDS,
            target_session_attrs=SessionAttribute.primary,
        )
    except asyncpg.InvalidAuthorizationSpecificationError:
        return (
            DatabaseAnswer.CREDENTIALS_REFUSED,
            f"PostgreSQL at {where} refused the credentials of Secret {address.credentials_secret}: correct them",
        )
    except asyncpg.InvalidCatalogNameError:
        return DatabaseAnswer.DATABASE_MISSING, f'there is no database "{address.name}" at {where}: create it'
    except asyncpg.TargetServerAttributeNotMatched:
        return DatabaseAnswer.NO_PRIMARY, f"no server at {where} takes writes: promote one of them"
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return DatabaseAnswer.UNREACHABLE, f"PostgreSQL at {where} does not answer: {_told(error)}"
    try:
        return await _examine(connection, address, where)
    finally:
        connection.terminate()


async def _examine(
    connection: "asyncpg.Connection[asyncpg.Record]", address: DatabaseAddress, where: str
) -> tuple[DatabaseAnswer, str]:
    installed = await connection.fetchval(
        "select exists (select from pg_extension where extname = 'postgis')", timeout=_TIMEOUT_SECONDS
    )
    if not installed:
        return (
            DatabaseAnswer.POSTGIS_MISSING,
            f'database "{address.name}" at {where} has no PostGIS: run "create extension postgis" in it as a superuser',
        )
    return DatabaseAnswer.REACHABLE, f'database "{address.name}" at {where} answers'


def _ssl(mode: str, ca: str | None) -> ssl.SSLContext | bool:
    if mode == "disable":
        return False
    # Bundles have comments between the certificates, in any language; the certificates themselves are ASCII.
    pem = None if ca is None else ca.encode("ascii", "ignore").decode() + "\n"
    context = ssl.create_default_context(cadata=pem)
    context.check_hostname = mode == "verify-full"
    if mode == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
