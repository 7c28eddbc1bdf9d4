"""Access tokens by client credentials (RFC 6749, section 4.4), renewed before they expire.

Called by the HTTP client ``sensorthings`` and by ``subscription``. No token or secret stands in a message or a log.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote_plus

import aiohttp
import orjson
from yarl import URL

from sensorthings_operator.cli import tls
from sensorthings_operator.cli.errors import AnswerError, SensorThingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from sensorthings_operator.cli.access import Access, ClientCredentials

_DEFAULT_LIFE: Final = 60.0
"""Seconds, where the server does not say; RFC 6749 asks it to."""
_RENEWED_AFTER: Final = 0.7  # of a token's life
_PAUSE: Final = 5.0  # seconds between a failed renewal and the next


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    renewed: float
    """When to fetch the next one; seconds of the clock, as the others."""
    expires: float


class Tokens:
    """The current token of one client; an async context manager.

    Args:
        access: how the authorization server is reached.
        credentials: whose token it is.
        timeout: seconds for one request.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        access: Access,
        credentials: ClientCredentials,
        *,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = URL(credentials.token_url)
        access.refuse_cleartext(credentials.token_url, self._url.host, encrypted=self._url.scheme == "https")
        self._access = access
        self._credentials = credentials
        self._timeout = timeout
        self._clock = clock
        self._token: _Token | None = None
        self._fetching: asyncio.Task[_Token] | None = None
        self._failed: tuple[float, SensorThingsError] | None = None

    async def __aenter__(self) -> Self:
        self._http = self._access.http(timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        await self._http.close()

    async def current(self) -> str:
        """A token that has not expired. One that soon will is given out while the next one is fetched.

        Raises:
            SensorThingsError: the server does not answer, or refuses, and no token is left.
        """
        now = self._clock()
        if self._token is not None and now < self._token.renewed:
            return self._token.value
        coming = self._next(now)
        if self._token is not None and now < self._token.expires:
            return self._token.value
        if isinstance(coming, SensorThingsError):
            raise coming
        # Shielded: others may wait for the same token.
        return (await asyncio.shield(coming)).value

    def _next(self, now: float) -> asyncio.Task[_Token] | SensorThingsError:
        """The token that is being fetched, from now on if need be; why there is none where that failed a moment ago."""
        if self._fetching is None:
            if self._failed is not None and now < self._failed[0] + _PAUSE:
                return self._failed[1]
            self._fetching = asyncio.create_task(self._fetch(), name="token")
            self._fetching.add_done_callback(self._end)
        return self._fetching

    def _end(self, fetched: asyncio.Task[_Token]) -> None:
        self._fetching = None
        if fetched.cancelled():
            return
        error = fetched.exception()
        if isinstance(error, SensorThingsError):
            self._failed = self._clock(), error
        elif error is None:
            self._token, self._failed = fetched.result(), None

    async def _fetch(self) -> _Token:
        began = self._clock()
        user, secret = self._credentials.client_id, self._credentials.client_secret.get_secret_value()
        # RFC 6749, section 2.3.1.
        login = b64encode(f"{quote_plus(user)}:{quote_plus(secret)}".encode()).decode()
        form = {"grant_type": "client_credentials"}
        headers = {"Authorization": f"Basic {login}"}
        try:
            async with self._http.post(self._url, data=form, headers=headers, allow_redirects=False) as answer:
                return self._token_of(answer.status, await answer.read(), began)
        except TimeoutError as error:
            raise self._error(
                f"No token within {self._timeout:g} s", "Look whether the authorization server runs."
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            failed = tls.failure(error, self._url.host or "", self._access.authority)
            what, remedy = failed or (
                f"The authorization server cannot be reached: {_said(error)}",
                "Check token_url in the file of --client-credentials, and that the server runs.",
            )
            raise self._error(what, remedy) from error

    def _token_of(self, status: int, body: bytes, began: float) -> _Token:
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            answer = None
        given: dict[str, Any] = answer if isinstance(answer, dict) else {}
        value = given.get("access_token")
        if status != 200:
            raise self._refused(status, given)
        if not isinstance(value, str) or not value:
            raise self._error(
                "The answer holds no access_token", "Is token_url the token endpoint of an authorization server?"
            )
        life = given.get("expires_in")
        seconds = float(life) if isinstance(life, int | float) and life > 0 else _DEFAULT_LIFE
        return _Token(value, began + seconds * _RENEWED_AFTER, began + seconds)

    def _refused(self, status: int, answer: dict[str, Any]) -> AnswerError:
        told = [" ".join(str(answer[key]).split())[:200] for key in ("error", "error_description") if key in answer]
        secret = self._credentials.client_secret.get_secret_value()
        said = ": ".join(told).replace(secret, "…")
        client = self._credentials.client_id
        remedy = (
            "Check token_url in the file of --client-credentials: there is nothing there."
            if status == 404
            else f"Check client_id and client_secret in the file of --client-credentials; client '{client}' must be "
            "confidential, enabled, and allowed client credentials (in Keycloak: 'Service accounts roles')."
        )
        what = f"The authorization server gave no token to client '{client}' ({status}{f', {said}' if said else ''})"
        return AnswerError(what, where=str(self._url), remedy=remedy, status=status)

    def _error(self, what: str, remedy: str) -> SensorThingsError:
        return SensorThingsError(what, where=str(self._url), remedy=remedy)


def _said(error: Exception) -> str:
    cause = error.os_error.strerror if isinstance(error, aiohttp.ClientConnectorError) else None
    return cause or str(error)
