"""Calls to the admin REST API of one Keycloak realm, as the operator's client of that realm. Used by ``keycloak``.

Over aiohttp: python-keycloak would add a third to the operator's memory (docs/decisions/0010-keycloak.md). Described at
https://www.keycloak.org/docs-api/latest/rest-api/index.html.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import orjson

from sensorthings_operator.clients import keycloak_errors
from sensorthings_operator.clients.keycloak_errors import KeycloakError
from sensorthings_operator.conditions.auth import AuthReason
from sensorthings_operator.desired.keycloak import certificates
from sensorthings_operator.desired.settings import KeycloakRealm

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_TOKEN_MARGIN_SECONDS: Final = 10.0
_FILES: Final = ("client-id", "client-secret", "ca.crt")
"""Of a realm's folder."""
_QUIET_SECONDS: Final = 3.0
"""For how long a Keycloak that did not answer is not asked again: each service of the realm would wait for it."""


_Identity = tuple[int, int, int]


@dataclass(frozen=True)
class AccessToken:
    """A token, never printed."""

    value: str = field(repr=False)
    seconds: int
    """For how long it is good, from when it was asked for."""


@dataclass(frozen=True)
class Credentials:
    """Of the operator's client in a realm. The secret is never printed."""

    client_id: str
    client_secret: str = field(repr=False)
    ca: str = field(default="", repr=False)
    """Certificates in PEM; empty where any public CA will do."""


def read_credentials(realm: KeycloakRealm) -> Credentials:
    """What the realm's folder holds now: the mounted Secret may change at any time.

    Raises:
        KeycloakError: It lacks the client's id or secret.
    """
    held = {name: _read(realm, name) for name in _FILES}
    missing = [name for name in ("client-id", "client-secret") if not held[name]]
    if missing:
        raise KeycloakError(
            AuthReason.CREDENTIALS_MISSING,
            f"the operator has no credentials for realm {realm.realm}: {realm.folder} lacks {', '.join(missing)}; give "
            "these keys to the Secret that the chart's value keycloakRealms names",
        )
    return Credentials(held["client-id"], held["client-secret"], held["ca.crt"])


def _read(realm: KeycloakRealm, name: str) -> str:
    try:
        return (realm.folder / name).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _identity(realm: KeycloakRealm, name: str) -> _Identity | None:
    """Of a file as it is now; None where there is none."""
    try:
        now = os.stat(realm.folder / name)  # noqa: PTH116 - each call to Keycloak asks it
    except OSError:
        return None
    return now.st_ino, now.st_size, now.st_mtime_ns


