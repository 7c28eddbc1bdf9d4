"""Tokens as they are held: how long each is good, and whether it still says what it should. Pure."""

import binascii
import random
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Self

import orjson

from sensorthings_operator.desired.connector.client import ConnectorClient

_RENEWED_BETWEEN: Final = (0.4, 0.5)
"""Of a token's life: at half of it at the latest."""


@dataclass(frozen=True)
class HeldToken:
    """One token. Times are Unix times by the clock of whoever issued it."""

    value: str = field(repr=False)
    issued: float
    expires: float
    due: float
    """When it is to be renewed."""
    client_id: str
    roles: tuple[str, ...]
    """For its service, sorted."""

    @classmethod
    def read(cls, value: str, service_client: str) -> Self | None:
        """What a JWT (RFC 7519) of Keycloak says of itself; None where it is none, or not for that service.

        Nothing is verified: it comes from Keycloak, or from a Secret that only the token service writes.
        """
        claims = _claims(value)
        try:
            issued, expires = float(claims["iat"]), float(claims["exp"])
            roles = tuple(sorted(map(str, claims["resource_access"][service_client]["roles"])))
            client_id = str(claims["azp"])
        except (KeyError, TypeError, ValueError):
            return None
        held = cls(value, issued, expires, issued, client_id, roles)
        return held.due_at(random.uniform(*held.renewed_between))  # noqa: S311 - jitter, no secret

    @property
    def renewed_between(self) -> tuple[float, float]:
        """When it is to be renewed at the soonest, and at the latest."""
        life = self.expires - self.issued
        first, last = _RENEWED_BETWEEN
        return self.issued + first * life, self.issued + last * life

    def due_at(self, due: float) -> Self:
        """The same, to be renewed then."""
        return replace(self, due=due)

    def found_at(self, now: float, seconds: float) -> tuple[float, float]:
        """The same for one who finds it: from now on; where it is overdue, within so many seconds, while it is good."""
        first, last = self.renewed_between
        if now < last:
            return max(first, now), last
        return now, now + max(0.0, min(seconds, (self.expires - now) / 2))

    def is_good(self, now: float) -> bool:
        """Whether it has not expired."""
        return now < self.expires

    def is_of(self, wanted: ConnectorClient) -> bool:
        """Whether it is the client's, with the roles that are asked for now."""
        return self.client_id == wanted.client_id and self.roles == wanted.asked_roles

    @property
    def issued_at(self) -> str:
        """RFC 3339."""
        return _time(self.issued)

    @property
    def expires_at(self) -> str:
        """RFC 3339."""
        return _time(self.expires)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _claims(value: str) -> Mapping[str, Any]:
    parts = value.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = orjson.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
