"""Asks the servers of a database what they are and how they do. Used by the probes.

All of them at once, each by one connection and one question: one that is down makes nobody else's answer late. Nothing
here asks for more than a login, but for what a primary calls its standbys (pg_monitor).
"""

import asyncio
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from sensorthings_operator.api.database import DatabaseEndpoint
from sensorthings_operator.conditions.databasehosts import DatabaseAnswer, HostLook, Role, Sender, Usage
from sensorthings_operator.desired.addresses import DatabaseAddress

_TIMEOUT_SECONDS: Final = 5
_AFTER_PRIMARY_SECONDS: Final = 1.5
"""How long the others are waited for once the primary has answered: what is said of it waits with them."""
_LOOK: Final = """
select
    pg_is_in_recovery() as standby,
    pg_postmaster_start_time()::text as server,
    current_setting('server_version_num')::int as version,
    (select extversion from pg_extension where extname = 'postgis') as postgis,
    host(inet_server_addr()) as address,
    pg_database_size(database.oid) as size,
    (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end - pg_lsn '0/0')::bigint
        as position,
    case when not pg_is_in_recovery() then substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end as timeline,
    case when pg_is_in_recovery() then
        extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8
    end as replay_age,
    exists (select from pg_stat_wal_receiver) as streaming,
    archiver.last_archived_wal as archived,
    coalesce(archiver.last_failed_time > coalesce(archiver.last_archived_time, '-infinity')
        and clock_timestamp() - coalesce(archiver.last_archived_time, archiver.stats_reset) > interval '3 minutes',
        false) as unarchived,
    open.everybody, open.database, open.role,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0) as most,
    nullif(database.datconnlimit, -1) as most_database,
    nullif(role.rolconnlimit, -1) as most_role,
    (
        select json_agg(json_build_array(application_name, host(client_addr), sync_state))::text
        from pg_stat_replication where state = 'streaming'
    ) as senders
from pg_database as database, pg_roles as role, pg_stat_archiver as archiver, lateral (
    select
        count(*) filter (where datid is not null) as everybody,
        count(*) filter (where datid = database.oid) as database,
        count(*) filter (where usesysid = role.oid) as role
    from pg_stat_activity
) as open
where database.datname = current_database() and role.rolname = current_user
"""
"""Positions and roles are for everybody; of ``pg_stat_replication`` a role without pg_monitor sees empty rows. An
archiver that fails for a moment, as while its repository starts anew, is none that fails."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


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
    return _place(address.endpoints)


def _place(endpoints: Sequence[DatabaseEndpoint]) -> str:
    return ", ".join(map(_named, endpoints))


def _named(endpoint: DatabaseEndpoint) -> str:
    return f"{endpoint.host}:{endpoint.port}"


async def connect(address: DatabaseAddress, credentials: Credentials) -> Connection:
    """A connection to the primary, which the caller ends.

    Raises:
        DatabaseRefusedError: There is none to be had.
    """
    return await _connected(address, address.endpoints, credentials, SessionAttribute.primary)


async def _connected(
    address: DatabaseAddress, endpoints: Sequence[DatabaseEndpoint], credentials: Credentials, wanted: SessionAttribute
) -> Connection:
    where = _place(endpoints)
    try:
        context = _ssl(address.tls_mode, credentials.ca)
    except ssl.SSLError as error:
        told = f"ca.crt in Secret {address.ca_secret} is no certificate in PEM: {error.reason}"
        raise DatabaseRefusedError(DatabaseAnswer.CA_INVALID, told) from None
    try:
        return await asyncpg.connect(
            host=[endpoint.host for endpoint in endpoints],
            port=[endpoint.port for endpoint in endpoints],
            user=credentials.username,
            password=credentials.password,
            database=address.name,
            ssl=context,
            timeout=_TIMEOUT_SECONDS,
            target_session_attrs=wanted,
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


async def ask(address: DatabaseAddress, credentials: Credentials) -> tuple[HostLook, ...]:
    """A look at every server of a database, in the order of the address; within five seconds, whatever they do."""
    # A status and Prometheus take each name once.
    endpoints = tuple(dict.fromkeys(address.endpoints))
    looks = [asyncio.create_task(_look(address, endpoint, credentials)) for endpoint in endpoints]
    try:
        for answered in asyncio.as_completed(looks):
            if (await answered).role is Role.PRIMARY:
                break
        _, late = await asyncio.wait(looks, timeout=_AFTER_PRIMARY_SECONDS)
        named = zip(map(_named, endpoints), looks, strict=True)
        return tuple(_silent(host, "it is slow") if look in late else look.result() for host, look in named)
    finally:
        for look in looks:
            look.cancel()


async def _look(address: DatabaseAddress, endpoint: DatabaseEndpoint, credentials: Credentials) -> HostLook:
    host = _named(endpoint)
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            connection = await _connected(address, [endpoint], credentials, SessionAttribute.any)
            try:
                (row,) = await connection.fetch(_LOOK)
            finally:
                connection.terminate()
    except DatabaseRefusedError as error:
        return HostLook(host, trouble=error.answer, message=error.message)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return _silent(host, _told(error))
    return _read(host, row)


def _silent(host: str, why: str) -> HostLook:
    return HostLook(host, trouble=DatabaseAnswer.UNREACHABLE, message=f"PostgreSQL at {host} does not answer: {why}")


def _read(host: str, row: asyncpg.Record) -> HostLook:
    used = ((row["everybody"], row["most"]), (row["database"], row["most_database"]), (row["role"], row["most_role"]))
    return HostLook(
        host,
        role=Role.STANDBY if row["standby"] else Role.PRIMARY,
        server=row["server"],
        version=row["version"],
        postgis=row["postgis"] or "",
        usages=tuple(Usage(count, most) for count, most in used if most is not None),
        size_bytes=row["size"],
        position=row["position"] or 0,
        timeline=None if row["timeline"] is None else int(row["timeline"], 16),
        replay_age_seconds=row["replay_age"],
        streaming=row["streaming"],
        archived=row["archived"] or "",
        unarchived=row["unarchived"],
        address=row["address"] or "",
        senders=tuple(Sender(*(told or "" for told in each)) for each in json.loads(row["senders"] or "[]")),
    )


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
