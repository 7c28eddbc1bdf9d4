"""What a service has in the two objects that all services share, so that MQTT over TLS has a port: a key of the
ConfigMap ``tcp-services`` and a port of the ingress-nginx controller's Service. Sent by apply/tcpservices.

The ConfigMap has one key for each number, so it decides whose a port is. Bytes pass through: TLS ends in the MQTT pod.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.metadata import FIELD_MANAGER, Manifest, digest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import IngressNginxController

RESERVED_PORTS: Final = frozenset({80, 442, 443, 8181, 10245, 10246, 10247, 10254})
"""Ports on which an ingress-nginx controller listens itself; it passes over such a key with a line in its log."""
_BACKEND: Final = re.compile(rf"(?P<namespace>[^/:]+)/(?P<name>[^/:]+)-mqtt:{addresses.MQTTS_PORT}")


@dataclass(frozen=True)
class PortClaim:
    """One port of the controller, and where it leads."""

    uid: str
    """Of the service that has it."""
    port: int
    backend: str
    """``namespace/service:port``, as ingress-nginx reads it."""

    @property
    def key(self) -> str:
        """In the ConfigMap."""
        return str(self.port)

    @property
    def manager(self) -> str:
        """Who applies it."""
        return field_manager(self.uid)

    @property
    def service_port(self) -> Manifest:
        """In the controller's Service. Its pods listen on the number that is the ConfigMap's key."""
        return {"name": port_name(self.uid), "port": self.port, "protocol": "TCP", "targetPort": self.port}


def port_claim(service: Service) -> PortClaim | None:
    """The port that the service's spec asks for; None where it is not reached through ingress-nginx."""
    routes = addresses.exposed(service)
    if routes is None:
        return None
    backend = f"{service.namespace}/{addresses.mqtt_name(service)}:{addresses.MQTTS_PORT}"
    return PortClaim(service.uid, routes.mqtt_port, backend)


def field_manager(uid: str) -> str:
    """A field manager for each service: what one of them no longer applies goes, and nothing of another's."""
    return f"{FIELD_MANAGER}-{uid}"


def port_name(uid: str) -> str:
    """Name of a service's port: 15 characters, as long as such a name may be."""
    return f"mqtt-{digest(uid)}"


def holder(value: str) -> str | None:
    """``namespace/name`` of the service that a key of the ConfigMap leads to; None where it leads to something else."""
    match = _BACKEND.fullmatch(value)
    return None if match is None else f"{match['namespace']}/{match['name']}"


def config_map(shared: IngressNginxController, uid: str, entries: Mapping[str, str]) -> Manifest:
    """What a service applies to the ConfigMap; the uid keeps the API server from making one that is not there."""
    manifest = _manifest("ConfigMap", shared.namespace, shared.tcp_services_config_map, uid)
    return {**manifest, "data": dict(entries)} if entries else manifest


def controller_service(shared: IngressNginxController, uid: str, ports: list[Manifest]) -> Manifest:
    """What a service applies to the controller's Service."""
    manifest = _manifest("Service", shared.namespace, shared.controller_service, uid)
    return {**manifest, "spec": {"ports": ports}} if ports else manifest


def _manifest(kind: str, namespace: str, name: str, uid: str) -> Manifest:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"namespace": namespace, "name": name, "uid": uid}}
