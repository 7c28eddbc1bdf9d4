"""What a service's managed databases and their backups are to be, by what is seen of them. Used by the reconcile."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sensorthings_operator.clients.owned import OwnedStore
from sensorthings_operator.conditions.observed import Answer, Observed
from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.database import pgbackrest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.observe import backuprequests, backups, pairs, restores
from sensorthings_operator.observe.gather import runs

Body = Mapping[str, Any]


def prepared(  # noqa: PLR0913 - all that is seen of them
    store: OwnedStore, service: Service, body: Body, *, answer: Answer | None, keys_missing: bool, now: datetime
) -> Service:
    """The service with what its managed databases are made from, beside its spec.

    Args:
        store: The service's children and pods.
        service: With the database that serves.
        body: The resource, with what stands in its status.
        answer: Of the database that serves.
        keys_missing: A Secret for the backups is missing.
        now: The time of day.
    """
    service = replace(service, database_adopted=pairs.is_adopted(store, service))
    if pgbackrest.wanted(service) is None:
        return service
    ended = runs(store, service)
    is_restored = restores.restored(service, body, ended)
    known = backups.known(service, body, ended, now)
    running = backuprequests.is_running(store, service)
    waits = running or keys_missing or service.spec.hibernated or service.spec.paused
    timeline = None
    if addresses.is_pair(service) and answer is not None and answer.archive is not None:
        timeline = answer.archive.timeline
    return replace(
        service,
        restored="" if is_restored is None else is_restored.name,
        backup_request=backuprequests.asked(known, timeline=timeline, waits=waits, now=now),
        # A Secret that is away for a moment ends no backup that runs.
        backup_held=keys_missing and not running,
    )


def look(store: OwnedStore, observed: Observed, body: Body, now: datetime) -> Observed:
    """With what is known of the backups and of a restore."""
    if pgbackrest.wanted(observed.service) is None:
        return observed
    ended = runs(store, observed.service)
    observed = replace(observed, backups=backups.known(observed.service, body, ended, now))
    return restores.look(observed, body, ended)


def look_again(observed: Observed, now: datetime) -> float | None:
    """Seconds until a backup that failed is tried again; None where nothing waits for that."""
    again = None if observed.backups is None else observed.backups.again
    left = 0.0 if again is None else (datetime.fromisoformat(again) - now).total_seconds()
    return left if left > 0 else None
