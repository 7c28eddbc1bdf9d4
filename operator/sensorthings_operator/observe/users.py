"""What is known of the users in a service's database, and how they are kept. Used by the reconcile in each pass.

They are kept by a probe beside the passes: asking for them sets them and undoes what others changed.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

from sensorthings_operator.clients.database import Credentials
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.clients.users import Kept, User
from sensorthings_operator.conditions.auth import AUTH_CONFIGURED, UsersReason
from sensorthings_operator.conditions.observed import Answer, Observed
from sensorthings_operator.desired import addresses, basic
from sensorthings_operator.desired.addresses import DatabaseAddress
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe.answers import last_answer, last_answer_of_now
from sensorthings_operator.observe.probes import Probes
from sensorthings_operator.observe.secrets import SecretsRead

_ANSWERS: Final = frozenset(UsersReason) - {UsersReason.NOT_ASKED, UsersReason.PASSWORD_UNUSABLE}

Keep = Callable[[DatabaseAddress, Credentials, tuple[User, ...]], Awaitable[Kept]]


@dataclass(frozen=True)
class UsersTarget:
    """Who is to be in which database, and whose that is."""

    namespace: str
    name: str
    uid: str
    address: DatabaseAddress
    credentials: Credentials
    users: tuple[User, ...]


Repaired = Callable[[UsersTarget, str], None]
"""Told whose users were put right, and a sentence for people."""


def users_probes(
    keep: Keep,
    *,
    changed: Callable[[ServiceKey], None],
    repaired: Repaired,
    interval_seconds: float,
    concurrency: int = 8,
) -> Probes[UsersTarget]:
    """Probes that keep users; those that are as they should be are looked at again every ``interval_seconds``."""
    stood = WeakSet[UsersTarget]()
    """Those that are watched and were as they should be; a target is held by its probe alone."""

    async def asked(target: UsersTarget) -> Answer:
        kept = await keep(target.address, target.credentials, target.users)
        if kept.done and target in stood:
            repaired(target, f"somebody changed the users in the database, brought back: {kept.done}")
        if kept.reason is UsersReason.READY:
            stood.add(target)
        return Answer(kept.reason is UsersReason.READY, kept.reason.value, kept.message)

    return Probes(
        asked,
        surprised=UsersReason.UNREACHABLE.value,
        changed=changed,
        interval_seconds=interval_seconds,
        concurrency=concurrency,
    )


def target(observed: Observed, secrets: SecretsRead, settings: OperatorSettings) -> UsersTarget | None:
    """Who is to be in the database now; None where nobody is, or where it can't have users yet.

    A user whose password can't be read is not among them: nobody signs in by one that was taken back.
    """
    service = observed.service
    migrated = observed.schema is not None and observed.schema.outcome == "Complete"
    if not basic.is_used(service) or service.spec.hibernated or secrets.credentials is None or not migrated:
        return None
    wanted = [
        User(account.name, secrets.passwords[account.name], account.roles)
        for account in basic.accounts(service)
        if account.name in secrets.passwords
    ]
    address = addresses.database_address(service, settings)
    return UsersTarget(service.namespace, service.name, service.uid, address, secrets.credentials, tuple(wanted))


def look(
    probes: Probes[UsersTarget], service: Service, body: Mapping[str, Any], wanted: UsersTarget | None
) -> Answer | None:
    """What is known of the users, from the probe or, until it has answered, from the service's status.

    None where there are none to be, or where nothing is known of them yet.
    """
    if wanted is not None and not service.spec.paused:
        before = last_answer_of_now(body, AUTH_CONFIGURED.type, _ANSWERS)
        return probes.watch(service.key, wanted, known=before) or before
    probes.forget(service.key)
    # Paused, they are left as they are, whatever the spec wants meanwhile.
    return last_answer(body, AUTH_CONFIGURED.type, _ANSWERS) if service.spec.paused else None


def were_used(body: Mapping[str, Any]) -> bool:
    """Whether the status tells of users in the database."""
    return last_answer(body, AUTH_CONFIGURED.type, frozenset(UsersReason)) is not None
