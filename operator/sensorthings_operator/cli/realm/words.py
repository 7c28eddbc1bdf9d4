"""What Keycloak's words about a directory mean, and what to do. Pure; used by ``federation``.

The words are those of its endpoint testLDAPConnection (``LDAPServerCapabilitiesManager.getErrorCode``, 26.7.3).
"""

from __future__ import annotations

from typing import Final

from sensorthings_operator.cli.errors import SensorThingsError

_URL: Final = "Check --ldap-url, and that the firewall lets Keycloak through: it is Keycloak's machine that connects."
_LOGIN: Final = "Check --ldap-bind-dn and the password in --ldap-bind-password-file."
_MEANINGS: Final[dict[str, tuple[str, str]]] = {
    "UnknownHost": (
        "Keycloak can't find the directory's host by name",
        "Check the host in --ldap-url, as the DNS of Keycloak's machine knows it.",
    ),
    "ConnectionFailed": ("Nothing answers Keycloak there", _URL),
    "NoRouteToHost": ("Keycloak has no route to the directory", _URL),
    # It says so of a connection that is refused, too.
    "SocketReset": (
        "Nothing answers Keycloak there, or it ends the connection at once",
        "Check --ldap-url (port 636 for ldaps://, 389 for ldap://), and that the firewall lets Keycloak through.",
    ),
    "ServiceUnavailable": ("The directory is not available to Keycloak", _URL),
    "CommunicationError": (
        "Keycloak could not talk to the directory",
        "Is the port the one of its scheme: 636 for ldaps://, 389 for ldap:// with StartTLS?",
    ),
    "MalformedURL": ("Keycloak can't read the directory's URL", "Check --ldap-url."),
    "SSLHandshakeFailed": (
        "Keycloak does not trust the directory's certificate, or finds another name in it",
        "Give the directory's CA to Keycloak (its option --truststore-paths) and start it again; write the name that "
        "stands in the certificate into --ldap-url.",
    ),
    "AuthenticationFailure": ("The directory does not let Keycloak in", _LOGIN),
    "InvalidBindDN": ("The directory does not know the name by which Keycloak logs in", _LOGIN),
    "InvalidName": ("The name by which Keycloak logs in is no distinguished name", "Check --ldap-bind-dn."),
    "NameNotFound": ("The directory has no entry of this name", "Check --ldap-bind-dn and --ldap-users-dn."),
}


def directory_refused(code: str, where: str) -> SensorThingsError:
    """The error for a word of Keycloak's about a directory."""
    what, remedy = _MEANINGS.get(
        code, (f"Keycloak could not use the directory ({code})", "Keycloak's log says more; look there.")
    )
    return SensorThingsError(what, where=where, remedy=remedy)
