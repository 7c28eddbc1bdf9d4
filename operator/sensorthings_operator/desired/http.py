"""The HTTP module: a Deployment and its Service."""

from typing import Final

from sensorthings_operator.desired import addresses, buscertificates, frost, keycloak, podmonitor
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.pods import container, resources
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

COMPONENT: Final = "http"
SERVICE_PORT: Final = 80


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The Deployment and the Service that clients and routes go to."""
    image = _image(service, settings)
    return frost.module(
        service,
        settings,
        COMPONENT,
        addresses.http_name(service),
        service.spec.http,
        ports=[{"name": "http", "port": SERVICE_PORT, "protocol": "TCP", "targetPort": "http"}],
        init_containers=[
            *buscertificates.init_containers(service, settings, image),
            *keycloak.init_containers(service, settings, image),
        ],
        containers=[_container(service, settings)],
        more_volumes=[*buscertificates.client_volumes(service, settings), *keycloak.volumes(service)],
        more_annotations={
            **buscertificates.template_annotations(service),
            **keycloak.annotations(service, settings),
        },
    )


def things_probe(service: Service) -> Manifest:
    """A probe that goes through to the database: with it down, /v1.1 answers 200, and so does Things?$top=0."""
    return {"httpGet": {"path": f"{service.spec.root_path}/v1.1/Things?$top=1&$select=id", "port": "http"}}


def _image(service: Service, settings: OperatorSettings) -> str:
    return frost.image(settings.images.frost_http, service)


def _module_settings(service: Service, settings: OperatorSettings) -> dict[str, str]:
    return {
        **frost.message_bus(service, settings),
        **podmonitor.frost_settings(service),
        **keycloak.http_settings(service),
        # Maps in a browser read from other origins.
        "http.cors.enable": "true",
    }


def _container(service: Service, settings: OperatorSettings) -> Manifest:
    alive = {"httpGet": {"path": f"{service.spec.root_path}/v1.1", "port": "http"}}
    ready = things_probe(service)
    if not service.spec.auth.anonymous_read:
        # A probe has no token, and all that it would hear is 401.
        alive = ready = {"tcpSocket": {"port": "http"}}
    return container(
        "frost-http",
        _image(service, settings),
        settings,
        env=frost.environment(
            service,
            settings,
            _module_settings(service, settings),
            service.spec.http.settings,
            buscertificates.java_options(service, settings),
        ),
        ports=[
            {"name": "http", "containerPort": addresses.HTTP_PORT, "protocol": "TCP"},
            *podmonitor.frost_container_ports(service),
        ],
        resources=resources(service.spec.http.resources, cpu="250m", memory="768Mi"),
        # Alive without the database: restarting pods does not bring a database back.
        startupProbe={**alive, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 180},
        readinessProbe={**ready, "periodSeconds": 3, "timeoutSeconds": 5, "failureThreshold": 2},
        livenessProbe={**alive, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        # Endpoints learn of a pod's end while it still answers.
        lifecycle={"preStop": {"sleep": {"seconds": 5}}},
        volumeMounts=[
            *frost.mounts(service, settings),
            *buscertificates.client_mounts(service, settings),
            *keycloak.mounts(service),
        ],
    )
