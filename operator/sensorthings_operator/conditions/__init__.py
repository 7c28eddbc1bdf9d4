"""What the status says: pure policy chains over what was observed, each to a status, a reason and a message.

A new condition is a new module here and one line in ``PARTS``.
"""

from typing import Final

from sensorthings_operator.conditions import (
    auth,
    autoscaling,
    backup,
    bus,
    catalogue,
    catalogueendpoint,
    certificate,
    database,
    delivery,
    host,
    instances,
    modules,
    monitoring,
    portal,
    publishing,
    reads,
    replication,
    routes,
    schema,
    summary,
)
from sensorthings_operator.conditions.chain import Chain, Verdict
from sensorthings_operator.conditions.observed import Observed

PARTS: Final[tuple[Chain, ...]] = (
    database.DATABASE_REACHABLE,
    replication.DATABASE_REPLICATED,
    instances.INSTANCES_AVAILABLE,
    backup.BACKED_UP,
    backup.RESTORED,
    schema.SCHEMA_UP_TO_DATE,
    bus.BUS_CONNECTED,
    certificate.CERTIFICATE_READY,
    auth.AUTH_CONFIGURED,
    modules.HTTP_AVAILABLE,
    reads.READS_AVAILABLE,
    modules.MQTT_AVAILABLE,
    delivery.DELIVERY_VERIFIED,
    autoscaling.AUTOSCALING_ACTIVE,
    routes.ROUTES_PROGRAMMED,
    host.HOST_RESOLVED,
    monitoring.MONITORING_READY,
    catalogue.CATALOGUE_SYNCED,
    catalogueendpoint.CATALOGUE_SERVED,
    publishing.ENTRIES_PUBLISHED,
    portal.PORTAL_AVAILABLE,
)
"""One condition for each part of a service."""


def evaluate(observed: Observed) -> dict[str, Verdict]:
    """Every condition of a service: the summary as kstatus understands it, then one for each part."""
    present = [chain for chain in PARTS if chain.applies(observed)]
    parts = {chain.type: chain.evaluate(observed) for chain in present}
    needed = {chain.type: parts[chain.type] for chain in present if chain.needed}
    return {**summary.evaluate(observed, needed), **parts}
