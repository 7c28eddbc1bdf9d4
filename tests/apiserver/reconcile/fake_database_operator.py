"""The operator with a fake in place of PostgreSQL: databases answer what a file says. Started by ``process``.

The file holds answers by host: ``{"db.city.internal": ["DatabaseUnreachable", "why"]}``, or what a look at it finds,
``{"db.city.internal": {"role": "standby", "streaming": true}}``.
Of the hosts that it does not name the first of a database is a primary and the others are standbys; all are well.
"""

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final
from unittest import mock

import sensorthings_operator.__main__ as entry
from sensorthings_operator.clients.database import Credentials
from sensorthings_operator.clients.users import Kept, User
from sensorthings_operator.conditions.auth import UsersReason
from sensorthings_operator.conditions.databasehosts import DatabaseAnswer, HostLook, Role
from sensorthings_operator.desired.addresses import DatabaseAddress
from sensorthings_operator.operator import Operator

ANSWERS: Final = "FAKE_DATABASE_ANSWERS"
"""Environment variable with the path of the file."""
_FIRST: Final[dict[str, Any]] = {}
_STANDBY: Final[dict[str, Any]] = {"role": "standby", "streaming": True}


async def ask(address: DatabaseAddress, _: Credentials) -> tuple[HostLook, ...]:
    """What the file says of each server of the address."""
    answers = json.loads(await asyncio.to_thread(Path(os.environ[ANSWERS]).read_text))
    return tuple(
        _look(f"{each.host}:{each.port}", answers.get(each.host, _FIRST if number == 0 else _STANDBY))
        for number, each in enumerate(address.endpoints)
    )


def _look(host: str, answer: Any) -> HostLook:
    if isinstance(answer, list) and answer[0] != DatabaseAnswer.REACHABLE:
        return HostLook(host, trouble=DatabaseAnswer(answer[0]), message=answer[1])
    told = answer if isinstance(answer, dict) else {}
    role = Role(told.get("role", "primary"))
    well = {"version": 150018, "postgis": "3.3.2", "position": 1000}
    return HostLook(host, **{**well, **told, "role": role, "server": host})


async def keep(address: DatabaseAddress, _: Credentials, users: tuple[User, ...]) -> Kept:
    """Every database takes every user."""
    return Kept(UsersReason.READY, f'database "{address.name}" has {len(users)} users')


class OperatorOnFakeDatabases(Operator):
    """Everything but the database is the operator's own."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs, ask=ask, keep=keep)  # type: ignore[arg-type]


def _end_with(parent: int) -> None:
    """A test run that is killed leaves no operator behind."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with mock.patch.object(entry, "Operator", OperatorOnFakeDatabases):
        sys.exit(entry.main())
