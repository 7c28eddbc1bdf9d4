"""The MQTT module: a Deployment and its Service, for TCP and WebSocket, both in TLS where there is a certificate."""

from typing import Final

from sensorthings_operator.desired import (
    addresses,
    basic,
    buscertificates,
    frost,
    keycloak,
    mqttgate,
    podmonitor,
    sidecar,
)
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.pods import DRAINING, container, resources
from sensorthings_operator.desired.queues import module_queue
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.workloads import replicas

COMPONENT: Final = sidecar.COMPONENT


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The Deployment and a Service without session affinity, which would pin all clients behind a proxy to one pod."""
    encrypted = sidecar.is_wanted(service)
    image = _image(service, settings)
    return frost.module(
        service,
        settings,
        COMPONENT,
        addresses.mqtt_name(service),
        replicas(service, service.spec.mqtt),
        ports=sidecar.ports(service) if encrypted else _plain_ports(),
        # The sidecars first: they listen while the module waits and starts.
        init_containers=[
            *([sidecar.container(service, settings)] if encrypted else []),
            mqttgate.container(service, settings),
            *buscertificates.init_containers(service, settings, image),
            *keycloak.init_containers(service, settings, image),
            _wait_for_bus(service, settings),
        ],
        containers=[_container(service, settings)],
        more_volumes=[
            mqttgate.volume(service),
            *(sidecar.volumes(service) if encrypted else []),
            *buscertificates.client_volumes(service, settings),
            *keycloak.volumes(service),
        ],
        more_annotations={
            **buscertificates.template_annotations(service),
            **(sidecar.template_annotations(service) if encrypted else {}),
            **keycloak.annotations(service, settings),
            **mqttgate.annotations(service, settings),
        },
    )


def _image(service: Service, settings: OperatorSettings) -> str:
    return frost.image(settings.images.frost_mqtt, service)


def _plain_ports() -> list[Manifest]:
    return [
        {"name": "mqtt", "port": addresses.MQTT_PORT, "protocol": "TCP", "targetPort": "mqtt"},
        {"name": "websocket", "port": addresses.WEBSOCKET_PORT, "protocol": "TCP", "targetPort": "websocket"},
    ]


def _resources(service: Service) -> Manifest:
    return resources(service.spec.mqtt.resources, cpu="250m", memory="768Mi")


def _module_settings(service: Service, settings: OperatorSettings) -> dict[str, str]:
    # Four: to the bus and from it, for subscribers, and for what is published here.
    queue_size = module_queue(_resources(service), 4)
    return {
        **frost.message_bus(service, settings, queue_size),
        **podmonitor.frost_settings(service),
        **keycloak.mqtt_settings(service),
        **basic.mqtt_settings(service),
        "mqtt.Enabled": "true",
        "mqtt.mqttServerImplementationClass": "de.fraunhofer.iosb.ilt.frostserver.mqtt.moquette.MoquetteMqttServer",
        **mqttgate.frost_settings(),
        "mqtt.QoS": "2",
        "mqtt.persistentStoreType": "memory",
        "mqtt.SubscribeMessageQueueSize": queue_size,
        "mqtt.SubscribeThreadPoolSize": "20",
        "mqtt.CreateMessageQueueSize": queue_size,
        "mqtt.CreateThreadPoolSize": "10",
        "mqtt.WaitForEnter": "false",
    }


def _wait_for_bus(service: Service, settings: OperatorSettings) -> Manifest:
    """The module subscribes once, at its start: where the bus is not there then, it never delivers anything."""
    address = addresses.bus_address(service, settings)
    encryption = buscertificates.mosquitto_options(service) or ("--tls-use-os-certs " if address.tls else "")
    subscribe = f"mosquitto_sub -h {address.host} -p {address.port} {encryption}-t FROST-Bus -E -W 5"
    return container(
        "wait-for-bus",
        settings.images.mosquitto,
        settings,
        command=["sh", "-c", f"until {subscribe}; do sleep 0.2; done"],
        resources={"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}},
        **buscertificates.waiting_mounts(service),
    )


def _container(service: Service, settings: OperatorSettings) -> Manifest:
    listening = mqttgate.listening()
    return container(
        "frost-mqtt",
        _image(service, settings),
        settings,
        env=frost.environment(
            service,
            settings,
            _module_settings(service, settings),
            service.spec.mqtt.settings,
            buscertificates.java_options(service, settings),
        ),
        **_ports(service),
        resources=_resources(service),
        startupProbe={**listening, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 180},
        readinessProbe={**listening, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 2},
        livenessProbe={**listening, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        lifecycle=DRAINING,
        volumeMounts=[
            *frost.mounts(service, settings),
            *buscertificates.client_mounts(service, settings),
            *keycloak.mounts(service),
        ],
    )


def _ports(service: Service) -> Manifest:
    """None that others could reach, but for its metrics."""
    ports = podmonitor.frost_container_ports(service)
    return {"ports": ports} if ports else {}
