"""Users in a database: what is to be done to them, and what is said where that can't be."""

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorthings_operator.api.database import DatabaseEndpoint
from sensorthings_operator.clients import users
from sensorthings_operator.clients.database import Credentials
from sensorthings_operator.clients.users import Changes, User, changes, keep
from sensorthings_operator.conditions.auth import UsersReason
from sensorthings_operator.desired.addresses import DatabaseAddress
from sensorthings_operator.desired.rights import ROLES

_NAMES = st.sampled_from(["admin", "read", "gateway", "office"])
_PASSWORDS = st.sampled_from(["a", "b", "ä"])
_ROLES = st.frozensets(st.sampled_from(ROLES))
_WANTED = st.dictionaries(_NAMES, st.tuples(_PASSWORDS, _ROLES)).map(
    lambda drawn: [User(name, password, roles) for name, (password, roles) in drawn.items()]
)
_FOUND = st.dictionaries(_NAMES, st.tuples(st.none() | _PASSWORDS, _ROLES)).map(
    lambda drawn: [User(name, password, roles) for name, (password, roles) in drawn.items()]
)


def _after(found: list[User], done: Changes) -> set[User]:
    """What the statements make of a table, by their words."""
    there = {user.name: user for user in found if user.name not in done.gone}
    return {*(there | {user.name: user for user in done.put}).values()}


@given(_FOUND, _WANTED)
def test_changes_make_what_is_wanted_of_what_is_there_and_touch_nobody_else(
    found: list[User], wanted: list[User]
) -> None:
    done = changes(found, wanted)
    assert _after(found, done) == set(wanted)
    assert bool(done) == (set(found) != set(wanted))
    touched = {*done.gone, *(user.name for user in done.put)}
    assert touched == {user.name for user in set(found) ^ set(wanted)}


@given(_FOUND, _WANTED)
def test_nothing_is_done_twice(found: list[User], wanted: list[User]) -> None:
    assert not changes(_after(found, changes(found, wanted)), wanted)


def test_no_password_shows() -> None:
    user = User("gateway", "hunter2", frozenset({"read"}))
    done = changes([User("old", "hunter3", frozenset())], [user])
    assert str(done) == "deleted old; set gateway"
    assert "hunter" not in f"{user!r} {user} {done!r} {[done]}"


_SAID = 'Key ("USER_NAME", "USER_PASS")=(gateway, hunter2) already exists, and hunter2 is too long'


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (asyncpg.UndefinedTableError(_SAID), UsersReason.TABLES_MISSING),
        (asyncpg.InsufficientPrivilegeError(_SAID), UsersReason.TABLES_REFUSED),
        (asyncpg.StringDataRightTruncationError(_SAID), UsersReason.TABLES_REFUSED),
        (asyncpg.UniqueViolationError(_SAID), UsersReason.TABLES_REFUSED),
        (asyncpg.DataError(_SAID), UsersReason.TABLES_REFUSED),
        (asyncpg.ReadOnlySQLTransactionError(_SAID), UsersReason.UNREACHABLE),
        (asyncpg.AdminShutdownError(_SAID), UsersReason.UNREACHABLE),
        (asyncpg.DeadlockDetectedError(_SAID), UsersReason.UNREACHABLE),
        (asyncpg.ConnectionDoesNotExistError(_SAID), UsersReason.UNREACHABLE),
        (asyncpg.InterfaceError(_SAID), UsersReason.UNREACHABLE),
        (TimeoutError(_SAID), UsersReason.UNREACHABLE),
        (ConnectionResetError(_SAID), UsersReason.UNREACHABLE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_database_says_is_told_without_what_was_sent(error: Exception, reason: UsersReason) -> None:
    found, told = users._refused(error)
    assert found is reason
    assert told
    assert "hunter2" not in told


async def test_nobody_there() -> None:
    address = DatabaseAddress((DatabaseEndpoint(host="127.0.0.1", port=1),), "sensorthings", "air-db", "disable", None)
    wanted = (User("gateway", "hunter3", frozenset()),)
    reason, told, _ = await keep(address, Credentials("frost", "hunter2"), wanted)
    assert reason is UsersReason.UNREACHABLE
    assert told.startswith("PostgreSQL at 127.0.0.1:1 does not answer")
    assert "hunter" not in told
