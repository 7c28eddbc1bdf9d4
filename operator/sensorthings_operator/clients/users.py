"""Brings the users in a service's database to what is wanted: FROST-Server's tables USERS and USER_ROLES.

Called by the probe in ``observe.users``. FROST-Server 2.0.0 compares passwords as they are, so they are kept so. They
are in no error and no log: what PostgreSQL says of a statement may quote its values, and is told by its code alone.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import asyncpg

from sensorthings_operator.clients.database import Connection, Credentials, DatabaseRefusedError, connect, place
from sensorthings_operator.conditions.auth import UsersReason
from sensorthings_operator.desired.addresses import DatabaseAddress

_LOG: Final = logging.getLogger(__name__)
_TIMEOUT_SECONDS: Final = 10
_FOUND: Final = """
select "USER_NAME" as name, "USER_PASS" as password,
    array(select "ROLE_NAME"::text from "USER_ROLES" as held where held."USER_NAME" = "USERS"."USER_NAME") as roles
from "USERS"
"""
_DELETE: Final = 'delete from "USERS" where "USER_NAME" = any($1::text[])'
"""Their roles go with them: by ``on delete cascade``, and by the statement before where a table lacks that."""
_DELETE_ROLES: Final = 'delete from "USER_ROLES" where "USER_NAME" = any($1::text[])'
_PUT: Final = """
insert into "USERS" ("USER_NAME", "USER_PASS") values ($1, $2)
on conflict ("USER_NAME") do update set "USER_PASS" = excluded."USER_PASS"
"""
_GRANT: Final = 'insert into "USER_ROLES" ("USER_NAME", "ROLE_NAME") values ($1, $2)'
# Between two operators, one of which does not know yet that it has lost its Lease; FROST-Server only reads.
_LOCK: Final = 'lock table "USERS", "USER_ROLES" in share row exclusive mode'

_PASSING: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""What goes away by itself: a server that stops, starts, has too much to do, or is a standby all of a sudden."""


@dataclass(frozen=True)
class User:
    """Somebody who may sign in, with what is looked up of them."""

    name: str
    password: str | None = field(repr=False)
    """None stands in tables that somebody else filled: nobody signs in by it."""
    roles: frozenset[str]


@dataclass(frozen=True)
class Changes:
    """What there is to do; falsy where that is nothing."""

    gone: tuple[str, ...] = ()
    """Names of users who are deleted."""
    put: tuple[User, ...] = ()
    """Users who are made, or made again with another password or other roles."""

    def __bool__(self) -> bool:
        return bool(self.gone or self.put)

    def __str__(self) -> str:
        said = (("deleted", self.gone), ("set", tuple(user.name for user in self.put)))
        return "; ".join(f"{verb} {', '.join(names)}" for verb, names in said if names)


class Kept(NamedTuple):
    """How it went."""

    reason: UsersReason
    message: str
    """For people."""
    done: Changes = Changes()
    """What there was to do, and was done."""


def changes(found: Iterable[User], wanted: Iterable[User]) -> Changes:
    """What makes the wanted users of those that were found."""
    there = {user.name: user for user in found}
    asked = {user.name: user for user in wanted}
    return Changes(
        gone=tuple(sorted(there.keys() - asked.keys())),
        put=tuple(asked[name] for name in sorted(asked) if there.get(name) != asked[name]),
    )


async def keep(address: DatabaseAddress, credentials: Credentials, wanted: tuple[User, ...]) -> Kept:
    """Bring the users to what is wanted, by one transaction and only where they differ."""
    try:
        connection = await connect(address, credentials)
    except DatabaseRefusedError as error:
        return Kept(UsersReason.UNREACHABLE, error.message)
    where = f'database "{address.name}" at {place(address)}'
    try:
        done = await _brought(connection, wanted)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason, told = _refused(error)
        return Kept(reason, f"{where} {told}")
    finally:
        connection.terminate()
    if done:
        _LOG.info("users in %s: %s", where, done)
    return Kept(UsersReason.READY, f"{where} has the users of the spec, and no others", done)


def _refused(error: Exception) -> tuple[UsersReason, str]:
    """What the database did not do, and why, in words that hold nothing of what was sent."""
    match error:
        case asyncpg.UndefinedTableError():
            told = "lacks the tables USERS and USER_ROLES, which the schema Job makes: delete it, and it runs again"
            return UsersReason.TABLES_MISSING, told
        case asyncpg.InsufficientPrivilegeError():
            return (
                UsersReason.TABLES_REFUSED,
                "does not let its role change the tables USERS and USER_ROLES: grant that",
            )
        case asyncpg.PostgresError() if not isinstance(error, _PASSING):
            return UsersReason.TABLES_REFUSED, f"does not take the users: SQLSTATE {error.sqlstate}"
        case _:
            return UsersReason.UNREACHABLE, f"does not answer: {type(error).__name__}"


async def _brought(connection: Connection, wanted: tuple[User, ...]) -> Changes:
    """Make the changes; what they were."""
    if not changes(await _found(connection), wanted):
        return Changes()
    async with connection.transaction():
        await connection.execute(_LOCK, timeout=_TIMEOUT_SECONDS)
        made = changes(await _found(connection), wanted)
        await _make(connection, made)
    return made


async def _found(connection: Connection) -> list[User]:
    rows = await connection.fetch(_FOUND, timeout=_TIMEOUT_SECONDS)
    return [User(row["name"], row["password"], frozenset(row["roles"])) for row in rows]


async def _make(connection: Connection, made: Changes) -> None:
    touched = [*made.gone, *(user.name for user in made.put)]
    await connection.execute(_DELETE_ROLES, touched, timeout=_TIMEOUT_SECONDS)
    await connection.execute(_DELETE, list(made.gone), timeout=_TIMEOUT_SECONDS)
    await connection.executemany(_PUT, [(user.name, user.password) for user in made.put], timeout=_TIMEOUT_SECONDS)
    granted = [(user.name, role) for user in made.put for role in sorted(user.roles)]
    await connection.executemany(_GRANT, granted, timeout=_TIMEOUT_SECONDS)
