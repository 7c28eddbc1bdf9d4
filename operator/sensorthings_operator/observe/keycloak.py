"""What is known of a service's client in Keycloak, and how it is given up. Used by the reconcile in each pass.

The client is kept by a probe beside the passes: asking for it makes it and undoes what others changed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.keycloak_errors import KeycloakError
from sensorthings_operator.clients.keycloak_realm import read_credentials
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.conditions.auth import AUTH_CONFIGURED, AuthReason
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired import keycloak
from sensorthings_operator.desired.keycloak import RealmClient
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import KeycloakRealm, OperatorSettings
from sensorthings_operator.observe.answers import last_answer_of_now
from sensorthings_operator.observe.probes import Probes, afresh

_LOG: Final = logging.getLogger(__name__)
_ANSWERS: Final = frozenset(AuthReason) - {AuthReason.NOT_ASKED}

Ensure = Callable[[KeycloakRealm, RealmClient], Awaitable[tuple[AuthReason, str]]]


@dataclass(frozen=True)
class RealmTarget:
    """Which client is kept, and in which realm."""

    realm: KeycloakRealm
    client: RealmClient


def keycloak_probes(
    ensure: Ensure, *, changed: Callable[[ServiceKey], None], interval_seconds: float, concurrency: int = 8
) -> Probes[RealmTarget]:
    """Probes that keep clients; one that is as it should be is looked at again every ``interval_seconds``."""

    async def asked(target: RealmTarget) -> Answer:
        reason, message = await ensure(target.realm, target.client)
        return Answer(reason is AuthReason.READY, reason.value, message)

    return Probes(
        afresh(asked),
        surprised=AuthReason.UNREACHABLE.value,
        changed=changed,
        interval_seconds=interval_seconds,
        concurrency=concurrency,
    )


def realm_ca(service: Service, settings: OperatorSettings) -> str | None:
    """The CA by which the service's pods trust Keycloak, for ``Service.realm_ca``: read anew in each pass.

    None, which changes nothing, where the realm is not known or its Secret is not mounted.
    """
    if not keycloak.is_used(service):
        return ""
    realm = keycloak.realm_of(service, settings)
    if realm is None:
        return None
    try:
        return read_credentials(realm).ca
    except KeycloakError:
        return None


def look(
    probes: Probes[RealmTarget], service: Service, settings: OperatorSettings, body: Mapping[str, Any]
) -> Answer | None:
    """What is known of the service's client, from the probe or, until it has answered, from the service's status.

    None where the service needs no client, or nothing is known of it yet.
    """
    realm = keycloak.realm_of(service, settings)
    if realm is not None:
        # Without it, each start of the operator would take Ready away.
        before = last_answer_of_now(body, AUTH_CONFIGURED.type, _ANSWERS)
        return probes.watch(service.key, RealmTarget(realm, keycloak.client_of(service)), known=before) or before
    probes.forget(service.key)
    if not keycloak.is_used(service):
        return None
    known = ", ".join(sorted(settings.keycloak_realms)) or "none"
    told = (
        f"spec.auth.keycloak.realm: the operator knows no realm {keycloak.realm_name(service)}; known are: {known}. "
        "Choose one of these, or have it added to the chart's value keycloakRealms"
    )
    return Answer(holds=False, reason=AuthReason.UNKNOWN_REALM.value, message=told)


async def release(
    clients: KeycloakClients, settings: OperatorSettings, client: RealmClient, realm_name: str
) -> tuple[str, ...]:
    """Delete a service's client in every realm: the spec may have named another one before.

    Args:
        clients: The way to the realms.
        settings: With the realms there are.
        client: Of the service, by its metadata alone: its spec may be unreadable.
        realm_name: The realm that its spec names; empty where it names none.

    Returns:
        Why the client may still be there, a sentence for each realm; empty where it is not, as far as can be known.
        Where the realm that the spec names is known, only that one counts: the others are asked as a courtesy.
    """
    asked = dict(settings.keycloak_realms)
    told = await asyncio.gather(*(_removed(clients, realm, client) for realm in asked.values()))
    counted = {realm_name} if realm_name in asked else set(asked)
    for name, problem in zip(asked, told, strict=True):
        if problem and name not in counted:
            _LOG.warning("client %s may be left behind: %s", client.client_id, problem)
    return tuple(problem for name, problem in zip(asked, told, strict=True) if problem and name in counted)


async def _removed(clients: KeycloakClients, realm: KeycloakRealm, client: RealmClient) -> str:
    try:
        await clients.remove(realm, client)
    except KeycloakError as error:
        return error.message
    return ""
