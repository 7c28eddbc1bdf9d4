"""To which connectors of other namespaces a service gives rights. Part of a SensorThingsService's spec."""

from pydantic import Field

from sensorthings_operator.api.base import Model, ObjectName
from sensorthings_operator.api.roles import TokenRoles, usual_roles


class ConnectorGrant(Model):
    """Lets connectors of another namespace feed the service."""

    namespace: ObjectName
    """Their namespace."""
    name: ObjectName | None = None
    """The one that is meant; all of the namespace where it is not given."""
    roles: TokenRoles = Field(default_factory=usual_roles)
    """What their tokens may allow."""
