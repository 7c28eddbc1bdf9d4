"""Who may read and write. Part of a SensorThingsService's spec."""

from typing import Annotated, Literal

from pydantic import Field

from sensorthings_operator.api.base import Model, SecretReference, cel, rules


class KeycloakAuth(Model):
    """Tokens of a Keycloak realm."""

    realm: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", min_length=1, max_length=255)]
    """A realm that the operator's settings know, with its URL and credentials."""


class BasicAuth(Model):
    """Users and passwords kept by FROST-Server itself."""

    users_secret_ref: SecretReference
    """Secret with a key for each user, whose value is the password."""


class NoAuth(Model):
    """The explicit acknowledgement that anybody may write."""

    model_config = rules(
        cel(
            "self.allowAnonymousWrite",
            "auth.type None opens the service to writes by anybody who reaches it: set allowAnonymousWrite to true "
            "to say that you want this, or choose Keycloak or Basic",
            field_path=".allowAnonymousWrite",
        )
    )

    allow_anonymous_write: bool
    """Must be true: anybody who reaches the service may change and delete its data."""


class Auth(Model):
    """Who may read and who may write. There is no default."""

    model_config = rules(
        cel(
            "(self.type == 'Keycloak') == has(self.keycloak)",
            "keycloak belongs to auth.type Keycloak, and is required there",
            field_path=".keycloak",
        ),
        cel(
            "(self.type == 'Basic') == has(self.basic)",
            "basic belongs to auth.type Basic, and is required there",
            field_path=".basic",
        ),
        cel(
            "(self.type == 'None') == has(self.none)",
            "none belongs to auth.type None, and is required there with allowAnonymousWrite: true",
            field_path=".none",
        ),
    )

    type: Literal["Keycloak", "Basic", "None"]
    """Keycloak, Basic, or None: anybody may write."""
    anonymous_read: bool = True
    """Reading and subscribing need no token."""
    keycloak: KeycloakAuth | None = None
    """Settings of auth.type Keycloak."""
    basic: BasicAuth | None = None
    """Settings of auth.type Basic."""
    none: NoAuth | None = None
    """Acknowledgement of auth.type None."""
