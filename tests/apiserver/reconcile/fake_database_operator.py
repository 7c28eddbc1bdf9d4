"""The operator with a fake in place of PostgreSQL: databases answer what a file says. Started by ``process``.

The file holds answers by the host of the primary: ``{"db.city.internal": ["DatabaseUnreachable", "why"]}``. A host
that it does not name answers.
"""

import asyncio
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Final
from unittest import mock

import sensorthings_operator.__main__ as entry
from sensorthings_operator.clients.database import Credentials, DatabaseAnswer
from sensorthings_operator.clients.users import Kept, User
from sensorthings_operator.conditions.auth import UsersReason
from sensorthings_operator.desired.addresses import DatabaseAddress
from sensorthings_operator.operator import Operator

ANSWERS: Final = "FAKE_DATABASE_ANSWERS"
"""Environment variable with the path of the file."""


async def ask(address: DatabaseAddress, credentials: Credentials, _: int) -> tuple[DatabaseAnswer, str]:
    """What the file says of the address."""
    host = address.endpoints[0].host
    answers = json.loads(await asyncio.to_thread(Path(os.environ[ANSWERS]).read_text))
    answer, message = answers.get(
        host, (DatabaseAnswer.REACHABLE, f'database "{address.name}" at {host} answers {credentials.username}')
    )
    return DatabaseAnswer(answer), message


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
