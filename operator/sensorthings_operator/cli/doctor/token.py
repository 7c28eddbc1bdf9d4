"""What stands in an access token of Keycloak (RFC 7519), without asking whether its signature holds. Pure.

A token is never shown, and neither is what stands in it of a person.
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_TOKEN: Final = "it is no access token of Keycloak: three parts in base64url with dots between them"  # noqa: S105
_TOKEN: Final = re.compile(r"[\w-]+\.([\w-]+)\.[\w-]+", re.ASCII)
_LATEST: Final = 253402300799
"""Seconds since 1970: the end of the year 9999."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What the judges look at.

    Attributes:
        type: ``Bearer`` for an access token; else such as ``Refresh`` or ``ID``.
        roles: by the client whose roles they are.
        authorized: the application that it was given to (``azp``).
        account: the client whose service account it is of; empty where it is of a person.
    """

    type: str
    issuer: str
    audience: tuple[str, ...]
    roles: Mapping[str, tuple[str, ...]]
    expires: datetime | None
    not_before: datetime | None
    issued: datetime | None
    authorized: str
    account: str


def read(token: str) -> Claims:
    """The claims of a token.

    Raises:
        ValueError: it is none; the message holds nothing of it.
    """
    parts = _TOKEN.fullmatch(token)
    if parts is None:
        raise ValueError(_NO_TOKEN)
    try:
        # A token leaves out what pads it to a multiple of four.
        payload = orjson.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        # Not the cause: it quotes what it could not read.
        raise ValueError(_NO_TOKEN) from None
    if not isinstance(payload, dict):
        raise ValueError(_NO_TOKEN)
    return Claims(
        type=_text(payload, "typ"),
        issuer=_text(payload, "iss"),
        audience=_texts(payload.get("aud")),
        roles=_roles(payload.get("resource_access")),
        expires=_instant(payload.get("exp")),
        not_before=_instant(payload.get("nbf")),
        issued=_instant(payload.get("iat")),
        authorized=_text(payload, "azp"),
        account=_text(payload, "client_id"),
    )


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    """One text or a list of them, as ``aud`` may be either."""
    given = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(each for each in given if isinstance(each, str))


def _roles(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        return {}
    return {client: _texts(access.get("roles")) for client, access in value.items() if isinstance(access, dict)}


def _instant(value: Any) -> datetime | None:
    """A NumericDate; None where there is none, and for 0, which Keycloak writes for none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LATEST:
        return None
    return datetime.fromtimestamp(value, UTC)
