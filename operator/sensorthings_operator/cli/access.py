"""How a service is reached from here: whom TLS trusts, which address host names stand for, and whose token goes along.

Made from the options of ``observe`` and of ``examples/hamburg/play.py``; used by the clients of HTTP, MQTT and tokens.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from yarl import URL

from sensorthings_operator.cli import tls
from sensorthings_operator.cli.errors import SensorThingsError

if TYPE_CHECKING:
    from pathlib import Path

IPAddress = IPv4Address | IPv6Address
_EXAMPLE: Final = '{"token_url": "https://…/token", "client_id": "…", "client_secret": "…"}'


class ClientCredentials(BaseModel):
    """A client of an OAuth 2.0 authorization server, such as Keycloak; the secret is never shown."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)
    token_url: str
    client_id: str = Field(min_length=1)
    client_secret: SecretStr = Field(min_length=1)

    @field_validator("token_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        url = URL(value)
        if url.scheme not in {"http", "https"} or not url.host or url.user is not None:
            message = "must be a URL that begins with https:// and a host, and holds no user"
            raise ValueError(message)
        return value


@dataclass(frozen=True, slots=True)
class Access:
    """How a service is reached from here.

    Attributes:
        authority: the CAs to trust instead of the system's.
        connect_to: where to connect instead of looking host names up; TLS and the Host header keep the name.
        credentials: whose token goes with every HTTP request, and as the password of an MQTT connection.
    """

    authority: tls.Authority | None = None
    connect_to: IPAddress | None = None
    credentials: ClientCredentials | None = None

    def address(self, host: str) -> str:
        """Where to connect for a host of a URL."""
        return str(self.connect_to) if self.connect_to is not None and _literal(host) is None else host

    def refuse_cleartext(self, url: str, host: str | None, *, encrypted: bool) -> None:
        """Fail where a token or a secret would be sent unencrypted to another machine.

        Raises:
            SensorThingsError: it would.
        """
        if self.credentials is not None and self.is_overheard(host, encrypted=encrypted):
            raise SensorThingsError(
                "Credentials are not sent without TLS",
                where=url,
                remedy="Write https://, mqtts:// or wss://, or leave --client-credentials out.",
            )

    def is_overheard(self, host: str | None, *, encrypted: bool) -> bool:
        """Whether what is sent to a host goes unencrypted to another machine."""
        there = _literal(self.address(host or ""))
        return not encrypted and host != "localhost" and (there is None or not there.is_loopback)

    def http(self, *, timeout: float, connections: int = 64) -> aiohttp.ClientSession:
        """A session of HTTP requests.

        Args:
            timeout: seconds for one request, with connecting.
            connections: how many requests may be under way at once; others wait for a place.
        """
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections,
                ssl=True if self.authority is None else tls.context(self.authority),
                resolver=None if self.connect_to is None else _Resolver(self.connect_to),
            ),
            timeout=aiohttp.ClientTimeout(total=timeout),
        )


def read_credentials(file: Path) -> ClientCredentials:
    """Read the file that a person named.

    Raises:
        ValueError: with a sentence that says what is wrong with it, and never holds the secret.
    """
    try:
        return ClientCredentials.model_validate_json(file.read_bytes())
    except OSError as error:
        message = f"{file} can't be read: {error.strerror}"
        raise ValueError(message) from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}".lstrip(": ") for e in error.errors())
        message = f"{file} is not like {_EXAMPLE}: {wrong}"
        # Not the cause: it knows what stood in the file.
        raise ValueError(message) from None


def parse_address(text: str) -> IPAddress:
    """Read what a person typed.

    Raises:
        ValueError: with a sentence that says what is allowed.
    """
    try:
        return ip_address(text.strip().removeprefix("[").removesuffix("]"))
    except ValueError as error:
        message = f"'{text}' is not an IP address; write it like 127.30.0.1, without a port: that of the URL counts"
        raise ValueError(message) from error


def _literal(host: str) -> IPAddress | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


class _Resolver(AbstractResolver):
    """Answers every name with one address."""

    def __init__(self, address: IPAddress) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        own = socket.AF_INET if self._address.version == 4 else socket.AF_INET6
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [ResolveResult(hostname=host, host=str(self._address), port=port, family=own, proto=0, flags=int(flags))]

    async def close(self) -> None:
        """Nothing is held."""
