"""Users in a real database: how they come there, and what FROST-Server and the gate make of a change."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from sensorthings_operator.clients.access import PasswordOwner
from sensorthings_operator.clients.database import Credentials
from sensorthings_operator.clients.delivery import DeliveryChecks, DeliveryTarget
from sensorthings_operator.clients.sensorthings import Pod
from sensorthings_operator.clients.users import User, keep
from sensorthings_operator.conditions.auth import UsersReason
from sensorthings_operator.conditions.delivery import DeliveryReason
from tests.e2e.images.basic.conftest import ADMIN, CREDENTIALS, DATABASE, LOOKED_AT_SECONDS, USERS, address, set_users
from tests.e2e.images.containers import await_true
from tests.e2e.images.test_frost import THING
from tests.e2e.visitor import Outcome

if TYPE_CHECKING:
    from sensorthings_operator.clients.keycloak import KeycloakClients
    from sensorthings_operator.clients.kubernetes import KubernetesClient
    from sensorthings_operator.conditions.observed import Answer
    from tests.e2e.images.basic.conftest import Modules
    from tests.e2e.images.conftest import Stack

_ROWS: Final = """
select u."USER_NAME", u."USER_PASS", u.xmin, coalesce(string_agg(r."ROLE_NAME", ',' order by r."ROLE_NAME"), '')
from "USERS" as u left join "USER_ROLES" as r using ("USER_NAME") group by 1, 2, 3 order by 1
"""


def _rows(stack: Stack) -> dict[str, list[str]]:
    """Password, the transaction that wrote it, and roles, by the user's name."""
    lines = [line.split("|") for line in stack.sql(DATABASE, _ROWS).splitlines()]
    return {name: rest for name, *rest in lines}


def test_the_migration_makes_users_of_frost_servers_own_and_the_operator_deletes_them(
    stack: Stack, modules: Modules, migrated: list[str]
) -> None:
    assert migrated == ["admin", "read", "write"]
    rows = _rows(stack)
    assert set(rows) == {user.name for user in USERS.values()}
    assert modules.status("POST", "/Things", ADMIN, THING) == 401
    for user in USERS.values():
        password, _, roles = rows[user.name]
        assert (password, set(roles.split(","))) == (user.password, set(user.roles))


def test_nothing_is_written_where_nothing_differs(stack: Stack, users: dict[str, User]) -> None:
    before = _rows(stack)
    set_users(stack, *reversed(users.values()))
    assert _rows(stack) == before


@pytest.mark.parametrize(
    "script",
    [
        """update "USERS" set "USER_PASS" = 'theirs' where "USER_NAME" = 'reader'""",
        """update "USERS" set "USER_PASS" = null where "USER_NAME" = 'reader'""",
        """delete from "USERS" where "USER_NAME" = 'reader'""",
        """insert into "USER_ROLES" values ('reader', 'admin')""",
        """delete from "USER_ROLES" where "USER_NAME" = 'reader'""",
        """insert into "USERS" values ('mallory', 'm'); insert into "USER_ROLES" values ('mallory', 'create')""",
    ],
)
def test_what_others_change_is_put_right_and_nobody_else_is_touched(
    stack: Stack, users: dict[str, User], script: str
) -> None:
    before = _rows(stack)
    stack.sql(DATABASE, script)
    set_users(stack, *users.values())
    after = _rows(stack)
    told = {name: [password, roles] for name, (password, _, roles) in after.items()}
    assert told == {name: [password, roles] for name, (password, _, roles) in before.items()}
    assert {name for name in after if after[name] != before[name]} <= {"reader"}


def test_a_changed_password_counts_at_once_and_ends_connections_that_came_by_the_old_one(
    stack: Stack, modules: Modules, users: dict[str, User]
) -> None:
    topic = f"v1.1{modules.make_datastream()}/Observations"
    old, new = users["all"], replace(users["all"], password="changed")
    with modules.visitor(old) as theirs, modules.visitor(users["reader"]) as another:
        assert (theirs.subscribe(topic), another.subscribe(topic)) == (Outcome.GRANTED, Outcome.GRANTED)
        assert not theirs.await_end(4 * LOOKED_AT_SECONDS), "a password that is good is looked at again, too"
        set_users(stack, *(new if user is old else user for user in users.values()))
        assert modules.status("POST", "/Things", old, THING) == 401
        assert modules.status("POST", "/Things", new, THING) == 201
        assert theirs.publish(topic, 1) is Outcome.CLOSED
        assert another.is_open
    with modules.visitor(old) as late:
        assert late.outcome is Outcome.REFUSED
    with modules.visitor(new) as again:
        assert again.outcome is Outcome.GRANTED


