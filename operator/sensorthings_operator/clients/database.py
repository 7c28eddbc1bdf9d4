"""Asks a PostgreSQL whether a FROST-Server could work on it. Used by the probes."""

import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from sensorthings_operator.desired.addresses import DatabaseAddress

_TIMEOUT_SECONDS: Final = 5

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class DatabaseAnswer(StrEnum):
    """How a database answered; reasons of the condition DatabaseReachable."""

    REACHABLE = "DatabaseAnswers"
    FEW_CONNECTIONS = "DatabaseConnectionsFew"
    UNREACHABLE = "DatabaseUnreachable"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    DATABASE_MISSING = "DatabaseMissing"
    POSTGIS_MISSING = "PostGISMissing"
    NO_PRIMARY = "NoPrimary"
    CA_INVALID = "DatabaseCAInvalid"


WORKING: Final = frozenset({DatabaseAnswer.REACHABLE, DatabaseAnswer.FEW_CONNECTIONS})
"""Answers of a database on which a FROST-Server works."""
_EXAMINED: Final = """
select
    exists (select from pg_extension where extname = 'postgis') as postgis,
    least(
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
        (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user),
        (select nullif(datconnlimit, -1) from pg_database where datname = current_database())
    ) as connections
"""
"""One question, one way there and back. Connections: those that this role may have here, with everybody's together."""


@dataclass(frozen=True)
class Credentials:
    """What a connection is made with. Never printed."""

    username: str
    password: str
    ca: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r})"


class DatabaseRefusedError(Exception):
    """There is no connection to be had; the message is for people, and holds no password."""

    def __init__(self, answer: DatabaseAnswer, message: str) -> None:
        super().__init__(message)
        self.answer = answer
        self.message = message


def place(address: DatabaseAddress) -> str:
    """The servers of a database, for people."""
    return ", ".join(f"{endpoint.host}:{endpoint.port}" for endpoint in address.endpoints)


async def connect(address: DatabaseAddress, credentials: Credentials) -> Connection:
    """A connection to the primary, which the caller ends.

    Raises:
        DatabaseRefusedError: There is none to be had.
    """
    where = place(address)
    try:
        context = _ssl(address.tls_mode, credentials.ca)
    except ssl.SSLError as error:
        told = f"ca.crt in Secret {address.ca_secret} is no certificate in PEM: {error.reason}"
        raise DatabaseRefusedError(DatabaseAnswer.CA_INVALID, told) from None
    try:
        return await asyncpg.connect(
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
        told = f"PostgreSQL at {where} refused the credentials of Secret {address.credentials_secret}: correct them"
        raise DatabaseRefusedError(DatabaseAnswer.CREDENTIALS_REFUSED, told) from None
    except asyncpg.InvalidCatalogNameError:
        told = f'there is no database "{address.name}" at {where}: create it'
        raise DatabaseRefusedError(DatabaseAnswer.DATABASE_MISSING, told) from None
    except asyncpg.TargetServerAttributeNotMatched:
        told = f"no server at {where} takes writes: promote one of them"
        raise DatabaseRefusedError(DatabaseAnswer.NO_PRIMARY, told) from None
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        told = f"PostgreSQL at {where} does not answer: {_told(error)}"
        raise DatabaseRefusedError(DatabaseAnswer.UNREACHABLE, told) from None


async def ask(address: DatabaseAddress, credentials: Credentials, connections: int) -> tuple[DatabaseAnswer, str]:
    """Connect to the primary, look for PostGIS and whether it takes so many connections: the answer, and a sentence."""
    try:
        connection = await connect(address, credentials)
    except DatabaseRefusedError as error:
        return error.answer, error.message
    try:
        return await _examine(connection, address, place(address), connections)
    finally:
        connection.terminate()


async def _examine(
    connection: Connection, address: DatabaseAddress, where: str, connections: int
) -> tuple[DatabaseAnswer, str]:
    seen = await connection.fetchrow(_EXAMINED, timeout=_TIMEOUT_SECONDS)
    if seen is None or not seen["postgis"]:
        return (
            DatabaseAnswer.POSTGIS_MISSING,
            f'database "{address.name}" at {where} has no PostGIS: run "create extension postgis" in it as a superuser',
        )
    allowed = seen["connections"]
    told = f'database "{address.name}" at {where} answers'
    if allowed < connections:
        return (
            DatabaseAnswer.FEW_CONNECTIONS,
            f"{told}, but takes {allowed} connections, where all pods together may open {connections}: raise "
            "max_connections (or the limit of the role or the database), or lower maxReplicas or replicas",
        )
    return DatabaseAnswer.REACHABLE, told


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
