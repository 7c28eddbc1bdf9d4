"""AuthConfigured: the service has its client in Keycloak, with the roles that tokens may carry."""

from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired import keycloak


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


_PASSES: Final = {AuthReason.READY, AuthReason.NOT_ASKED, AuthReason.UNREACHABLE, AuthReason.ROLES_MISSING}
NEEDS_SOMEBODY: Final = frozenset(AuthReason) - _PASSES
"""Reasons that do not go away by waiting."""


def _applies(observed: Observed) -> bool:
    return keycloak.is_used(observed.service)


def _answers(observed: Observed) -> Verdict | None:
    answer = observed.keycloak
    if answer is None:
        return None
    return Verdict("True" if answer.holds else "False", answer.reason, answer.message)


def _not_asked(observed: Observed) -> Verdict:
    realm = keycloak.realm_name(observed.service)
    told = f"realm {realm}: Keycloak has not been asked for the service's client yet"
    return Verdict("Unknown", AuthReason.NOT_ASKED, told, expected=True)


AUTH_CONFIGURED: Final = Chain("AuthConfigured", (_answers, _not_asked), applies=_applies)
