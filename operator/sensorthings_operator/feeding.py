"""Everything that connectors need in the operator: what is known of them, their queue, their watches and probes.

Put together, started and closed by the operator.
"""

from typing import Final, Self

from sensorthings_operator import metrics
from sensorthings_operator.apply.events import Events
from sensorthings_operator.clients.access import AccessSource
from sensorthings_operator.clients.arrivals import ArrivalsReader
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import Owned, OwnedStore, ServiceKey
from sensorthings_operator.clients.resources import CONNECTOR_CHILDREN, PODS
from sensorthings_operator.clients.watch import Watch, watches
from sensorthings_operator.connectors import ConnectorReconciler
from sensorthings_operator.controller import Controller
from sensorthings_operator.desired.metadata import CONNECTOR_SELECTOR
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.health import Health
from sensorthings_operator.observe.arrivals import arrival_probes
from sensorthings_operator.observe.connected import connector_store
from sensorthings_operator.observe.connectors import Connectors
from sensorthings_operator.observe.services import Services

_ARRIVALS_SECONDS: Final = 60.0
"""How often a service is asked for what a connector's data arrives; one connector every two seconds at most."""


class Feeding:
    """The connectors of all services; an async context manager."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        client: KubernetesClient,
        settings: OperatorSettings,
        *,
        services: Services,
        service_children: OwnedStore,
        keycloak: KeycloakClients,
        events: Events,
        health: Health,
    ) -> None:
        self._client = client
        self._settings = settings
        self._store = connector_store()
        self._connectors = Connectors()
        self._arrivals = ArrivalsReader(AccessSource(keycloak, client))
        self.controller = Controller(
            self._connectors,
            self._reconcile,
            tell_failed=self._tell_failed,
            health=health,
            resync_seconds=settings.resync_seconds,
            depth=metrics.CONNECTOR_QUEUE_DEPTH,
        )
        self._probes = arrival_probes(
            self._arrivals.ask, changed=self.controller.add, interval_seconds=_ARRIVALS_SECONDS
        )
        self._reconciler = ConnectorReconciler(
            client,
            settings,
            services=services,
            service_children=service_children,
            connectors=self._connectors,
            store=self._store,
            probes=self._probes,
            events=events,
        )

    async def __aenter__(self) -> Self:
        await self._arrivals.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()
        await self._arrivals.__aexit__(*exception)

    async def close(self) -> None:
        """Ask for arrivals no more."""
        await self._probes.close()

    def watches(self) -> list[Watch]:
        """Of the children of connectors."""
        return watches(
            self._client,
            self._store,
            (*CONNECTOR_CHILDREN, PODS),
            namespaces=self._settings.watch_namespaces,
            label_selector=CONNECTOR_SELECTOR,
            changed=self._child_changed,
        )

    def service_changed(self, key: ServiceKey) -> None:
        """Look at the connectors of a service."""
        for connector in self._connectors.of_service(key):
            self.controller.add(connector)

    async def _reconcile(self, key: ServiceKey) -> float | None:
        return await self._reconciler.reconcile(key)

    async def _tell_failed(self, key: ServiceKey, error: Exception) -> None:
        await self._reconciler.failed(key, error)

    def _child_changed(self, child: Owned) -> None:
        if self._connectors.get(child.service_key) is not None:
            self.controller.add(child.service_key)
