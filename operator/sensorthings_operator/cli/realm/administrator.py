"""Keycloak's admin REST API, called as one of its administrators; all the input and output of ``sensorthings realm``.

Described at https://www.keycloak.org/docs-api/latest/rest-api/index.html. No password, secret or token stands in an
error, and no body of an answer but for Keycloak's own short words: answers about clients hold their secrets.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from sensorthings_operator.cli import tls
from sensorthings_operator.cli.errors import AnswerError, SensorThingsError

if TYPE_CHECKING:
    from types import TracebackType

    from pydantic import SecretStr

    from sensorthings_operator.cli.access import Access

_SECONDS: Final = 60.0
"""For one request: Keycloak takes a while to make a realm, and waits for a directory that does not answer."""
_TOKEN_MARGIN_SECONDS: Final = 15.0
_LONGEST_WORD: Final = 200


@dataclass(frozen=True)
class Login:
    """An administrator of Keycloak, and the realm in which they are one."""

    user: str
    password: SecretStr
    realm: str


def keycloak_url(text: str) -> str:
    """Read what a person typed.

    Raises:
        ValueError: with a sentence that says what is allowed.
    """
    try:
        url = URL(text.strip())
        right = url.scheme in {"http", "https"} and url.host and url.user is None and not url.query_string
    except ValueError:
        right = False
    if not right:
        message = f"'{text}' is no URL of a Keycloak; write it like https://id.city.example"
        raise ValueError(message)
    return text.strip().rstrip("/")


class Administrator:
    """Logs in when it has to; an async context manager.

    Args:
        url: of the Keycloak, without a slash at its end.
        login: who they are.
        access: how it is reached from here.

    Raises:
        SensorThingsError: the password would be sent unencrypted to another machine.
    """

    def __init__(self, url: str, login: Login, access: Access) -> None:
        address = URL(url)
        if access.is_overheard(address.host, encrypted=address.scheme == "https"):
            raise SensorThingsError(
                "An administrator's password is not sent without TLS", where=url, remedy="Write https:// in --url."
            )
        self.url = url
        self._login = login
        self._access = access
        self._token = ""
        self._token_ends = 0.0

    async def __aenter__(self) -> Self:
        self._http = self._access.http(timeout=_SECONDS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def find(self, path: str) -> Any:
        """GET a path below ``/admin``; None where there is nothing.

        Raises:
            SensorThingsError: Keycloak does not answer, or (AnswerError) refuses.
        """
        status, body = await self._as_administrator("GET", path, None)
        if status == 404:
            return None
        return self._parsed(self._accepted("GET", path, status, body))

    async def send(self, method: str, path: str, body: Any = None) -> None:
        """Change something below ``/admin``.

        Raises:
            SensorThingsError: as ``find``; also where there is nothing.
        """
        status, answer = await self._as_administrator(method, path, body)
        self._accepted(method, path, status, answer)

    async def refusal(self, path: str, body: Any) -> str:
        """POST a question that Keycloak answers with nothing, or with a word of why not.

        Raises:
            SensorThingsError: Keycloak does not answer, or (AnswerError) not so.
        """
        status, answer = await self._as_administrator("POST", path, body)
        if status == 400:
            return _word(answer, "errorMessage") or "UnknownError"
        self._accepted("POST", path, status, answer)
        return ""

    async def issuer(self, realm: str) -> str:
        """What a realm's tokens name as their issuer (OpenID Connect Discovery 1.0, section 4); empty where unknown."""
        path = f"/realms/{quote(realm, safe='')}/.well-known/openid-configuration"
        status, body = await self._send("GET", f"{self.url}{path}")
        return _word(body, "issuer") if status == 200 else ""

    async def _as_administrator(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        if time.monotonic() > self._token_ends - _TOKEN_MARGIN_SECONDS:
            await self._log_in()
        headers = {"Authorization": f"Bearer {self._token}"}
        options = {} if body is None else {"json": body}
        return await self._send(method, f"{self.url}/admin/{path}", headers=headers, **options)

    async def _log_in(self) -> None:
        asked, login = time.monotonic(), self._login
        url = f"{self.url}/realms/{quote(login.realm, safe='')}/protocol/openid-connect/token"
        password = login.password.get_secret_value()
        form = {"grant_type": "password", "client_id": "admin-cli", "username": login.user, "password": password}
        status, body = await self._send("POST", url, data=form)
        if status in {400, 401}:
            raise AnswerError(
                f"Keycloak does not let administrator '{login.user}' in",
                where=url,
                remedy="Check --admin-user, --admin-realm and the password in --admin-password-file. Who has a second "
                "factor can't log in this way: make an administrator for this, and delete it afterwards.",
                status=status,
            )
        match self._parsed(self._accepted("POST", url, status, body)):
            case {"access_token": str(token), "expires_in": int(seconds)}:
                self._token, self._token_ends = token, asked + seconds
            case _:
                raise self._no_keycloak()

    async def _send(self, method: str, url: str, **request: Any) -> tuple[int, bytes]:
        try:
            # Not after a redirect, which would take the password elsewhere. The path is encoded already.
            address = URL(url, encoded=True)
            async with self._http.request(method, address, allow_redirects=False, **request) as answer:
                return answer.status, await answer.read()
        except TimeoutError as error:
            raise SensorThingsError(
                f"Keycloak did not answer within {_SECONDS:g} s", where=url, remedy="Look whether it is well."
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            failed = tls.failure(error, URL(url).host or "", self._access.authority)
            cause = error.os_error.strerror if isinstance(error, aiohttp.ClientConnectorError) else None
            what, remedy = failed or (
                f"Keycloak cannot be reached: {cause or error}",
                "Check --url, and that it runs.",
            )
            raise SensorThingsError(what, where=url, remedy=remedy) from error

    def _accepted(self, method: str, path: str, status: int, body: bytes) -> bytes:
        """The body of an answer that is a success. Raises AnswerError for any other."""
        if status < 300:
            return body
        if status in {401, 403}:
            raise AnswerError(
                f"Keycloak does not allow {method} to administrator '{self._login.user}' ({status})",
                where=path,
                remedy="It takes the role 'admin' of realm master, or 'create-realm' there for a realm that is new.",
                status=status,
            )
        told = _word(body, "errorMessage") or _word(body, "error")
        raise AnswerError(
            f"Keycloak answered {method} with {status}{f': {told}' if told else ''}",
            where=path,
            remedy="Is a Keycloak at --url, with the path that its administrator gave it? Its log says more.",
            status=status,
        )

    def _parsed(self, body: bytes) -> Any:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise self._no_keycloak() from None

    def _no_keycloak(self) -> SensorThingsError:
        return SensorThingsError(
            "The answer is not one of Keycloak's", where=self.url, remedy="Is a Keycloak at the URL of --url?"
        )


def _word(body: bytes, key: str) -> str:
    """A short text in an answer's JSON object; empty where it holds none."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    value = parsed.get(key) if isinstance(parsed, dict) else None
    return " ".join(value.split())[:_LONGEST_WORD] if isinstance(value, str) else ""