class RealmApi:
    """One realm: logs in when it has to, and remembers for a moment that nobody answered."""

    def __init__(
        self, http: aiohttp.ClientSession, realm: KeycloakRealm, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.realm = realm
        self._http = http
        self._clock = clock
        self._base = realm.url.rstrip("/")
        self._login = asyncio.Lock()
        self._token = ""
        self._token_is_of: Credentials | None = None
        self._token_ends = 0.0
        self._context: tuple[str, ssl.SSLContext] | None = None
        self._unanswered: tuple[float, str] | None = None
        self._read: tuple[tuple[_Identity | None, ...], Credentials] | None = None

    async def call(
        self, method: str, path: str, *, body: Any = None, parameters: Mapping[str, str] | None = None
    ) -> Any:
        """Call the admin API below the realm; the parsed answer, None where it is empty.

        Raises:
            KeycloakError: The realm could not be asked, or refused.
        """
        url = f"{self._base}/admin/realms/{quote(self.realm.realm, safe='')}/{path}"
        credentials = self._credentials()
        request = {"params": parameters} if body is None else {"json": body}
        status, answer = HTTPStatus.UNAUTHORIZED.value, b""
        # Twice: a Keycloak that began anew does not know the token.
        for _ in range(2):
            token = await self._current_token(credentials)
            headers = {"Authorization": f"Bearer {token}"}
            status, answer = await self._send(method, url, credentials, headers=headers, **request)
            if status != HTTPStatus.UNAUTHORIZED:
                break
            self._token = ""
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            what = f"{method} {path.partition('/')[0]}"
            raise keycloak_errors.call_refused(self.realm, credentials.client_id, what, status, answer)
        return self._parsed(answer) if answer else None

    def _credentials(self) -> Credentials:
        """What the folder holds now; read again where a file is another one, as a look costs less than a read."""
        seen = tuple(_identity(self.realm, name) for name in _FILES)
        if self._read is None or self._read[0] != seen:
            self._read = seen, read_credentials(self.realm)
        return self._read[1]

    async def _current_token(self, credentials: Credentials) -> str:
        async with self._login:
            expired = self._clock() > self._token_ends - _TOKEN_MARGIN_SECONDS
            if not self._token or expired or self._token_is_of != credentials:
                await self._log_in(credentials)
            return self._token

    async def _log_in(self, credentials: Credentials) -> None:
        asked = self._clock()
        token = await self._grant(credentials, credentials.client_id, credentials.client_secret)
        self._token, self._token_is_of, self._token_ends = token.value, credentials, asked + token.seconds

    async def token_of(self, client_id: str, client_secret: str) -> AccessToken:
        """A token of another client of the realm.

        Raises:
            KeycloakError: The realm could not be asked, or refused.
        """
        return await self._grant(self._credentials(), client_id, client_secret)

    async def _grant(self, credentials: Credentials, client_id: str, client_secret: str) -> AccessToken:
        """A token by client credentials (RFC 6749, section 4.4)."""
        url = f"{self._base}/realms/{quote(self.realm.realm, safe='')}/protocol/openid-connect/token"
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
        status, answer = await self._send("POST", url, credentials, data=form)
        if status != HTTPStatus.OK:
            raise keycloak_errors.login_refused(self.realm, client_id, status, answer)
        match self._parsed(answer):
            case {"access_token": str(token), "expires_in": int(seconds)}:
                return AccessToken(token, seconds)
        raise keycloak_errors.no_keycloak(self.realm)

    async def _send(self, method: str, url: str, credentials: Credentials, **request: Any) -> tuple[int, bytes]:
        if self._unanswered is not None and self._clock() - self._unanswered[0] < _QUIET_SECONDS:
            raise KeycloakError(AuthReason.UNREACHABLE, self._unanswered[1])
        request["ssl"] = self._trust(credentials.ca)
        try:
            # Not after a redirect, which would take the credentials elsewhere.
            async with self._http.request(method, url, timeout=_TIMEOUT, allow_redirects=False, **request) as answer:
                return answer.status, await answer.read()
        except aiohttp.ClientConnectorCertificateError as error:
            told = getattr(error.certificate_error, "verify_message", "") or "not trusted"
            raise KeycloakError(
                AuthReason.UNTRUSTED,
                f"the certificate of {self.realm.url} is refused ({told}): where its CA is a private one, put that "
                f"CA's certificate into ca.crt, beside client-id",
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            told = f"{keycloak_errors.place(self.realm)} does not answer: {_told(error)}"
            self._unanswered = (self._clock(), told)
            raise KeycloakError(AuthReason.UNREACHABLE, told) from None

    def _trust(self, ca: str) -> ssl.SSLContext:
        """Kept, since loading the public CAs takes longer than a call."""
        if self._context is None or self._context[0] != ca:
            pem = "".join(certificates(ca))
            if ca and not pem:
                raise self._ca_invalid()
            try:
                self._context = (ca, ssl.create_default_context(cadata=pem or None))
            except ssl.SSLError:
                raise self._ca_invalid() from None
        return self._context[1]

    def _ca_invalid(self) -> KeycloakError:
        return KeycloakError(
            AuthReason.CA_INVALID, f"{self.realm.folder}/ca.crt holds no certificate in PEM: correct it"
        )

    def _parsed(self, answer: bytes) -> Any:
        try:
            return orjson.loads(answer)
        except orjson.JSONDecodeError:
            raise keycloak_errors.no_keycloak(self.realm) from None


def _told(error: BaseException) -> str:
    """What the network says, without what differs from time to time."""
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT.total} s"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "no TLS at this port"
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else type(error).__name__
