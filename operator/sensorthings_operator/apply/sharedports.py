"""Who has which port of the ingress-nginx controller, read from the objects that all services share.

An equal value of somebody else's is seen here: the API server would let both own it, and a release would leave theirs.
Used by apply/tcpservices.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from sensorthings_operator.apply.ownership import FieldSet, applied_fields, lost_fields
from sensorthings_operator.desired import tcpservices
from sensorthings_operator.desired.settings import IngressNginxController
from sensorthings_operator.desired.tcpservices import PortClaim

_OTHER_NUMBER: Final = "give spec.exposure.ingressNginx.mqttPort another number"


@dataclass(frozen=True)
class SharedPorts:
    """The shared objects as they are."""

    settings: IngressNginxController
    config_map: Mapping[str, Any]
    service: Mapping[str, Any]

    @property
    def data(self) -> Mapping[str, str]:
        """Where each port leads."""
        data: Mapping[str, str] = self.config_map.get("data") or {}
        return data

    @property
    def ports(self) -> list[dict[str, Any]]:
        """TCP ports of the controller's Service."""
        return [port for port in self.service["spec"].get("ports", ()) if port.get("protocol", "TCP") == "TCP"]

    def keys_of(self, manager: str) -> dict[str, str]:
        """What a service has in the ConfigMap."""
        owned = _within(applied_fields(self.config_map["metadata"], manager), "data")
        return {key: value for key, value in self.data.items() if f"f:{key}" in owned}

    def ports_of(self, manager: str) -> set[int]:
        """What a service has in the controller's Service."""
        owned = _within(applied_fields(self.service["metadata"], manager), "spec", "ports")
        return {port["port"] for port in self.ports if _port_field(port["port"]) in owned}

    def port_stands(self, claim: PortClaim) -> bool:
        """Whether the port is there as it was applied: a field that somebody changed is theirs."""
        if claim.port not in self.ports_of(claim.manager):
            return False
        fields = applied_fields(self.service["metadata"], claim.manager)
        return not lost_fields({"spec": {"ports": [claim.service_port]}}, fields or {})

    def is_settled(self, claim: PortClaim) -> bool:
        """Whether the service has what it claims, and nothing else."""
        keys = self.keys_of(claim.manager)
        return keys == {claim.key: claim.backend} and self.is_led(claim)

    def is_led(self, claim: PortClaim) -> bool:
        """Whether the controller's Service has the port, and no other of the service's."""
        return self.ports_of(claim.manager) == {claim.port} and self.port_stands(claim)

    def writers_of_key(self, key: str) -> list[str]:
        """Who wrote a key of the ConfigMap."""
        return _writers(self.config_map, f"f:{key}", "data")

    def writers_of_port(self, number: int) -> list[str]:
        """Who wrote a port of the controller's Service."""
        return _writers(self.service, _port_field(number), "spec", "ports")

    def namesakes(self, claim: PortClaim) -> set[str]:
        """uids of deleted services of the same name that never released: who else led a port to its backend?"""
        led_here = [key for key, value in self.data.items() if value == claim.backend]
        ours = {writer for key in led_here for writer in self.writers_of_key(key)} - {claim.manager}
        prefix = tcpservices.field_manager("")
        return {writer.removeprefix(prefix) for writer in ours if writer.startswith(prefix)}


def problems(claim: PortClaim, shared: SharedPorts) -> Iterator[str]:
    """Sentences about what keeps a port from the service: who has its key, its number or its name."""
    value = shared.data.get(claim.key)
    if value is not None and claim.key not in shared.keys_of(claim.manager):
        yield _key_taken(claim, shared, value)
    service = f"Service {shared.settings.namespace}/{shared.settings.controller_service}"
    for port in shared.ports:
        if port["port"] == claim.port and not shared.port_stands(claim):
            others = [writer for writer in shared.writers_of_port(claim.port) if writer != claim.manager]
            if others or claim.port not in shared.ports_of(claim.manager):
                written = _by(others)
                yield f"port {claim.port} of {service} is there already{written}: {_OTHER_NUMBER}, or remove it there"
        elif port.get("name") == claim.service_port["name"] and port["port"] not in shared.ports_of(claim.manager):
            written = _by(shared.writers_of_port(port["port"]))
            yield f"port {port['port']} of {service} has the name {port['name']}{written}: rename or remove it there"


def _key_taken(claim: PortClaim, shared: SharedPorts, value: str) -> str:
    config_map = f"ConfigMap {shared.settings.namespace}/{shared.settings.tcp_services_config_map}"
    remove = f"remove the key {claim.key} of {config_map}"
    written = _by(shared.writers_of_key(claim.key))
    if value == claim.backend:
        return f"port {claim.port} leads to the service{written}, not by the operator: {remove}, it then writes its own"
    other = tcpservices.holder(value)
    if other is not None:
        return f"port {claim.port} belongs to the service {other}: {_OTHER_NUMBER}, or if that one is gone, {remove}"
    return f"port {claim.port} leads to {value}{written}: {_OTHER_NUMBER}, or {remove}"


def _by(writers: list[str]) -> str:
    return f", written by {', '.join(writers)}" if writers else ""


def _writers(live: Mapping[str, Any], field: str, *path: str) -> list[str]:
    entries = live["metadata"].get("managedFields", ())
    return sorted({entry["manager"] for entry in entries if field in _within(entry.get("fieldsV1"), *path)})


def _within(fields: FieldSet | None, *path: str) -> FieldSet:
    for name in path:
        fields = (fields or {}).get(f"f:{name}")
    return fields or {}


def _port_field(number: int) -> str:
    return f"k:{orjson.dumps({'port': number, 'protocol': 'TCP'}).decode()}"
