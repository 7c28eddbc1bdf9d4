"""What stands around a service that is exposed, on loopback: certificates of a CA, a token endpoint, a WebSocket route.

Used by the tests of TLS, tokens, ``observe`` and ``examples/hamburg``.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from aiohttp import WSMsgType, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

HOST = "iot.city.example"
"""In no DNS."""


class Authority:
    """A certificate authority; its own certificate is in ``file``."""

    def __init__(self, folder: Path, name: str = "city") -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        own = _builder(name, self._key, days=10).issuer_name(_name(name)).add_extension(constraints, critical=True)
        self.file = folder / f"{name}.crt"
        self.file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def server(self, host: str = HOST, *, days: float = 1, self_signed: bool = False) -> ssl.SSLContext:
        """The TLS of a server with a certificate for one host name; with negative days one that has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer, issuer_key = (host, key) if self_signed else (self._name, self._key)
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = _builder(host, key, days).issuer_name(_name(issuer)).add_extension(names, critical=False)
        certificate = builder.sign(issuer_key, hashes.SHA256())
        file = self._folder / f"{certificate.serial_number}.pem"
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, *form) + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: str, key: ec.EllipticCurvePrivateKey, days: float) -> x509.CertificateBuilder:
    end = datetime.now(UTC) + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=20))
        .not_valid_after(end)
    )


@dataclass
class Web:
    """A web server on loopback around one handler."""

    tls: ssl.SSLContext | None = None
    port: int = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.tls).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError


@dataclass
class TokenEndpoint(Web):
    """Gives ``token-1``, ``token-2`` … to client ``player`` with the secret ``s3cret``.

    ``lives``: seconds that each token lives; None where the answer does not say.
    ``answers``: what the next requests get instead; a status and a body.
    ``held``: requests wait for it, where it is set.
    """

    lives: float | None = 300
    answers: list[tuple[int, Any]] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    held: asyncio.Event | None = None
    given: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        login = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        self.requests.append({"login": login, "host": request.headers["Host"], "grant": str(form["grant_type"])})
        if self.held is not None:
            await self.held.wait()
        if self.answers:
            status, body = self.answers.pop(0)
            return web.Response(status=status, text=body if isinstance(body, str) else json.dumps(body))
        if login != "player:s3cret":
            wrong = {"error": "invalid_client", "error_description": f"Invalid client credentials {login}"}
            return web.json_response(wrong, status=401)
        self.given += 1
        answer: dict[str, Any] = {"access_token": f"token-{self.given}", "token_type": "Bearer"}
        return web.json_response(answer if self.lives is None else {**answer, "expires_in": self.lives})

    def credentials(self, folder: Path, host: str = "", **changed: str) -> Path:
        """A file for ``--client-credentials``."""
        scheme = "https" if self.tls else "http"
        url = f"{scheme}://{host or '127.0.0.1'}:{self.port}/realms/city/protocol/openid-connect/token"
        file = folder / "player.json"
        file.write_text(
            json.dumps({"token_url": url, "client_id": "player", "client_secret": "s3cret"} | changed), encoding="utf-8"
        )
        return file


@dataclass
class WebSocketRoute(Web):
    """Passes what comes by WebSocket at ``/mqtt`` on to a broker's TCP port, and back; counts and keeps requests."""

    broker: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path != "/mqtt":
            return web.Response(status=404)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        socket = web.WebSocketResponse(protocols=("mqtt",))
        await socket.prepare(request)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.broker)
        back = asyncio.create_task(_copy(reader, socket))
        try:
            async for message in socket:
                if message.type is WSMsgType.BINARY:
                    writer.write(message.data)
        finally:
            writer.close()
            back.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await back
        return socket


async def _copy(reader: asyncio.StreamReader, socket: web.WebSocketResponse) -> None:
    while data := await reader.read(65536):
        await socket.send_bytes(data)
    await socket.close()
