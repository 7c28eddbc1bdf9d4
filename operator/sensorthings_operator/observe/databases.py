"""What the probe of a database asks, and what stands in a status of its last answer. Used by the reconcile."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sensorthings_operator.api.database import ManagedDatabase
from sensorthings_operator.clients.database import Credentials
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.conditions.backup import ARCHIVING_FAILS, BACKED_UP
from sensorthings_operator.conditions.backups import Archive
from sensorthings_operator.conditions.database import DATABASE_REACHABLE
from sensorthings_operator.conditions.databasehosts import (
    DatabaseAnswer,
    HostLook,
    Limits,
    Replication,
    ReplicationReason,
    Role,
)
from sensorthings_operator.conditions.databasejudging import is_doubtful, judge
from sensorthings_operator.conditions.observed import Answer, Workload
from sensorthings_operator.conditions.reads import READS_AT_PRIMARY, READS_AVAILABLE
from sensorthings_operator.conditions.replication import DATABASE_REPLICATED
from sensorthings_operator.desired import addresses, frost, reads
from sensorthings_operator.desired.addresses import DatabaseAddress
from sensorthings_operator.desired.quantities import number
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.versions import VERSIONS
from sensorthings_operator.observe.answers import last_answer
from sensorthings_operator.observe.probes import Probes

_ONCE_MORE_SECONDS: Final = 1.0
"""Until a second look, where the first one may show no more than a moment."""
_SECONDS_BETWEEN_READ: Final = 0.2
"""Between two questions about databases whose standbys are read from: how old an answer may be depends on them."""

Ask = Callable[[DatabaseAddress, Credentials], Awaitable[tuple[HostLook, ...]]]


@dataclass(frozen=True)
class Target:
    """Which database is asked, with which credentials, and what it is measured by."""

    address: DatabaseAddress
    credentials: Credentials
    limits: Limits = field(default_factory=Limits)
    is_read: bool = False
    """Whether its standbys are read from."""


def target(service: Service, settings: OperatorSettings, credentials: Credentials) -> Target:
    """What is asked about a service's database."""
    spec, version = service.spec, VERSIONS[service.spec.version]
    managed = spec.database.managed or ManagedDatabase()
    return Target(
        addresses.database_address(service, settings),
        credentials,
        Limits(
            connections=frost.most_connections(service),
            standby_lag_seconds=spec.database.max_standby_lag_seconds,
            volume_bytes=int(number(managed.storage.size)) if spec.database.type == "Managed" else None,
            is_archived=managed.backup is not None,
            oldest_postgresql=version.oldest_postgresql,
            oldest_postgis=version.oldest_postgis,
        ),
        is_read=reads.is_wanted(service),
    )


def runs(store: OwnedStore, service: Service) -> bool:
    """A managed database is asked once its pod is ready: before, its name has no address, and DNS remembers."""
    if service.spec.database.type != "Managed":
        return True
    child = store.get("StatefulSet", service.namespace, addresses.database_name(service))
    return child is not None and isinstance(child.summary, Workload) and child.summary.ready > 0


def database_probes(
    ask: Ask, *, changed: Callable[[ServiceKey], None], interval_seconds: float, concurrency: int = 8
) -> Probes[Target]:
    """Probes of databases; one that answers is asked again every ``interval_seconds``."""

    async def asked(target: Target, before: Answer | None) -> Answer:
        looks, answer = await _judged(ask, target, before)
        if not is_doubtful(looks, answer):
            return answer
        await asyncio.sleep(_ONCE_MORE_SECONDS)
        # Going on from before: a moment's view counts once. What it saw of the primary's position is kept.
        _, again = await _judged(ask, target, _once_more(before, answer))
        return again

    return Probes(
        asked,
        surprised=DatabaseAnswer.UNREACHABLE.value,
        changed=changed,
        interval_seconds=interval_seconds,
        concurrency=concurrency,
        hurried=lambda target: target.is_read,
        seconds_between_hurried=_SECONDS_BETWEEN_READ,
    )


async def _judged(ask: Ask, target: Target, before: Answer | None) -> tuple[tuple[HostLook, ...], Answer]:
    now = asyncio.get_running_loop().time
    began = now()
    looks = await ask(target.address, target.credentials)
    return looks, judge(looks, target.address.name, target.limits, before, began=began, now=now())


def _once_more(before: Answer | None, first: Answer) -> Answer:
    """What a second look goes on from: all that was decided before, and where the first one saw the primary."""
    if first.replication is None:
        return before or first
    decided = (before.replication if before is not None else None) or replace(
        first.replication, reads_at_primary=False, lagging=frozenset(), good_looks=0
    )
    seen = replace(decided, roles=first.replication.roles, marks=first.replication.marks)
    return replace(before or first, replication=seen)


def last_database_answer(body: Mapping[str, Any]) -> Answer | None:
    """What the status of a service says that its database answered."""
    answer = last_answer(body, DATABASE_REACHABLE.type, set(DatabaseAnswer))
    if answer is None:
        return None
    failing = last_answer(body, BACKED_UP.type, {ARCHIVING_FAILS}) is not None
    archived = Archive(failing=True, waiting_bytes=0) if failing else None
    return replace(answer, replication=_last_replication(body), archive=archived)


def _last_replication(body: Mapping[str, Any]) -> Replication | None:
    told = last_answer(body, DATABASE_REPLICATED.type, set(ReplicationReason))
    if told is None:
        return None
    hosts = body["status"].get("database", {}).get("hosts", ())
    return Replication(
        reason=ReplicationReason(told.reason),
        message=told.message,
        roles=tuple((each["host"], Role(each["role"])) for each in hosts),
        reads_at_primary=last_answer(body, READS_AVAILABLE.type, {READS_AT_PRIMARY}) is not None,
    )


def reads_at_primary(probes: Probes[Target], service: Service, body: Mapping[str, Any]) -> bool:
    """Whether reads are to go to the primary's pods; while the service is paused, as they went before."""
    if not reads.is_wanted(service):
        return False
    answer = (None if service.spec.paused else probes.answer(service.key)) or last_database_answer(body)
    return answer is not None and answer.replication is not None and answer.replication.reads_at_primary
