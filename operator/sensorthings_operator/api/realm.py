"""What a realm has in which the operator works: settings, and the operator's client. Pure.

``sensorthings realm`` and the city layer of the stacks make it so.

Fields are Keycloak's own, of its RealmRepresentation and ClientRepresentation
(https://www.keycloak.org/docs-api/latest/rest-api/index.html).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from sensorthings_operator.api.base import GROUP

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK: Final = f"{GROUP}/made-by"
"""Attribute of a realm that `sensorthings realm` may change."""
MAKER: Final = "sensorthings-realm"
MASTER: Final = "master"

_MINUTES: Final = 60
TOKEN_SECONDS: Final = 5 * _MINUTES
REALM_SETTINGS: Final[Mapping[str, Any]] = {
    "enabled": True,
    # From addresses that are not private, nothing without TLS.
    "sslRequired": "external",
    "registrationAllowed": False,
    "bruteForceProtected": True,
    "accessTokenLifespan": TOKEN_SECONDS,
    "accessTokenLifespanForImplicitFlow": TOKEN_SECONDS,
}

OPERATOR_CLIENT: Final = "sensorthings-operator"
CLIENT_SETTINGS: Final[Mapping[str, Any]] = {
    "name": "SensorThings operator",
    "description": "Makes the clients of SensorThings services. Its secret lies in the operator's namespace.",
    "protocol": "openid-connect",
    "enabled": True,
    "publicClient": False,
    "bearerOnly": False,
    "clientAuthenticatorType": "client-secret",
    "standardFlowEnabled": False,
    "implicitFlowEnabled": False,
    "directAccessGrantsEnabled": False,
    "serviceAccountsEnabled": True,
    # Whatever its account is given by somebody, a token carries the one right only.
    "fullScopeAllowed": False,
    "redirectUris": [],
    "webOrigins": [],
}
MANAGEMENT_CLIENT: Final = "realm-management"
RIGHT: Final = "manage-clients"

_REALM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_NOT_OF_A_VALUE: Final = re.compile(r"[^a-z0-9]+")
_LONGEST_VALUE_NAME: Final = 42


def realm_name(text: str) -> str:
    """Read what a person typed.

    Raises:
        ValueError: with a sentence that says what is allowed.
    """
    if not _REALM.fullmatch(text):
        message = f"'{text}' is no name of a realm here: letters, digits, '-', '_' and '.', a letter or digit first"
        raise ValueError(message)
    if text == MASTER:
        message = f"'{MASTER}' is the realm of Keycloak's administrators: services get one of their own"
        raise ValueError(message)
    return text


def value_name(realm: str) -> str:
    """The name under which the chart's value ``keycloakRealms`` lists a realm, and services name it."""
    return _NOT_OF_A_VALUE.sub("-", realm.lower())[:_LONGEST_VALUE_NAME].strip("-")


def secret_name(realm: str) -> str:
    """The Secret with which the operator logs in to a realm, where nobody names another."""
    return f"keycloak-{value_name(realm)}"


def is_ours(realm: Mapping[str, Any]) -> bool:
    """Whether a RealmRepresentation carries the mark."""
    return bool((realm.get("attributes") or {}).get(MARK) == MAKER)


def differing(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """Of the fields that are wanted those that are not so."""
    return {name: value for name, value in wanted.items() if live.get(name) != value}
