"""A directory (LDAP, Active Directory) whose people log in to a realm, as Keycloak's components. Pure.

Used by ``federation``. Names and values are those of Keycloak's LDAP provider (26.7.3); each value is a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import SecretStr

PROVIDER_TYPE: Final = "org.keycloak.storage.UserStorageProvider"
MAPPER_TYPE: Final = "org.keycloak.storage.ldap.mappers.LDAPStorageMapper"
PROVIDER: Final = "ldap"
NAME: Final = "sensorthings-directory"
MASK: Final = "**********"
"""What Keycloak shows for a secret; sent back, it stands for the one that Keycloak holds."""
REPLACED_MAPPER: Final = "full name"
"""Keycloak's own guess for directories whose people are named by ``cn``; it cuts names at their last space."""

_CONNECT_MILLIS: Final = 5_000
_READ_MILLIS: Final = 10_000
_PAGE: Final = 500
"""Entries; Active Directory gives 1000 at most."""
_SUBTREE: Final = "2"

Config = dict[str, list[str]]


class Vendor(StrEnum):
    """Which attributes a directory has."""

    AD = "ad"
    OTHER = "other"


_OF_VENDOR: Final[Mapping[Vendor, Mapping[str, str]]] = {
    Vendor.AD: {
        "usernameLDAPAttribute": "sAMAccountName",
        "rdnLDAPAttribute": "cn",
        "uuidLDAPAttribute": "objectGUID",
        "userObjectClasses": "person, organizationalPerson, user",
        # There a computer is a user, too.
        "customUserSearchFilter": "(!(objectClass=computer))",
    },
    Vendor.OTHER: {
        "usernameLDAPAttribute": "uid",
        "rdnLDAPAttribute": "uid",
        "uuidLDAPAttribute": "entryUUID",
        "userObjectClasses": "inetOrgPerson, organizationalPerson",
        "customUserSearchFilter": "",
    },
}
_LASTING: Final = ("vendor", "uuidLDAPAttribute")
"""What people that Keycloak has seen are known by: never changed beneath them."""


@dataclass(frozen=True, slots=True)
class Mapper:
    """What Keycloak makes of an attribute of an entry."""

    name: str
    provider: str
    config: Config


@dataclass(frozen=True)
class Directory:
    """Where the people of a city are kept, and how Keycloak reads them there.

    Attributes:
        urls: ``ldaps://``, or ``ldap://`` with StartTLS; the next is asked where one does not answer.
        users_dn: below which people are found.
        bind_dn: as whom Keycloak reads; empty where anybody may.
        password: of that one.
        username_attribute: what people type to log in; the vendor's where it is empty.
        search_filter: who may log in, beside the vendor's object classes; the vendor's where it is empty.
    """

    urls: tuple[str, ...]
    vendor: Vendor
    users_dn: str
    bind_dn: str = ""
    password: SecretStr | None = None
    username_attribute: str = ""
    search_filter: str = ""

    @property
    def connection(self) -> dict[str, str]:
        """What Keycloak needs to reach it, but for the password."""
        starts_tls = self.urls[0].startswith("ldap:")
        return {
            "connectionUrl": " ".join(self.urls),
            "authType": "simple" if self.bind_dn else "none",
            "bindDn": self.bind_dn,
            "startTls": str(starts_tls).lower(),
            "useTruststoreSpi": "always",
            "connectionTimeout": str(_CONNECT_MILLIS),
        }

    @property
    def secret(self) -> str:
        """The password in plain; empty where there is none."""
        return self.password.get_secret_value() if self.password else ""

    @property
    def config(self) -> Config:
        """The whole configuration, but for the password."""
        own = {"usernameLDAPAttribute": self.username_attribute, "customUserSearchFilter": self.search_filter}
        config = {
            **self.connection,
            "enabled": "true",
            "vendor": self.vendor.value,
            **_OF_VENDOR[self.vendor],
            **{name: value for name, value in own.items() if value},
            "usersDn": self.users_dn,
            "searchScope": _SUBTREE,
            "editMode": "READ_ONLY",
            "importEnabled": "true",
            "syncRegistrations": "false",
            "readTimeout": str(_READ_MILLIS),
            "pagination": "true",
            "batchSizeForSync": str(_PAGE),
            # Keycloak refuses a pool of connections that began without TLS.
            "connectionPooling": "false" if self.connection["startTls"] == "true" else "true",
            "validatePasswordPolicy": "false",
        }
        return {name: [value] for name, value in config.items()}

    @property
    def mappers(self) -> tuple[Mapper, ...]:
        """What is read of each person; mappers of other names are the city's."""
        config = {name: values[0] for name, values in self.config.items()}
        read = (
            _attribute("username", "username", config["usernameLDAPAttribute"]),
            _attribute("first name", "firstName", "givenName"),
            _attribute("last name", "lastName", "sn"),
            _attribute("email", "email", "mail"),
        )
        return (*read, _ACCOUNT_CONTROLS) if self.vendor is Vendor.AD else read

    def tested(self, action: str, *, component: str = "") -> dict[str, Any]:
        """The question whether Keycloak reaches it; by a component's id, with the password that Keycloak holds."""
        password = MASK if component else self.secret
        known = {"componentId": component} if component else {}
        return {"action": action, **self.connection, "bindCredential": password, **known}


def _attribute(name: str, of_person: str, in_directory: str) -> Mapper:
    config = {
        "user.model.attribute": of_person,
        "ldap.attribute": in_directory,
        "read.only": "true",
        # A login is by the name that Keycloak knows; all else follows the directory at once.
        "always.read.value.from.ldap": str(of_person != "username").lower(),
    }
    return Mapper(name, "user-attribute-ldap-mapper", {key: [value] for key, value in config.items()})


_ACCOUNT_CONTROLS: Final = Mapper(
    "MSAD account controls",
    "msad-user-account-control-mapper",
    # Who is disabled there is disabled here.
    {"always.read.enabled.value.from.ldap": ["true"]},
)


def directory_url(text: str) -> str:
    """Read what a person typed.

    Raises:
        ValueError: with a sentence that says what is allowed.
    """
    try:
        url = URL(text.strip())
        wrong = url.scheme not in {"ldap", "ldaps"} or not url.host or url.user or url.raw_path.strip("/")
    except ValueError:
        wrong = True
    if wrong or set(text.strip()) & set(" ,"):
        message = f"'{text}' is not like ldaps://dc1.city.example or ldap://dc1.city.example:389 (by StartTLS)"
        raise ValueError(message)
    return text.strip()


def differing(wanted: Config, live: Mapping[str, Sequence[str]]) -> list[str]:
    """The names of what is not as wanted; Keycloak leaves out what is empty."""
    return [name for name, values in wanted.items() if _filled(values) != _filled(live.get(name, ()))]


def lasting(names: Sequence[str]) -> list[str]:
    """Those of differing names that are never changed."""
    return [name for name in names if name in _LASTING]


def _filled(values: Sequence[str]) -> list[str]:
    return [value for value in values if value]
