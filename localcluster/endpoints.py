"""Where a cluster and what is in it are reached, for people and as JSON. `up` prints it; the tests read it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from localcluster import reach
from localcluster.addons import keycloak

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcluster.plan import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where things are reached from the host; what is not installed is empty.

    Args:
        kubeconfig: File of the administrator.
        kubectl: The command.
        sensorthings: The example's SensorThings API, down to the version.
        mqtt: Its MQTT endpoint.
        websocket: Its endpoint for MQTT over WebSocket.
        map: Its live map, a page for a browser.
        address: What the host names in these URLs have to be resolved to; empty where DNS, or nobody, does it.
        ca: File with the certificate that they are trusted by.
        keycloak: URL of Keycloak.
        prometheus: URL of Prometheus.
        writer: File with the credentials of a client that may write to the example.
    """

    kubeconfig: str
    kubectl: str
    sensorthings: str = ""
    mqtt: str = ""
    websocket: str = ""
    map: str = ""
    address: str = ""
    ca: str = ""
    keycloak: str = ""
    prometheus: str = ""
    writer: str = ""

    def as_dict(self) -> dict[str, str]:
        """For JSON; the keys are part of the interface."""
        return asdict(self)


def exposed(resource: Mapping[str, Any]) -> bool:
    """Whether a SensorThingsService is reached from outside its cluster."""
    return bool(resource["spec"]["exposure"]["type"] != "None")


def uses_realm(resource: Mapping[str, Any]) -> bool:
    """Whether the tokens of a SensorThingsService come from the realm of the local Keycloak."""
    auth = resource["spec"]["auth"]
    return bool(auth["type"] == "Keycloak" and auth["keycloak"]["realm"] == keycloak.REALM)


def of_service(resource: Mapping[str, Any]) -> dict[str, str]:
    """The endpoints of a SensorThingsService as its status names them, by our names."""
    urls = {each["name"]: each["url"] for each in resource.get("status", {}).get("endpoints", [])}
    ours = {"sensorthings": "sensorthings", "mqtt": "mqtt", "websocket": "mqtt-websocket", "map": "map"}
    return {name: urls.get(theirs, "") for name, theirs in ours.items()}


def published(cluster: Cluster, resource: Mapping[str, Any]) -> dict[str, str]:
    """The endpoints of a SensorThingsService that is published on 127.0.0.1 (see `reach.publish`)."""
    ports = cluster.ports
    path = resource["spec"].get("rootPath", "")
    return {
        "sensorthings": f"http://{reach.LOOPBACK}:{ports.http}{path}/v1.1",
        "mqtt": f"mqtt://{reach.LOOPBACK}:{ports.mqtt}",
        "websocket": f"ws://{reach.LOOPBACK}:{ports.websocket}/mqtt",
    }
