"""What a service has outside its namespace: a port, a client in Keycloak or users in a database, a name, entries.

Owner references do not reach there, so a finalizer stands on the service while something of it may be left; users stay
in the database as all data do. Used by reconcile.
"""

from collections.abc import Mapping
from typing import Any

from sensorthings_operator.apply.finalizer import RELEASE
from sensorthings_operator.apply.tcpservices import TcpServices
from sensorthings_operator.clients.errors import ApiError
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.owned import OwnedStore, ServiceKey
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.desired import addresses, keycloak
from sensorthings_operator.desired.keycloak import DeliveryClient, RealmClient
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.observe import hosts, users
from sensorthings_operator.observe.hosts import HostTarget
from sensorthings_operator.observe.keycloak import RealmTarget, look, release
from sensorthings_operator.observe.probes import Probes
from sensorthings_operator.observe.users import UsersTarget
from sensorthings_operator.publishing import Known, Publishing, is_used

Body = Mapping[str, Any]


class Outside:
    """Makes, looks at and releases what services have outside."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        client: KubernetesClient,
        settings: OperatorSettings,
        *,
        keycloak_clients: KeycloakClients,
        keycloak_probes: Probes[RealmTarget],
        store: OwnedStore,
        host_probes: Probes[HostTarget],
        users_probes: Probes[UsersTarget],
        publishing: Publishing,
    ) -> None:
        self._client = client
        self._settings = settings
        self._ports = TcpServices(client, settings)
        self._clients = keycloak_clients
        self._probes = keycloak_probes
        self._store = store
        self._hosts = host_probes
        self._users = users_probes
        self._publishing = publishing

    async def prepare(self, body: Body, service: Service) -> Body:
        """Put the finalizer on before anything is made, and take it off once nothing is wanted; the service afterwards.

        Raises:
            ApiError: The API server refused.
        """
        wanted = addresses.exposed(service) is not None or keycloak.is_used(service) or is_used(body, service)
        if wanted == RELEASE.is_held(body):
            return body
        if wanted:
            return await RELEASE.hold(self._client, body)
        if await self.release(body):
            return body
        return await RELEASE.drop(self._client, body) or body

    async def port(self, body: Body, service: Service, *, writable: bool) -> Answer | None:
        """Whether the service has its port for MQTT; None where it is not to have one.

        Raises:
            ApiError: The API server could not be asked or refused for now.
        """
        if addresses.exposed(service) is not None and service.host_holder is None:
            return await (self._ports.claim if writable else self._ports.check)(service)
        if writable and RELEASE.is_held(body):
            await self._ports.release(service.uid)
        return None

    def identity(self, body: Body, service: Service) -> Answer | None:
        """What is known of the service's client in Keycloak."""
        return look(self._probes, service, self._settings, body)

    def users(self, body: Body, service: Service, wanted: UsersTarget | None) -> Answer | None:
        """What is known of the users in the service's database."""
        return users.look(self._users, service, body, wanted)

    def host(self, body: Body, service: Service) -> Answer | None:
        """Where DNS leads those who look the service's host up."""
        return hosts.look(self._hosts, self._store, service, body)

    async def entries(self, body: Body, service: Service) -> Known:
        """What is known of the service's entries in catalogues.

        Raises:
            ApiError: A Secret could not be asked for.
        """
        return await self._publishing.look(body, service)

    def forget(self, key: ServiceKey) -> None:
        """Keep the service's client, users and entries no longer, and look its host up no more."""
        self._publishing.forget(key)
        self._probes.forget(key)
        self._users.forget(key)
        self._hosts.forget(key)

    async def release(self, body: Body) -> tuple[str, ...]:
        """Give up what the service has, by its metadata alone; a sentence for each thing that may be left."""
        metadata, spec = body["metadata"], body.get("spec", {})
        self.forget((metadata["namespace"], metadata["name"]))
        left = await self._release_port(metadata["uid"])
        if spec.get("deletionPolicy") == "Orphan":
            return left
        client = RealmClient(metadata["namespace"], metadata["name"], metadata["uid"])
        realm = spec.get("auth", {}).get("keycloak", {}).get("realm", "")
        verifier = DeliveryClient(client.namespace, client.name, client.uid)
        kept = [await release(self._clients, self._settings, each, realm) for each in (verifier, client)]
        entries = await self._publishing.release(body)
        return (*left, *dict.fromkeys(told for each in kept for told in each), *entries)

    async def _release_port(self, uid: str) -> tuple[str, ...]:
        try:
            await self._ports.release(uid)
        except ApiError as error:
            where = self._settings.ingress_nginx
            return (
                f"the port for MQTT in {where.namespace}/{where.tcp_services_config_map} and "
                f"{where.namespace}/{where.controller_service}: {error.message}",
            )
        return ()
