"""AuthConfigured: those who may write are known where that is asked: in Keycloak, or in the service's database."""

from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import basic, keycloak


class AuthReason(StrEnum):
    """Why a service's client in Keycloak is or is not as it should be; clients/keycloak answers with them."""

    READY = "ClientReady"
    NOT_ASKED = "KeycloakNotAsked"
    UNKNOWN_REALM = "UnknownRealm"
    CREDENTIALS_MISSING = "RealmCredentialsMissing"
    CREDENTIALS_REFUSED = "RealmCredentialsRefused"
    REALM_MISSING = "RealmMissing"
    RIGHTS_MISSING = "RealmRightsMissing"
    CLIENT_NOT_OURS = "ClientNotOurs"
    CLIENT_REFUSED = "ClientRefused"
    ROLES_MISSING = "RolesMissing"
    CA_INVALID = "KeycloakCAInvalid"
    UNTRUSTED = "KeycloakUntrusted"
    UNREACHABLE = "KeycloakUnreachable"


class UsersReason(StrEnum):
    """Why the users in a service's database are or are not those of its spec; clients/users answers with some."""

    READY = "UsersReady"
    NOT_ASKED = "UsersNotAsked"
    PASSWORD_UNUSABLE = "UserPasswordUnusable"  # noqa: S105 - a reason
    TABLES_MISSING = "UserTablesMissing"
    TABLES_REFUSED = "UserTablesRefused"
    UNREACHABLE = "UserDatabaseUnreachable"


_PASSES: Final = {AuthReason.READY, AuthReason.NOT_ASKED, AuthReason.UNREACHABLE, AuthReason.ROLES_MISSING}
NEEDS_SOMEBODY: Final = frozenset[str](
    {
        *(set(AuthReason) - _PASSES),
        *(set(UsersReason) - {UsersReason.READY, UsersReason.NOT_ASKED, UsersReason.UNREACHABLE}),
    }
)
"""Reasons that do not go away by waiting."""


def _applies(observed: Observed) -> bool:
    return keycloak.is_used(observed.service) or basic.is_used(observed.service)


def _passwords(observed: Observed) -> Verdict | None:
    """Told before what the database says, where the others may be as they should be."""
    if not observed.missing_passwords:
        return None
    told = "; ".join(f"user {name}: {problem}" for name, problem in observed.missing_passwords.items())
    return Verdict("False", UsersReason.PASSWORD_UNUSABLE, f"{told}. Whoever lacks a password can't sign in")


def _answers(observed: Observed) -> Verdict | None:
    answer = observed.users if basic.is_used(observed.service) else observed.keycloak
    if answer is None:
        return None
    return Verdict("True" if answer.holds else "False", answer.reason, answer.message)


def _not_asked(observed: Observed) -> Verdict:
    if basic.is_used(observed.service):
        told = "the users are set in the database once its schema is there"
        return Verdict("Unknown", UsersReason.NOT_ASKED, told, expected=True)
    realm = keycloak.realm_name(observed.service)
    told = f"realm {realm}: Keycloak has not been asked for the service's client yet"
    return Verdict("Unknown", AuthReason.NOT_ASKED, told, expected=True)


AUTH_CONFIGURED: Final = Chain("AuthConfigured", (_passwords, _answers, _not_asked), applies=_applies)
