"""What the probe of a database asks, and what stands in a status of its last answer. Used by the reconcile."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sensorthings_operator.clients.database import WORKING, Credentials, DatabaseAnswer
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.conditions.database import DATABASE_REACHABLE
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired.addresses import DatabaseAddress
from sensorthings_operator.observe.answers import last_answer
from sensorthings_operator.observe.probes import Probes

Ask = Callable[[DatabaseAddress, Credentials, int], Awaitable[tuple[DatabaseAnswer, str]]]


@dataclass(frozen=True)
class Target:
    """Which database is asked, and with which credentials."""

    address: DatabaseAddress
    credentials: Credentials
    connections: int = 0
    """That the service's pods may open, all together."""


def database_probes(
    ask: Ask, *, changed: Callable[[ServiceKey], None], interval_seconds: float, concurrency: int = 8
) -> Probes[Target]:
    """Probes of databases; one that answers is asked again every ``interval_seconds``."""

    async def asked(target: Target) -> Answer:
        answer, message = await ask(target.address, target.credentials, target.connections)
        return Answer(answer in WORKING, answer.value, message)

    return Probes(
        asked,
        surprised=DatabaseAnswer.UNREACHABLE.value,
        changed=changed,
        interval_seconds=interval_seconds,
        concurrency=concurrency,
    )


def last_database_answer(body: Mapping[str, Any]) -> Answer | None:
    """What the status of a service says that its database answered."""
    return last_answer(body, DATABASE_REACHABLE.type, set(DatabaseAnswer))
