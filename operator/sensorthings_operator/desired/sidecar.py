"""Envoy in the MQTT module's pod, where TLS ends: its ConfigMap and its container.

The gate listens on loopback then, and Envoy alone takes connections from outside the pod. A native sidecar: it runs
before FROST-Server starts and until it has ended. Used by ``mqtt``; the configuration is ``envoy``'s.
"""

from dataclasses import replace
from typing import Any, Final

import orjson

from sensorthings_operator.desired import addresses, envoy, pods
from sensorthings_operator.desired.metadata import CONFIGURATION_HASH_ANNOTATION, Manifest, digest, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

COMPONENT: Final = "mqtt"
LOOPBACK: Final = "127.0.0.1"
_ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - inside the pod
_CONFIG_PATH: Final = "/etc/envoy"
_CERTIFICATE_PATH: Final = "/etc/sensorthings/certificate"
_SOCKET_PATH: Final = "/run/envoy"
_MEMORY_LIMIT: Final = "192Mi"
"""Holds envoy.MAX_CONNECTIONS clients also while none of them reads what is sent to it."""
_OWNER_AND_GROUP_READ: Final = 0o440

LAYOUT: Final = envoy.Layout(
    mqtts=envoy.Address(_ANYWHERE, addresses.MQTTS_PORT),
    wss=envoy.Address(_ANYWHERE, addresses.WSS_PORT),
    status=envoy.Address(_ANYWHERE, addresses.STATUS_PORT),
    mqtt=envoy.Address(LOOPBACK, addresses.MQTT_PORT),
    websocket=envoy.Address(LOOPBACK, addresses.WEBSOCKET_PORT),
    secret_file=f"{_CONFIG_PATH}/certificate.json",
    certificate_folder=_CERTIFICATE_PATH,
    socket_folder=_SOCKET_PATH,
)


def build(service: Service, _: OperatorSettings) -> list[Manifest]:
    """The ConfigMap; nothing without a certificate."""
    if not is_wanted(service):
        return []
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(service, COMPONENT, _name(service)),
            "data": _configuration(service),
        }
    ]


def is_wanted(service: Service) -> bool:
    """Whether MQTT is served in TLS: with a certificate, unless a Gateway ends TLS for MQTT, too."""
    routes = addresses.gateway(service)
    return service.spec.certificate is not None and (routes is None or routes.mqtt_tls == "Passthrough")


def layout(service: Service) -> envoy.Layout:
    """Where things are in the pod. A Gateway ends TLS for a whole host, and speaks to WebSockets without."""
    if addresses.gateway(service) is None:
        return LAYOUT
    return replace(LAYOUT, plain_websocket=envoy.Address(_ANYWHERE, addresses.PLAIN_WEBSOCKET_PORT))


def container(service: Service, settings: OperatorSettings) -> Manifest:
    """The sidecar. Its pod is ready once a TLS handshake succeeds, and the probes of what stands behind it do."""
    return pods.container(
        "envoy",
        settings.images.envoy,
        settings,
        restartPolicy="Always",
        command=command(f"{_CONFIG_PATH}/envoy.json"),
        ports=[
            {"name": name, "containerPort": port, "protocol": "TCP"}
            for name, port in (
                *((name, port) for name, _, port in _ports(service)),
                (addresses.STATUS_PORT_NAME, addresses.STATUS_PORT),
            )
        ],
        resources={"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": _MEMORY_LIMIT}},
        readinessProbe={**_answers(envoy.CERTIFICATE_PATH), "periodSeconds": 3, "timeoutSeconds": 5},
        livenessProbe={**_answers(envoy.READY_PATH), "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        volumeMounts=[
            {"name": "envoy-config", "mountPath": _CONFIG_PATH, "readOnly": True},
            {"name": "certificate", "mountPath": _CERTIFICATE_PATH, "readOnly": True},
            {"name": "envoy-sockets", "mountPath": _SOCKET_PATH},
        ],
    )


def command(configuration: str) -> list[str]:
    """Runs Envoy with a configuration file. Its options take no ``=``."""
    # Hot restart would share memory below /dev/shm, which is read-only.
    return ["envoy", "--config-path", configuration, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"]


def volumes(service: Service) -> list[Manifest]:
    """Volumes of the sidecar."""
    secret = {
        "secretName": addresses.certificate_secret_name(service),
        "defaultMode": _OWNER_AND_GROUP_READ,
        "items": [{"key": key, "path": key} for key in ("tls.crt", "tls.key")],
    }
    return [
        {"name": "envoy-config", "configMap": {"name": _name(service)}},
        {"name": "certificate", "secret": secret},
        {"name": "envoy-sockets", "emptyDir": {}},
    ]


def template_annotations(service: Service) -> dict[str, str]:
    """Annotations that roll the pods when the configuration changes; a renewed certificate is taken up without."""
    return {CONFIGURATION_HASH_ANNOTATION: digest(_configuration(service))}


def ports(service: Service) -> list[Manifest]:
    """Ports of the Service."""
    return [{"name": name, "port": port, "protocol": "TCP", "targetPort": name} for name, port, _ in _ports(service)]


def pod_ports(service: Service) -> tuple[int, ...]:
    """Ports of the pod that clients come to."""
    return tuple(port for _, _, port in _ports(service))


def _ports(service: Service) -> list[tuple[str, int, int]]:
    """Name, port of the Service and port in the pod."""
    web_socket = (addresses.WSS_PORT_NAME, addresses.WSS_PORT, addresses.WSS_PORT)
    if addresses.gateway(service) is not None:
        web_socket = (addresses.WEBSOCKET_PORT_NAME, addresses.WEBSOCKET_PORT, addresses.PLAIN_WEBSOCKET_PORT)
    return [(addresses.MQTTS_PORT_NAME, addresses.MQTTS_PORT, addresses.MQTTS_PORT), web_socket]


def _name(service: Service) -> str:
    return f"{addresses.mqtt_name(service)}-tls"


def _answers(path: str) -> Manifest:
    return {"httpGet": {"path": path, "port": addresses.STATUS_PORT}}


def _configuration(service: Service) -> dict[str, str]:
    where = layout(service)
    files: dict[str, dict[str, Any]] = {"envoy.json": envoy.bootstrap(where), "certificate.json": envoy.secret(where)}
    style = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return {name: orjson.dumps(content, option=style).decode() for name, content in files.items()}
