"""The message bus: a mosquitto with persistence, in a StatefulSet.

Without persistence FROST-Server's MQTT module reconnects after a restart of the bus, but never subscribes again, and
delivers nothing from then on. One pod: mosquitto has no clustering, and a short pause is made up for by its sessions.
"""

from typing import Final

from sensorthings_operator.api.bus import MosquittoBus
from sensorthings_operator.desired import buscertificates
from sensorthings_operator.desired.addresses import BUS_PORT, bus_name
from sensorthings_operator.desired.metadata import CONFIGURATION_HASH_ANNOTATION, Manifest, digest, metadata
from sensorthings_operator.desired.pods import TMP_MOUNT, TMP_VOLUME, container, pod_spec, resources
from sensorthings_operator.desired.queues import bus_queue
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.workloads import headless_service, replicas, stateful_set

COMPONENT: Final = "bus"
_USER: Final = 1883
_CONFIG_PATH: Final = "/mosquitto/config"
_CERTIFICATES_PATH: Final = "/mosquitto/certificates"
_DATA_PATH: Final = "/mosquitto/data"
_COMMON_CONFIGURATION: Final = f"""\
listener {BUS_PORT}
cafile {_CERTIFICATES_PATH}/{buscertificates.CA}
certfile {_CERTIFICATES_PATH}/{buscertificates.SERVER}
keyfile {_CERTIFICATES_PATH}/{buscertificates.SERVER_KEY}
require_certificate true
use_identity_as_username true
allow_anonymous false
persistence true
persistence_location {_DATA_PATH}/
# Seconds. Saving on each change rewrites the whole file for every message, and caps the bus at some 60 a second.
autosave_interval 5
autosave_on_changes false
# Each pod of a module leaves a session behind that nobody comes back for, and messages wait there. No less can be said.
persistent_client_expiration 1h
log_dest stdout
log_type error
log_type warning
log_type notice
"""


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """ConfigMap, Service and StatefulSet; nothing where the bus is run elsewhere."""
    if service.spec.bus.type != "Mosquitto":
        return []
    mosquitto = service.spec.bus.mosquitto or MosquittoBus()
    name = bus_name(service)
    configuration = {"mosquitto.conf": _configuration(service, mosquitto)}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(service, COMPONENT, name),
            "data": configuration,
        },
        headless_service(
            service,
            COMPONENT,
            name,
            ports=[{"name": "mqtts", "port": BUS_PORT, "protocol": "TCP", "targetPort": "mqtts"}],
        ),
        stateful_set(
            service,
            COMPONENT,
            name,
            replicas=0 if service.spec.hibernated else 1,
            annotations={
                # Without the limits, which follow the number of pods: a bus that starts anew for these would keep
                # everybody waiting, and they can wait for its next start.
                CONFIGURATION_HASH_ANNOTATION: digest(_COMMON_CONFIGURATION),
                **buscertificates.template_annotations(service),
            },
            pod=pod_spec(
                service,
                COMPONENT,
                user=_USER,
                service_account=name,
                containers=[_container(mosquitto, settings)],
                volumes=[
                    TMP_VOLUME,
                    {"name": "config", "configMap": {"name": name}},
                    buscertificates.volume(
                        service, buscertificates.CA, buscertificates.SERVER, buscertificates.SERVER_KEY
                    ),
                ],
            ),
            storage=mosquitto.storage,
        ),
    ]


def _sessions(service: Service) -> int:
    """Each pod of the MQTT module has one, and one more comes up while they are rolled, which leaves as many behind."""
    return 2 * replicas(service, service.spec.mqtt).most + 1


def _resources(mosquitto: MosquittoBus) -> Manifest:
    return resources(mosquitto.resources, cpu="50m", memory="128Mi")


def _configuration(service: Service, mosquitto: MosquittoBus) -> str:
    messages, size = bus_queue(_resources(mosquitto), _sessions(service))
    return f"{_COMMON_CONFIGURATION}max_queued_messages {messages}\nmax_queued_bytes {size}\n"


def _container(mosquitto: MosquittoBus, settings: OperatorSettings) -> Manifest:
    listening = {"tcpSocket": {"port": "mqtts"}}
    return container(
        "mosquitto",
        settings.images.mosquitto,
        settings,
        command=["mosquitto", "-c", f"{_CONFIG_PATH}/mosquitto.conf"],
        ports=[{"name": "mqtts", "containerPort": BUS_PORT, "protocol": "TCP"}],
        resources=_resources(mosquitto),
        startupProbe={**listening, "periodSeconds": 1, "failureThreshold": 60},
        readinessProbe={**listening, "periodSeconds": 5},
        livenessProbe={**listening, "periodSeconds": 10, "failureThreshold": 3},
        volumeMounts=[
            TMP_MOUNT,
            {"name": "config", "mountPath": _CONFIG_PATH, "readOnly": True},
            buscertificates.mount(_CERTIFICATES_PATH),
            {"name": "data", "mountPath": _DATA_PATH},
        ],
    )
