"""Rights that tokens carry, and to which connectors of other namespaces a service gives them."""

from typing import Annotated, Literal

from pydantic import Field

from sensorthings_operator.api.base import Model, ObjectName

Role = Literal["read", "create", "update", "delete"]
"""A right that a token carries."""


def default_roles() -> list[Role]:
    """What a connector needs that feeds a service and looks up what is there."""
    return ["read", "create"]


Roles = Annotated[
    list[Role],
    Field(min_length=1, max_length=4, json_schema_extra={"x-kubernetes-list-type": "set"}),
]
"""Rights, each once."""


class ConnectorGrant(Model):
    """Lets connectors of another namespace feed the service."""

    namespace: ObjectName
    """Their namespace."""
    name: ObjectName | None = None
    """The one that is meant; all of the namespace where it is not given."""
    roles: Roles = Field(default_factory=default_roles)
    """What their tokens may allow."""
