"""Asks by HTTP, looks at certificates, for ``sensorthings doctor``. A failure is an answer here, never an exception."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import orjson
from yarl import URL

from sensorthings_operator.cli import tls
from sensorthings_operator.cli.doctor.clock import Offset, parse_date
from sensorthings_operator.cli.doctor.observed import NOT_AN_ENTITY, Handshake, Reply

if TYPE_CHECKING:
    from sensorthings_operator.cli.access import Access

SECONDS: Final = 15.0
"""For one request, with connecting."""
_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}


async def get(http: aiohttp.ClientSession, access: Access, url: str) -> Reply:
    """GET, without following a redirect."""
    return await _ask(http, access, "GET", url, headers={"Accept": "application/json"})


async def post_nothing(http: aiohttp.ClientSession, access: Access, url: str, token: str = "") -> Reply:
    """POST what no service can create anything of, with a token or without."""
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    return await _ask(http, access, "POST", url, headers={**_JSON, **bearer}, data=NOT_AN_ENTITY)


async def _ask(http: aiohttp.ClientSession, access: Access, method: str, url: str, **options: Any) -> Reply:
    address = URL(url, encoded=True)
    sent = datetime.now(UTC)
    try:
        async with http.request(method, address, allow_redirects=False, **options) as answer:
            received = datetime.now(UTC)
            date = parse_date(answer.headers.get("Date", ""))
            clock = Offset.of(date, sent=sent, received=received) if date else None
            return Reply(url, answer.status, clock, _issuer(await answer.read()))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Reply(url, failure=_failure(error, address.host or "", access))


async def shake_hands(host: str, port: int, access: Access) -> Handshake:
    """Connect by TLS, look at the certificate, and leave."""
    where = f"{host}:{port}"
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(
                access.address(host), port, ssl=tls.context(access.authority), server_hostname=host
            )
    except (TimeoutError, OSError) as error:
        return Handshake(where, failure=_failure(error, host, access))
    certificate = writer.get_extra_info("ssl_object").getpeercert()
    # A peer that does not answer the end of TLS is no matter here.
    writer.transport.abort()
    return Handshake(where, _instant(certificate["notBefore"]), _instant(certificate["notAfter"]))


def _instant(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def _issuer(body: bytes) -> str:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    issuer = parsed.get("issuer") if isinstance(parsed, dict) else None
    return issuer if isinstance(issuer, str) else ""


def _failure(error: Exception, host: str, access: Access) -> tls.Failure:
    failed = tls.failure(error, host, access.authority)
    if failed is not None:
        return failed
    if isinstance(error, TimeoutError):
        return tls.Failure(
            f"No answer within {SECONDS:g} s", "Look whether it runs, and whether a firewall is between."
        )
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    told = getattr(cause, "strerror", None) or type(cause).__name__
    return tls.Failure(
        f"It cannot be reached from here: {told}",
        "Look whether it runs and its name leads there; --connect-to ADDRESS says where it answers.",
    )
