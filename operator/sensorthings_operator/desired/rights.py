"""FROST-Server's settings of who may do what, whoever tells it who somebody is. Used by keycloak and basic.

A role each for reading, creating, updating, deleting and administering; they have FROST-Server's own names.
"""

from collections.abc import Mapping
from typing import Final

from sensorthings_operator.desired.service import Service

ROLES: Final = ("read", "create", "update", "delete", "admin")
NOBODY: Final = "nobody-has-this-role"
NO_BATCHES: Final[Mapping[str, str]] = {"plugins.batchProcessing.enable": "false"}
"""FROST-Server 2.0.0 asks who sends a batch for the role create, and for nothing that stands in it."""


def http(service: Service, provider: str) -> dict[str, str]:
    """For the HTTP module: whoever has a role may do what it says."""
    return _settings(provider, anonymous_read=service.spec.auth.anonymous_read, held=ROLES)


def mqtt(service: Service, provider: str) -> dict[str, str]:
    """For the MQTT module: nobody may publish."""
    return _settings(provider, anonymous_read=service.spec.auth.anonymous_read, held=("read",))


def schema(provider: str) -> dict[str, str]:
    """While the schema is updated: everybody may ask whether it is there, and that is all."""
    return _settings(provider, anonymous_read=True, held=())


def _settings(provider: str, *, anonymous_read: bool, held: tuple[str, ...]) -> dict[str, str]:
    return {
        "auth.provider": provider,
        "auth.allowAnonymousRead": "true" if anonymous_read else "false",
        **{f"auth.role.{role}": role if role in held else NOBODY for role in ROLES},
    }
