"""Whether a connector may feed a service, with the roles that it asks for."""

from sensorthings_operator.desired.connector.feed import Connector
from sensorthings_operator.desired.service import Service


def refusal(connector: Connector, service: Service) -> str:
    """Why it may not, and what to do, for people; empty where it may.

    A connector of the service's own namespace needs no grant: who may make it may also read the service's Secrets.
    """
    if connector.namespace == service.namespace:
        return ""
    where = f"SensorThingsService {service.namespace}/{service.name}"
    asked = set(connector.spec.roles)
    granted = set[str]()
    for grant in service.spec.allowed_connectors:
        if grant.namespace == connector.namespace and grant.name in (None, connector.name):
            granted |= set(grant.roles)
    if not granted:
        return (
            f"{where} allows no connector {connector.name} of namespace {connector.namespace}: whoever keeps the "
            f"service adds it to spec.allowedConnectors"
        )
    if asked - granted:
        return (
            f"{where} gives connector {connector.name} of namespace {connector.namespace} the roles "
            f"{', '.join(sorted(granted))}, not {', '.join(sorted(asked - granted))}: ask for fewer in spec.roles, or "
            "have them added to the service's spec.allowedConnectors"
        )
    return ""
