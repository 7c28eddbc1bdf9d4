"""The Services of a managed database: one that names its pods, one that leads to the primary, one to standbys."""

from typing import Final

from sensorthings_operator.desired import addresses
from sensorthings_operator.desired.database import names
from sensorthings_operator.desired.metadata import ROLE_LABEL, Manifest
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.workloads import headless_service

_PORTS: Final = [{"name": "postgresql", "port": addresses.DATABASE_PORT, "protocol": "TCP", "targetPort": "postgresql"}]


def build(service: Service) -> list[Manifest]:
    """The governing Service names pods that are not ready, too: they have to find each other before they are."""
    name = addresses.database_name(service)
    governing = headless_service(
        service, addresses.database_component(service), name, ports=_PORTS, publish_not_ready=True
    )
    primary = headless_service(
        service,
        addresses.database_component(service),
        addresses.primary_name(service),
        ports=_PORTS,
        # A single database that becomes a pair has no role until Patroni runs it, and serves until then.
        more_labels={ROLE_LABEL: names.PRIMARY} if addresses.is_pair(service) and service.database_adopted else {},
    )
    if not addresses.is_pair(service):
        return [governing, primary]
    replica = headless_service(
        service,
        addresses.database_component(service),
        addresses.replica_name(service),
        ports=_PORTS,
        more_labels={ROLE_LABEL: names.REPLICA},
    )
    return [governing, primary, replica]
