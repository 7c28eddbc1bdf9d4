"""The gate in the MQTT module's pod: its ConfigMap, its container, and how FROST-Server is probed behind it.

FROST-Server's MQTT module trusts client ids, relays wills unchecked and never looks at a token's expiry again. So it
listens on loopback, and nobody but the gate comes to it; ``gate/README.md`` says what that lets through. A native
sidecar: it runs before FROST-Server starts and until it has ended. Used by ``mqtt``.
"""

import json
from typing import Any, Final

from sensorthings_operator.api.base import GROUP
from sensorthings_operator.desired import addresses, keycloak, pods, sidecar
from sensorthings_operator.desired.metadata import Manifest, digest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

STATUS_PORT: Final = 8082
"""Probes and metrics; on no Service."""
STATUS_PORT_NAME: Final = "gate-status"
METRICS_PATH: Final = "/metrics"
FROST_HOST: Final = sidecar.LOOPBACK
FROST_PORT: Final = 11883
FROST_WEBSOCKET_PORT: Final = 19876
"""Nobody comes there: the gate speaks to WebSockets itself. FROST-Server can't do without it."""
HASH_ANNOTATION: Final = f"{GROUP}/gate-hash"

_ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - inside the pod
_CONFIG_PATH: Final = "/etc/sensorthings/gate"
_CA: Final = "ca.crt"
_VERSION: Final = "v1.1"
"""Of the SensorThings API: topics begin with it, as paths below the root do."""
_PACKET_BYTES: Final = 8092
"""FROST-Server's own limit of an MQTT packet."""
_MEMORY_MEBIBYTES: Final = 128
_HEAP_PERCENT: Final = 75
_GARBAGE_PERCENT: Final = 25
"""Of what is in use, before Go collects it (100 by default): most of what a thousand connections take while messages go
through is garbage, and each collection is short."""


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The ConfigMap; nothing while the realm is not known, so that pods wait for it."""
    data = _data(service, settings)
    if not data:
        return []
    described = metadata(service, sidecar.COMPONENT, _name(service))
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": described, "data": data}]


def container(service: Service, settings: OperatorSettings) -> Manifest:
    """The gate. FROST-Server's own probes go through it, and a startup probe would hold that back."""
    return pods.container(
        "mqtt-gate",
        settings.images.mqtt_gate,
        settings,
        restartPolicy="Always",
        args=["--config", f"{_CONFIG_PATH}/gate.json"],
        env=pods.env({"GOGC": str(_GARBAGE_PERCENT), "GOMEMLIMIT": f"{_MEMORY_MEBIBYTES * _HEAP_PERCENT // 100}MiB"}),
        ports=[
            *(_plain_ports() if not sidecar.is_wanted(service) else []),
            {"name": STATUS_PORT_NAME, "containerPort": STATUS_PORT, "protocol": "TCP"},
        ],
        resources={
            "requests": {"cpu": "20m", "memory": "32Mi"},
            "limits": {"memory": f"{_MEMORY_MEBIBYTES}Mi"},
        },
        readinessProbe={**_answers("/livez"), "periodSeconds": 3, "timeoutSeconds": 5},
        livenessProbe={**_answers("/livez"), "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        volumeMounts=[{"name": "gate", "mountPath": _CONFIG_PATH, "readOnly": True}],
    )


def listening() -> Manifest:
    """A probe of FROST-Server, which kubelet can't reach on loopback: the gate asks for it."""
    return _answers("/broker")


def volume(service: Service) -> Manifest:
    """The volume of its configuration."""
    return {"name": "gate", "configMap": {"name": _name(service)}}


def annotations(service: Service, settings: OperatorSettings) -> dict[str, str]:
    """Annotation that rolls the pods when the configuration changes, which is read at the start."""
    data = _data(service, settings)
    return {HASH_ANNOTATION: digest(data)} if data else {}


def frost_settings() -> dict[str, str]:
    """FROST-Server's settings of where it listens."""
    return {
        "mqtt.Host": FROST_HOST,
        "mqtt.internalHost": "localhost",
        "mqtt.Port": str(FROST_PORT),
        "mqtt.WebsocketPort": str(FROST_WEBSOCKET_PORT),
    }


def _name(service: Service) -> str:
    return f"{addresses.mqtt_name(service)}-gate"


def _answers(path: str) -> Manifest:
    # By number: FROST-Server's container has no port of that name.
    return {"httpGet": {"path": path, "port": STATUS_PORT}}


def _plain_ports() -> list[Manifest]:
    return [
        {"name": "mqtt", "containerPort": addresses.MQTT_PORT, "protocol": "TCP"},
        {"name": "websocket", "containerPort": addresses.WEBSOCKET_PORT, "protocol": "TCP"},
    ]


def _data(service: Service, settings: OperatorSettings) -> dict[str, str]:
    auth = _auth(service, settings)
    if not auth:
        return {}
    host = FROST_HOST if sidecar.is_wanted(service) else _ANYWHERE
    configuration: dict[str, Any] = {
        "listen": {
            "mqtt": f"{host}:{addresses.MQTT_PORT}",
            "webSocket": f"{host}:{addresses.WEBSOCKET_PORT}",
            "status": f"{_ANYWHERE}:{STATUS_PORT}",
        },
        "broker": f"{FROST_HOST}:{FROST_PORT}",
        "auth": auth,
        **_publishing(service, settings),
        "limits": {"packetBytes": _PACKET_BYTES, **_limits(service)},
    }
    authorities = "".join(keycloak.certificates(service.realm_ca or ""))
    return {"gate.json": json.dumps(configuration, indent=2) + "\n", **({_CA: authorities} if authorities else {})}


def _auth(service: Service, settings: OperatorSettings) -> dict[str, Any]:
    auth = service.spec.auth
    if not keycloak.is_used(service):
        return {"type": auth.type, "anonymousRead": auth.anonymous_read}
    realm = keycloak.realm_of(service, settings)
    if realm is None or service.realm_ca is None:
        return {}
    trusted = {"caFile": f"{_CONFIG_PATH}/{_CA}"} if keycloak.certificates(service.realm_ca) else {}
    return {
        "type": auth.type,
        "anonymousRead": auth.anonymous_read,
        "keycloak": {
            "issuer": f"{realm.url.rstrip('/')}/realms/{realm.realm}",
            "clientId": keycloak.client_of(service).client_id,
            **trusted,
        },
    }


def _publishing(service: Service, settings: OperatorSettings) -> dict[str, Any]:
    """What is published goes to the HTTP module, which stores it or says why not."""
    if not service.spec.mqtt.publishing.enabled:
        return {}
    host = addresses.cluster_host(service, addresses.http_name(service), settings)
    return {"publishing": {"url": f"http://{host}{service.spec.root_path}/{_VERSION}", "topicPrefix": _VERSION}}


def _limits(service: Service) -> dict[str, Any]:
    publishing = service.spec.mqtt.publishing
    return {"publishPerSecond": publishing.per_second, "publishBurst": publishing.burst}
