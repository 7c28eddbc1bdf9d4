"""Who may read and write. Part of a SensorThingsService's spec."""

from typing import Annotated, Literal

from pydantic import Field

from sensorthings_operator.api.base import USER_NAME, Model, ObjectName, cel, rules
from sensorthings_operator.api.roles import Role, Roles, usual_roles


class KeycloakAuth(Model):
    """Tokens of a Keycloak realm."""

    realm: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", min_length=1, max_length=255)]
    """A realm that the operator's settings know, with its URL and credentials."""


class PasswordReference(Model):
    """A key of a Secret in the namespace of the resource."""

    name: ObjectName
    """Name of the Secret."""
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", min_length=1, max_length=253)] = "password"
    """Key whose value is the password: UTF-8 text of 1 to 255 characters, without line breaks."""


class BasicUser(Model):
    """Somebody who signs in by user name and password."""

    # As long as FROST-Server's column. No colon: HTTP's Basic ends the name with one.
    name: Annotated[str, Field(pattern=USER_NAME, min_length=1, max_length=25)]
    """User name, of letters, digits and . _ @ + - with a letter or digit first. Case counts."""
    roles: Roles = Field(default_factory=lambda: list[Role](usual_roles()))
    """What the user may do; none of the roles implies another."""
    password_secret_ref: PasswordReference
    """Where the password is. A changed one counts without a restart."""


class BasicAuth(Model):
    """Users with passwords, which FROST-Server looks up in the service's database. For small sites."""

    users: Annotated[
        list[BasicUser],
        Field(
            min_length=1,
            max_length=64,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ]
    """Everybody who may sign in: whoever is not in this list is deleted from the database."""


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
    """Reading and subscribing need no token and no password."""
    keycloak: KeycloakAuth | None = None
    """Settings of auth.type Keycloak."""
    basic: BasicAuth | None = None
    """Settings of auth.type Basic."""
    none: NoAuth | None = None
    """Acknowledgement of auth.type None."""
