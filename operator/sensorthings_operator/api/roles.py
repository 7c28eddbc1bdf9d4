"""Rights in a service. FROST-Server's roles of the same names stand behind them; none implies another."""

from typing import Annotated, Final, Literal

from pydantic import Field

_SET: Final = {"x-kubernetes-list-type": "set"}

TokenRole = Literal["read", "create", "update", "delete"]
"""A right that the token of a connector may carry."""
Role = Literal[TokenRole, "admin"]
"""A right that a user may have."""

TokenRoles = Annotated[list[TokenRole], Field(min_length=1, max_length=4, json_schema_extra=_SET)]
"""Rights of a connector, each once."""
Roles = Annotated[list[Role], Field(min_length=1, max_length=5, json_schema_extra=_SET)]
"""Rights of a user, each once."""


def usual_roles() -> list[TokenRole]:
    """What is needed to feed a service and to look up what is there."""
    return ["read", "create"]
