"""Pods of the HTTP module that answer reads from the database's standbys: a Deployment and its Service.

A Gateway tells reads by their method, and sends them here. FROST-Server can't write to a standby, and nothing asks it
to; where no standby answers, the driver takes the primary. What was written a moment ago may not be there to be read.
"""

from typing import Final

from sensorthings_operator.api.sensorthingsservice import SensorThingsServiceSpec
from sensorthings_operator.desired import addresses, frost, http, keycloak
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings
from sensorthings_operator.desired.workloads import Replicas

COMPONENT: Final = "http-read"
METHODS: Final = ("GET", "HEAD")


def is_wanted(service: Service) -> bool:
    """Whether reads have pods of their own."""
    return service.spec.http.read_replicas > 0


def has_standbys(spec: SensorThingsServiceSpec) -> bool:
    """Whether the database has servers beside its primary."""
    external, managed = spec.database.external, spec.database.managed
    if external is not None:
        return bool(external.replicas)
    return managed is not None and managed.instances > 1


def name(service: Service) -> str:
    """Name of the Deployment and of the Service."""
    return f"{addresses.http_name(service)}-read"


def replicas(service: Service) -> Replicas:
    """Pods that should be there; none while the service is hibernated."""
    number = 0 if service.spec.hibernated else service.spec.http.read_replicas
    return Replicas(number, number)


def build(service: Service, settings: OperatorSettings) -> list[Manifest]:
    """The Deployment and the Service; nothing where the spec asks for none."""
    if not is_wanted(service):
        return []
    return frost.module(
        service,
        settings,
        COMPONENT,
        name(service),
        replicas(service),
        ports=http.ports(),
        init_containers=keycloak.init_containers(service, settings, http.image(service, settings)),
        containers=[http.container_with(service, settings, _module_settings(service, settings))],
        more_volumes=keycloak.volumes(service),
        more_annotations=keycloak.annotations(service, settings),
    )


def _module_settings(service: Service, settings: OperatorSettings) -> dict[str, str]:
    address = addresses.database_address(service, settings)
    return {
        # Nothing is written here, so there is nothing to tell the MQTT modules.
        "bus.busImplementationClass": "de.fraunhofer.iosb.ilt.frostserver.messagebus.InternalMessageBus",
        frost.DATABASE_URL: addresses.jdbc_url(address, reads_only=True),
    }
