"""Why a Keycloak realm can't be worked on, told from what it answered. Used by the calls to it.

No secret and no body of an answer stands in an error, but for Keycloak's own short words: answers about clients hold
their secrets.
"""

import re
from http import HTTPStatus
from typing import Any, Final

import orjson

from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.desired.settings import KeycloakRealm

_CODE: Final = re.compile(r"[a-z_]{1,60}")
_LONGEST_MESSAGE: Final = 200


class KeycloakError(Exception):
    """A realm can't be worked on: the reason for a condition, and what to do about it."""

    def __init__(self, reason: AuthReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def place(realm: KeycloakRealm) -> str:
    """A realm in words."""
    return f"realm {realm.realm} at {realm.url}"


def login_refused(realm: KeycloakRealm, client_id: str, status: int, answer: bytes) -> KeycloakError:
    """The error for an answer other than 200 to a client that wanted a token."""
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED):
        code = _text(answer, "error")
        told = code if _CODE.fullmatch(code) else f"HTTP status {status}"
        return KeycloakError(
            AuthReason.CREDENTIALS_REFUSED,
            f"{place(realm)} does not let client {client_id} in ({told}): is there such a client with a service "
            "account, and does client-secret hold its secret?",
        )
    if status == HTTPStatus.FORBIDDEN:
        return KeycloakError(AuthReason.REALM_MISSING, f"{place(realm)} is disabled: enable it")
    return call_refused(realm, client_id, "a login", status, answer)


def call_refused(realm: KeycloakRealm, client_id: str, what: str, status: int, answer: bytes) -> KeycloakError:
    """The error for an answer of the admin API other than a success."""
    if status == HTTPStatus.NOT_FOUND and _text(answer, "error").startswith("Realm"):
        return KeycloakError(
            AuthReason.REALM_MISSING,
            f"{realm.url} has no realm {realm.realm}: make it, or correct the operator's setting keycloakRealms",
        )
    if status == HTTPStatus.FORBIDDEN:
        return KeycloakError(
            AuthReason.RIGHTS_MISSING,
            f"{place(realm)} does not allow {what} to client {client_id}: give its service account the role "
            "manage-clients of the client realm-management",
        )
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT):
        told = _text(answer, "errorMessage")[:_LONGEST_MESSAGE] or f"HTTP status {status}"
        return KeycloakError(AuthReason.CLIENT_REFUSED, f"{place(realm)} refuses {what}: {told}")
    return KeycloakError(
        AuthReason.UNREACHABLE,
        f"{place(realm)} answers {what} with HTTP status {status}: is a Keycloak at this address, and is it well?",
    )


def roles_missing(client_id: str, service_client: str) -> KeycloakError:
    """The error for a token without the roles that its client has mappers for."""
    return KeycloakError(
        AuthReason.ROLES_MISSING,
        f"the token of client {client_id} lacks roles of client {service_client}: somebody took its mappers away; "
        "they are made again at each look",
    )


def no_keycloak(realm: KeycloakRealm) -> KeycloakError:
    """The error for an answer that no Keycloak gives."""
    return KeycloakError(AuthReason.UNREACHABLE, f"{place(realm)} does not answer as Keycloak does: correct its URL")


def _text(answer: bytes, key: str) -> str:
    """A text in an answer's JSON object; empty where it holds none."""
    try:
        parsed: Any = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return ""
    value = parsed.get(key) if isinstance(parsed, dict) else None
    return value if isinstance(value, str) else ""
