"""What is known of the users in a service's database, and what the condition makes of it."""

import asyncio
from typing import Any, Final

import pytest

from sensorthings_operator.clients.database import Credentials
from sensorthings_operator.clients.users import Changes, Kept, User
from sensorthings_operator.conditions import evaluate
from sensorthings_operator.conditions.auth import NEEDS_SOMEBODY, UsersReason
from sensorthings_operator.conditions.observed import Answer, SchemaJob
from sensorthings_operator.desired.addresses import DatabaseAddress, database_address
from sensorthings_operator.desired.service import Service
from sensorthings_operator.observe.secrets import SecretsRead
from sensorthings_operator.observe.users import UsersTarget, look, target, users_probes, were_used
from tests.unit.operator.samples import BASIC, SETTINGS, body, observed, service
from tests.unit.operator.virtual_time import on_virtual_time

_CREDENTIALS: Final = Credentials("frost", "hunter2")
_READ: Final = SecretsRead(passwords={"gateway": "a", "office": "b"}, credentials=_CREDENTIALS)
_WELL: Final = Answer(True, UsersReason.READY, "well")


def _with_users(spec: dict[str, Any] | None = None) -> Service:
    return service({**BASIC, **(spec or {})})


def _told(answer: Answer, *, generation: int = 1) -> dict[str, Any]:
    condition = {
        "type": "AuthConfigured",
        "status": "True" if answer.holds else "False",
        "reason": answer.reason,
        "message": answer.message,
        "observedGeneration": generation,
    }
    return {**body(), "status": {"conditions": [condition]}}


def test_those_are_wanted_whose_password_is_known() -> None:
    found = target(observed(service=_with_users()), _READ, SETTINGS)
    assert found is not None
    assert found.users == (
        User("gateway", "a", frozenset({"read", "create"})),
        User("office", "b", frozenset({"read"})),
    )
    assert found.address == database_address(_with_users(), SETTINGS)
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("of", "seen", "read"),
    [
        (service(), {}, _READ),
        (_with_users({"hibernated": True}), {}, _READ),
        (_with_users(), {"schema": None}, _READ),
        (_with_users(), {"schema": SchemaJob("Running")}, _READ),
        (_with_users(), {}, SecretsRead(passwords={"gateway": "a"})),
    ],
    ids=["nobody is asked", "hibernated", "no schema", "schema is made", "no way into the database"],
)
def test_nobody_is_wanted_where_there_can_be_no_users(of: Service, seen: dict[str, Any], read: SecretsRead) -> None:
    assert target(observed(service=of, **seen), read, SETTINGS) is None


class Database:
    """Takes users, or does not."""

    def __init__(self) -> None:
        self.asked: list[tuple[User, ...]] = []
        self.drift = Changes()
        self.repaired: list[tuple[str, str]] = []
        self.probes = users_probes(
            self.keep,
            changed=lambda _: None,
            repaired=lambda of, note: self.repaired.append((of.uid, note)),
            interval_seconds=30,
        )

    async def keep(self, _: DatabaseAddress, __: Credentials, users: tuple[User, ...]) -> Kept:
        is_new, drift = users not in self.asked, self.drift
        self.asked.append(users)
        self.drift = Changes()
        return Kept(UsersReason.READY, "told", Changes(put=users) if is_new else drift)


def _wanted(password: str = "first") -> UsersTarget:  # noqa: S107
    read = SecretsRead(passwords={"gateway": password}, credentials=_CREDENTIALS)
    found = target(observed(service=_with_users()), read, SETTINGS)
    assert found is not None
    return found


@on_virtual_time
async def test_a_changed_password_reaches_the_database_at_once_and_drift_is_undone_now_and_then() -> None:
    database, of = Database(), _with_users()
    assert look(database.probes, of, body(), _wanted()) is None
    await asyncio.sleep(1)
    assert look(database.probes, of, body(), _wanted()) == Answer(True, UsersReason.READY, "told")
    assert len(database.asked) == 1
    assert look(database.probes, of, body(), _wanted("other")) is None
    await asyncio.sleep(1)
    assert [users[0].password for users in database.asked] == ["first", "other"]
    await asyncio.sleep(100)
    assert 4 <= len(database.asked) <= 7
    assert database.repaired == [], "what the spec or a Secret changed is no drift"
    database.drift = Changes(gone=("mallory",))
    await asyncio.sleep(100)
    told = "somebody changed the users in the database, brought back: deleted mallory"
    assert database.repaired == [(of.uid, told)]
    await database.probes.close()


@on_virtual_time
async def test_what_the_status_says_of_this_spec_holds_until_the_database_has_answered() -> None:
    database, of = Database(), _with_users()
    assert look(database.probes, of, _told(_WELL), _wanted()) == _WELL
    assert look(database.probes, of, _told(_WELL, generation=0), _wanted()) is None, "that was another spec"
    await database.probes.close()


@on_virtual_time
async def test_paused_the_users_are_left_as_they_are() -> None:
    database, of = Database(), _with_users({"paused": True})
    assert look(database.probes, of, _told(_WELL, generation=0), _wanted()) == _WELL
    await asyncio.sleep(60)
    assert database.asked == []


@on_virtual_time
async def test_without_users_nobody_asks() -> None:
    database = Database()
    look(database.probes, _with_users(), body(), _wanted())
    assert look(database.probes, service(), _told(_WELL), None) is None
    assert not database.probes.asks(service().key)


@pytest.mark.parametrize("reason", UsersReason)
def test_a_status_tells_whether_there_were_users(reason: UsersReason) -> None:
    assert were_used(_told(Answer(False, reason, "told")))
    assert not were_used(_told(Answer(True, "ClientReady", "well")))
    assert not were_used(body())


# --- the condition


def test_it_is_a_condition_of_services_with_users() -> None:
    verdicts = evaluate(observed(service=_with_users()))
    assert (verdicts["AuthConfigured"].status, verdicts["AuthConfigured"].reason) == ("Unknown", "UsersNotAsked")
    assert not verdicts["Ready"].holds
    well = evaluate(observed(service=_with_users(), users=_WELL))
    assert well["AuthConfigured"].holds
    assert well["Ready"].holds


def test_modules_that_are_not_there_yet_wait_for_the_users() -> None:
    verdicts = evaluate(observed(service=_with_users(), http=None, mqtt=None))
    assert verdicts["HTTPAvailable"].message == "HTTP waits for the users in the database"
    assert verdicts["MQTTAvailable"].message == "MQTT waits for the users in the database"


def test_who_lacks_a_password_is_named_also_while_all_others_are_there() -> None:
    seen = observed(service=_with_users(), users=_WELL, missing_passwords={"office": "Secret office does not exist"})
    verdicts = evaluate(seen)
    found = verdicts["AuthConfigured"]
    assert (found.status, found.reason) == ("False", "UserPasswordUnusable")
    assert found.message.startswith("user office: Secret office does not exist")
    assert verdicts["Stalled"].holds


@pytest.mark.parametrize("reason", sorted(set(UsersReason) - {UsersReason.READY, UsersReason.NOT_ASKED}))
def test_what_does_not_mend_itself_stalls(reason: UsersReason) -> None:
    verdicts = evaluate(observed(service=_with_users(), users=Answer(False, reason.value, "told")))
    assert (verdicts["AuthConfigured"].status, verdicts["AuthConfigured"].message) == ("False", "told")
    assert verdicts["Stalled"].holds == (reason in NEEDS_SOMEBODY)
    assert (reason in NEEDS_SOMEBODY) == (reason is not UsersReason.UNREACHABLE)