def test_who_is_deleted_is_disconnected_also_while_only_listening(
    stack: Stack, modules: Modules, users: dict[str, User]
) -> None:
    topic = f"v1.1{modules.make_datastream()}/Observations"
    with modules.visitor(users["reader"]) as reader:
        assert reader.subscribe(topic) is Outcome.GRANTED
        set_users(stack, *(user for name, user in users.items() if name != "reader"))
        assert reader.await_end(20)
    with modules.visitor(users["reader"]) as reader:
        assert reader.outcome is Outcome.REFUSED
    assert modules.status("POST", "/Things", users["reader"], THING) == 401


def test_a_batch_gets_round_no_role(modules: Modules, users: dict[str, User]) -> None:
    thing = modules.make_thing()
    batch = {"requests": [{"id": "1", "method": "delete", "url": thing.removeprefix("/")}]}
    for user in (None, *users.values()):
        assert modules.status("POST", "/$batch", user, batch) >= 400
    assert modules.status("GET", thing, users["all"]) == 200


def test_subscribers_are_told_of_what_users_post_and_publish(modules: Modules, users: dict[str, User]) -> None:
    datastream = modules.make_datastream()
    topic = f"v1.1{datastream}/Observations"
    with modules.visitor(users["reader"]) as reader, modules.visitor(users["creator"]) as creator:
        assert reader.subscribe(topic) is Outcome.GRANTED
        assert modules.status("POST", f"{datastream}/Observations", users["creator"], {"result": 1}) == 201
        assert creator.publish(topic, 2) is Outcome.GRANTED
        await_true(lambda: sorted(told["result"] for told in reader.received) == [1, 2], "both arrive", 20)


class _Secrets:
    """The API server, as far as the check needs it."""

    async def get(self, *_: object) -> dict[str, Any]:
        return {"data": {"password": b64encode((USERS["operator"].password or "").encode()).decode()}}


def test_the_operator_verifies_delivery_by_a_user_of_its_own(modules: Modules, users: dict[str, User]) -> None:
    assert users
    pods = (Pod("http", "uid-http", "127.0.0.1"), Pod("mqtt", "uid-mqtt", "127.0.0.1"))
    target = DeliveryTarget(
        "/FROST-Server",
        pods[:1],
        pods[1:],
        (),
        modules.gate.port,
        tls=False,
        http_port=modules.http.port,
        user=PasswordOwner("hamburg", "air-delivery"),
    )
    answer, left = asyncio.run(_verified_and_removed(target))
    assert answer.reason == DeliveryReason.DELIVERED, answer
    assert left == ""


async def _verified_and_removed(target: DeliveryTarget) -> tuple[Answer, str]:
    async with DeliveryChecks(cast("KeycloakClients", None), cast("KubernetesClient", _Secrets())) as checks:
        return await checks.verify(target), await checks.remove(target)


def test_databases_that_take_no_users_are_told_apart(stack: Stack, users: dict[str, User]) -> None:
    wanted = tuple(users.values())

    def told(database: str, credentials: Credentials = CREDENTIALS) -> UsersReason:
        reason, message, _ = asyncio.run(keep(address(stack, database), credentials, wanted))
        assert message
        assert not [user for user in wanted if user.password and user.password in message]
        return reason

    assert told("postgres") is UsersReason.TABLES_MISSING
    assert told("elsewhere") is UsersReason.UNREACHABLE
    weak = Credentials("weak", "weak")
    stack.sql(DATABASE, "create role weak login password 'weak'")
    assert told(DATABASE, weak) is UsersReason.TABLES_REFUSED
    stack.sql(DATABASE, 'grant select on "USERS", "USER_ROLES" to weak; delete from "USER_ROLES"')
    assert told(DATABASE, weak) is UsersReason.TABLES_REFUSED
    stack.sql(DATABASE, "drop owned by weak; drop role weak")


def test_no_password_is_in_any_log(modules: Modules, users: dict[str, User]) -> None:
    for user in users.values():
        modules.status("GET", "/Things", user)
        with modules.visitor(user):
            pass
    for container in (modules.http.container, modules.mqtt.container, modules.gate.container):
        for user in users.values():
            assert user.password
            assert user.password not in container.log
            assert b64encode(f"{user.name}:{user.password}".encode()).decode() not in container.log
