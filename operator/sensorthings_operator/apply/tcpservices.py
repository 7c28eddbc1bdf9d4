"""Claims and releases a service's port for MQTT in the objects that all services share. Called by the reconcile.

Every service applies under a field manager of its own and never by force, so the API server refuses what others have.
What it would let pass is looked for beforehand: equal values of somebody else's (sharedports), and an object that is
not there, which it would make. A port is never there without its key in the ConfigMap, which decides whose it is.
"""

from typing import Any, Final

from sensorthings_operator.apply.ownership import applied_fields
from sensorthings_operator.apply.sharedports import SharedPorts, problems
from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import Resource, resource_of
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.conditions.routes import RoutesReason
from sensorthings_operator.desired import tcpservices
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.tcpservices import PortClaim

_CONFIG_MAPS: Final = resource_of({"apiVersion": "v1", "kind": "ConfigMap"})
_SERVICES: Final = resource_of({"apiVersion": "v1", "kind": "Service"})
_CONFLICT: Final = 409
_REASONS: Final = {403: RoutesReason.SHARED_FORBIDDEN, 404: RoutesReason.SHARED_MISSING}


class TcpServices:
    """The ConfigMap ``tcp-services`` and the ingress-nginx controller's Service."""

    def __init__(self, client: KubernetesClient, settings: OperatorSettings) -> None:
        self._client = client
        self._settings = settings.ingress_nginx

    async def claim(self, service: Service) -> Answer:
        """Give the service the port that its spec asks for, and take from it any other; two reads where it has it.

        Raises:
            ApiError: The API server could not be asked or refused for now.
            ValueError: The service is not reached through ingress-nginx.
        """
        claim = _claim_of(service)
        try:
            try:
                return await self._claim(claim)
            except ApiError as error:
                if error.status != _CONFLICT:
                    raise
            # Somebody was faster between the look and the write: a second look tells who.
            return await self._claim(claim)
        except ApiError as error:
            return self._conflicting(error) if error.status == _CONFLICT else self._refused(error)

    async def check(self, service: Service) -> Answer:
        """What there is of the claim of a service that nothing is to be written for.

        Raises:
            ApiError: The API server could not be asked for now.
            ValueError: The service is not reached through ingress-nginx.
        """
        claim = _claim_of(service)
        try:
            shared = await self._read()
        except ApiError as error:
            return self._refused(error)
        waiting = Answer(
            holds=False, reason=RoutesReason.WAITING, message=f"port {claim.port} does not lead to the service yet"
        )
        return _taken(claim, shared) or (_led(claim) if shared.is_settled(claim) else waiting)

    async def release(self, uid: str) -> None:
        """Take away what a service has, and leave what others have; nothing where there is nothing.

        Raises:
            ApiError: The API server refused.
        """
        manager = tcpservices.field_manager(uid)
        shared = self._settings
        uid_there = await self._applied_to(_SERVICES, shared.controller_service, manager)
        if uid_there is not None:
            await self._apply(tcpservices.controller_service(shared, uid_there, ports=[]), manager)
        uid_there = await self._applied_to(_CONFIG_MAPS, shared.tcp_services_config_map, manager)
        if uid_there is not None:
            await self._apply(tcpservices.config_map(shared, uid_there, entries={}), manager)

    async def _applied_to(self, resource: Resource, name: str, manager: str) -> str | None:
        """The object's uid, where the manager has something in it."""
        try:
            live = await self._client.get(resource, self._settings.namespace, name, metadata_only=True)
        except NotFoundError:
            return None
        if applied_fields(live["metadata"], manager) is None:
            return None
        return str(live["metadata"]["uid"])

    async def _claim(self, claim: PortClaim) -> Answer:
        shared = await self._read()
        namesakes = shared.namesakes(claim)
        if namesakes:
            for uid in sorted(namesakes):
                await self.release(uid)
            shared = await self._read()
        taken = _taken(claim, shared)
        if taken is not None:
            return taken
        await self._lead(claim, shared)
        return _led(claim)

    async def _lead(self, claim: PortClaim, shared: SharedPorts) -> None:
        """Write what is not there yet: the key before the port; what is left of another port in the opposite order."""
        wanted = {claim.key: claim.backend}
        keys = shared.keys_of(claim.manager)
        uid = shared.config_map["metadata"]["uid"]
        if not wanted.items() <= keys.items():
            keys = {**keys, **wanted}
            await self._apply(tcpservices.config_map(self._settings, uid, keys), claim.manager)
        if not shared.is_led(claim):
            service_uid = shared.service["metadata"]["uid"]
            manifest = tcpservices.controller_service(self._settings, service_uid, [claim.service_port])
            await self._apply(manifest, claim.manager)
        if keys != wanted:
            await self._apply(tcpservices.config_map(self._settings, uid, wanted), claim.manager)

    async def _apply(self, manifest: dict[str, Any], manager: str) -> None:
        await self._client.apply(manifest, field_manager=manager, force=False)

    async def _read(self) -> SharedPorts:
        config_map = await self._get(_CONFIG_MAPS, self._settings.tcp_services_config_map)
        return SharedPorts(self._settings, config_map, await self._get(_SERVICES, self._settings.controller_service))

    async def _get(self, resource: Resource, name: str) -> dict[str, Any]:
        try:
            return await self._client.get(resource, self._settings.namespace, name)
        except NotFoundError as error:
            message = (
                f"{resource.kind} {self._settings.namespace}/{name} does not exist: create it, or correct ingressNginx "
                "in the operator's settings; the controller has to be started with --tcp-services-configmap"
            )
            raise NotFoundError(error.status, error.reason, message) from error

    def _conflicting(self, error: ApiError) -> Answer:
        """The answer for a field above the service's own: no look at keys and ports finds it."""
        shared = self._settings
        message = (
            f"somebody owns ConfigMap {shared.namespace}/{shared.tcp_services_config_map} or Service "
            f"{shared.namespace}/{shared.controller_service} beyond their own entries ({error.message}): "
            "let them leave empty .data and .spec.ports out of what they apply"
        )
        return Answer(holds=False, reason=RoutesReason.PORT_REFUSED, message=message)

    def _refused(self, error: ApiError) -> Answer:
        """The answer for what the API server would refuse again.

        Raises:
            ApiError: It may take it later.
        """
        if not error.is_lasting:
            raise error
        message = f"the API server refused the port for MQTT: {error.message}"
        if error.status == 404:
            message = error.message
        if error.status == 403:
            message = (
                f"the operator may not change the objects that lead ports of ingress-nginx in namespace "
                f"{self._settings.namespace}: set ingressNginx.enabled to true in its chart's values ({error.message})"
            )
        return Answer(holds=False, reason=_REASONS.get(error.status, RoutesReason.PORT_REFUSED), message=message)


def _claim_of(service: Service) -> PortClaim:
    claim = tcpservices.port_claim(service)
    if claim is None:
        msg = f"{service.namespace}/{service.name} is not reached through ingress-nginx"
        raise ValueError(msg)
    return claim


def _led(claim: PortClaim) -> Answer:
    return Answer(holds=True, reason=RoutesReason.READY, message=f"port {claim.port} leads to the service")


def _taken(claim: PortClaim, shared: SharedPorts) -> Answer | None:
    """Who else has the port, by its key or in the controller's Service, or the name that it would have there."""
    problem = next(problems(claim, shared), None)
    if problem is None:
        return None
    kept = ", ".join(key for key in shared.keys_of(claim.manager) if key != claim.key)
    meanwhile = f"; port {kept} leads to this service meanwhile" if kept else ""
    return Answer(holds=False, reason=RoutesReason.PORT_TAKEN, message=f"{problem}{meanwhile}")
