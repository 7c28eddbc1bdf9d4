"""Everything that is asked beside the passes: databases and users, Keycloak, DNS, delivery, data, and catalogues.

Put together and closed by the operator.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from sensorthings_operator.clients.ckan_entries import CkanEntries, PublishTarget
from sensorthings_operator.clients.datasets import DatasetReader, DataTarget
from sensorthings_operator.clients.delivery import DeliveryChecks, DeliveryTarget
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe.catalogue import catalogue_probes
from sensorthings_operator.observe.databases import Ask, Target, database_probes
from sensorthings_operator.observe.delivery import delivery_probes
from sensorthings_operator.observe.hosts import HostTarget, host_probes, resolve
from sensorthings_operator.observe.keycloak import RealmTarget, keycloak_probes
from sensorthings_operator.observe.probes import Probes
from sensorthings_operator.observe.publishing import publishing_probes
from sensorthings_operator.observe.users import Keep, Repaired, UsersTarget, users_probes


@dataclass(frozen=True)
class AllProbes:
    """The probes of each kind."""

    databases: Probes[Target]
    keycloak: Probes[RealmTarget]
    hosts: Probes[HostTarget]
    users: Probes[UsersTarget]
    deliveries: Probes[DeliveryTarget] | None
    """None where the settings want delivery never verified."""
    data: Probes[DataTarget]
    entries: Probes[PublishTarget]

    @classmethod
    def of(  # noqa: PLR0913 - whom they ask
        cls,
        settings: OperatorSettings,
        ask: Ask,
        keep: Keep,
        keycloak: KeycloakClients,
        checks: DeliveryChecks,
        *,
        datasets: DatasetReader,
        ckan: CkanEntries,
        changed: Callable[[ServiceKey], None],
        repaired: Repaired,
    ) -> Self:
        """None of them asks anything yet; ``changed`` is called with each new answer's service."""
        every = settings.delivery_probe_seconds
        return cls(
            databases=database_probes(ask, changed=changed, interval_seconds=settings.database_probe_seconds),
            keycloak=keycloak_probes(
                keycloak.ensure, changed=changed, interval_seconds=settings.keycloak_probe_seconds
            ),
            hosts=host_probes(resolve, changed=changed),
            users=users_probes(
                keep, changed=changed, repaired=repaired, interval_seconds=settings.database_probe_seconds
            ),
            deliveries=delivery_probes(checks.verify, changed=changed, interval_seconds=every) if every else None,
            data=catalogue_probes(datasets.ask, changed=changed, interval_seconds=settings.catalogue_probe_seconds),
            entries=publishing_probes(ckan.ask, changed=changed, interval_seconds=settings.catalogue_publish_seconds),
        )

    async def close(self) -> None:
        """Stop all of them."""
        every = (self.databases, self.keycloak, self.hosts, self.users, self.deliveries, self.data, self.entries)
        await asyncio.gather(*(probes.close() for probes in every if probes is not None))
