"""How the operator signs in at a service: by a token of Keycloak, by a password of its own, or not at all.

Used by ``delivery``, ``arrivals`` and ``datasets``. What it signs in with is read when it is needed, and kept nowhere.
"""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import Final

from sensorthings_operator.clients.errors import ApiError, NotFoundError
from sensorthings_operator.clients.keycloak import KeycloakClients
from sensorthings_operator.clients.keycloak_errors import KeycloakError
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import SECRETS
from sensorthings_operator.desired import basic
from sensorthings_operator.desired.keycloak import DeliveryClient
from sensorthings_operator.desired.settings import KeycloakRealm


class AccessError(Exception):
    """There is nothing to sign in with; for people."""


@dataclass(frozen=True)
class PasswordOwner:
    """The operator's own user of a service: where its password is."""

    namespace: str
    secret: str


@dataclass(frozen=True)
class SignIn:
    """As whom the operator comes to a service: as nobody where there is neither a client nor a user."""

    realm: KeycloakRealm | None = None
    client: DeliveryClient | None = None
    """Whose token it shows."""
    user: PasswordOwner | None = None
    """Whose password."""


NOBODY: Final = SignIn()


@dataclass(frozen=True)
class Access:
    """What is shown to FROST-Server; all of it is empty where it asks nobody."""

    authorization: str = field(default="", repr=False)
    """The header of HTTP."""
    username: str = ""
    """Of MQTT."""
    password: str = field(default="", repr=False)

    @classmethod
    def by_token(cls, token: str) -> "Access":
        """FROST-Server's MQTT module takes a token for a password, with any user name."""
        return cls(f"Bearer {token}", "operator", token)

    @classmethod
    def by_password(cls, username: str, password: str) -> "Access":
        """RFC 7617."""
        pair = b64encode(f"{username}:{password}".encode()).decode()
        return cls(f"Basic {pair}", username, password)


class AccessSource:
    """Gives out what there is to sign in with."""

    def __init__(self, keycloak: KeycloakClients, kubernetes: KubernetesClient | None) -> None:
        self._keycloak = keycloak
        self._kubernetes = kubernetes
        """None where no service has users of its own."""

    async def of(self, sign_in: SignIn) -> Access:
        """What to show.

        Raises:
            AccessError: There is nothing to show.
        """
        if sign_in.realm is not None and sign_in.client is not None:
            return await self._by_token(sign_in.realm, sign_in.client)
        return Access() if sign_in.user is None else await self._by_password(sign_in.user)

    async def _by_token(self, realm: KeycloakRealm, client: DeliveryClient) -> Access:
        try:
            return Access.by_token((await self._keycloak.token(realm, client)).value)
        except KeycloakError as error:
            raise AccessError(f"no token: {error.message}") from None

    async def _by_password(self, owner: PasswordOwner) -> Access:
        if self._kubernetes is None:
            raise AccessError(f"nobody reads Secret {owner.secret}")
        try:
            live = await self._kubernetes.get(SECRETS, owner.namespace, owner.secret)
            password = b64decode(live["data"][basic.PASSWORD_KEY], validate=True).decode()
        except NotFoundError:
            raise AccessError(f"no password: Secret {owner.secret} is not there") from None
        except ApiError as error:
            raise AccessError(f"no password: Secret {owner.secret}: {error.message}") from None
        except (KeyError, binascii.Error, UnicodeDecodeError):
            raise AccessError(
                f"no password: Secret {owner.secret} holds none: delete it, and it is made anew"
            ) from None
        return Access.by_password(basic.DELIVERY_USER, password)
