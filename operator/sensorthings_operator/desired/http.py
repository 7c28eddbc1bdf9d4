"""The HTTP module: a Deployment and its Service."""

from collections.abc import Mapping, Sequence
from typing import Final

from sensorthings_operator.desired import addresses, basic, buscertificates, frost, keycloak, podmonitor
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.pods import DRAINING, container, resources
from sensorthings_operator.desired.queues import module_queue
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.workloads import replicas

COMPONENT: Final = "http"
SERVICE_PORT: Final = 80
EDGE_IDLE_SECONDS: Final = 15
"""After which whatever is in front closes a connection to the module that nobody uses. FROST-Server's Tomcat does so
after 20 s (connectionTimeout in the server.xml that it comes with); a POST that is sent in that moment fails, since
nobody may send it again."""


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The Deployment and the Service that clients and routes go to."""
    own_image = image(service, settings)
    return frost.module(
        service,
        settings,
        COMPONENT,
        addresses.http_name(service),
        replicas(service, service.spec.http),
        ports=ports(),
        init_containers=[
            *buscertificates.init_containers(service, settings, own_image),
            *keycloak.init_containers(service, settings, own_image),
        ],
        containers=[_container(service, settings)],
        more_volumes=[*buscertificates.client_volumes(service, settings), *keycloak.volumes(service)],
        more_annotations={
            **buscertificates.template_annotations(service),
            **keycloak.annotations(service, settings),
        },
    )


def ports() -> list[Manifest]:
    """Ports of the Service."""
    return [{"name": "http", "port": SERVICE_PORT, "protocol": "TCP", "targetPort": "http"}]


def things_probe(service: Service) -> Manifest:
    """A probe that goes through to the database: with it down, /v1.1 answers 200, and so does Things?$top=0."""
    return {"httpGet": {"path": f"{service.spec.root_path}/v1.1/Things?$top=1&$select=id", "port": "http"}}


def image(service: Service, settings: OperatorSettings) -> str:
    """The module's image."""
    return frost.image(settings.images.frost_http, service)


def _module_settings(service: Service) -> dict[str, str]:
    return {
        **podmonitor.frost_settings(service),
        **keycloak.http_settings(service),
        **basic.http_settings(service),
        # Maps in a browser read from other origins.
        "http.cors.enable": "true",
    }


def _resources(service: Service) -> Manifest:
    return resources(service.spec.http.resources, cpu="250m", memory="768Mi")


def _container(service: Service, settings: OperatorSettings) -> Manifest:
    return container_with(
        service,
        settings,
        # Nothing comes to it from the bus, but FROST-Server has that queue too.
        frost.message_bus(service, settings, module_queue(_resources(service), 2)),
        java_options=buscertificates.java_options(service, settings),
        more_mounts=buscertificates.client_mounts(service, settings),
    )


def container_with(
    service: Service,
    settings: OperatorSettings,
    module: Mapping[str, str],
    *,
    java_options: Sequence[str] = (),
    more_mounts: Sequence[Manifest] = (),
) -> Manifest:
    """The container, with settings that are not the same for writes and reads."""
    alive = {"httpGet": {"path": f"{service.spec.root_path}/v1.1", "port": "http"}}
    ready = things_probe(service)
    if not service.spec.auth.anonymous_read:
        # A probe has no token and no password, and all that it would hear is 401.
        alive = ready = {"tcpSocket": {"port": "http"}}
    return container(
        "frost-http",
        image(service, settings),
        settings,
        env=frost.environment(
            service,
            settings,
            {**module, **_module_settings(service)},
            service.spec.http.settings,
            java_options,
        ),
        ports=[
            {"name": "http", "containerPort": addresses.HTTP_PORT, "protocol": "TCP"},
            *podmonitor.frost_container_ports(service),
        ],
        resources=_resources(service),
        # Alive without the database: restarting pods does not bring a database back.
        startupProbe={**alive, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 180},
        readinessProbe={**ready, "periodSeconds": 3, "timeoutSeconds": 5, "failureThreshold": 2},
        livenessProbe={**alive, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        lifecycle=DRAINING,
        volumeMounts=[
            *frost.mounts(service, settings),
            *more_mounts,
            *keycloak.mounts(service),
        ],
    )
