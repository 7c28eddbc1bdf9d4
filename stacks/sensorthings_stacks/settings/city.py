"""Settings of the city layer: its SensorThings services."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from sensorthings_operator.api.base import DNS_LABEL, ObjectName
from sensorthings_operator.api.parse import InvalidSpec, parse_service
from sensorthings_stacks.settings.base import Settings

_OURS: Final[dict[str, Any]] = {
    "certificate": {"issuerRef": {"kind": "Issuer", "name": "stand-in"}},
    "database": {
        "type": "External",
        "external": {
            "primary": {"host": "stand-in"},
            "credentialsSecretRef": {"name": "stand-in"},
            "tls": {"mode": "verify-full", "caSecretRef": {"name": "stand-in"}},
        },
    },
}
"""Parts of the spec that the layer sets; these stand in for them while the rest is checked."""


class Service(Settings):
    """One SensorThings service."""

    name: ObjectName
    """Name of the SensorThingsService."""
    spec: dict[str, Any]
    """Its spec, without database and certificate: the city has one pair and one issuer."""

    @model_validator(mode="after")
    def _leaves_ours(self) -> Self:
        given = [name for name in _OURS if name in self.spec]
        if given:
            raise ValueError(f"the city layer sets {' and '.join(given)} of the spec itself: remove it")
        return self

    @model_validator(mode="after")
    def _is_a_spec(self) -> Self:
        try:
            parse_service({"spec": self.spec | _OURS}, unknown_fields="refuse")
        except InvalidSpec as invalid:
            raise ValueError(str(invalid)) from None
        return self


class CitySettings(Settings):
    """The city's services."""

    namespace: Annotated[str, Field(pattern=DNS_LABEL, max_length=63)]
    """Namespace of the services."""
    certificate_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]
    """Where Let's Encrypt writes when a certificate is about to expire."""
    services: Annotated[list[Service], Field(min_length=1, max_length=50)]
    """The SensorThings services."""
