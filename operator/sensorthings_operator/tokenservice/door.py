"""The door: hands tokens to connectors that run elsewhere, over HTTPS with a certificate of theirs (mutual TLS).

``POST /token`` answers as a token endpoint does (RFC 6749, section 5.1), with the token that is held anyway: nothing is
minted for a visitor, and Keycloak is not asked.
"""

import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from sensorthings_operator import metrics
from sensorthings_operator.apply.authority import Pair
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.desired.connector.feed import ROTATE_ANNOTATION
from sensorthings_operator.desired.metadata import digest
from sensorthings_operator.observe.connectors import Connectors
from sensorthings_operator.tokenservice.held import HeldToken
from sensorthings_operator.tokenservice.keys import Visitor

PORT: Final = 8443
PATH: Final = "/token"


class Door:
    """Answers visitors.

    Args:
        connectors: As they are known now.
        tokens: What is held for a connector, by device.
        clock: Unix time.
    """

    def __init__(
        self,
        connectors: Connectors,
        tokens: Callable[[ServiceKey], Mapping[str, HeldToken]],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connectors = connectors
        self._tokens = tokens
        self._clock = clock

    def answer(self, visitor: Visitor | None, device: str) -> tuple[HTTPStatus, dict[str, Any]]:
        """Status and JSON for a visitor who asks for the token of a device, or of the connector itself."""
        key = None if visitor is None else self._connector(visitor)
        if visitor is None or key is None:
            return _refused("the certificate is not, or not any more, one of a connector that may have tokens")
        # A connector may hand tokens on to its devices; a device has its own alone.
        if visitor.device and device not in ("", visitor.device):
            return _refused("a device gets no token but its own")
        token = self._tokens(key).get(visitor.device or device)
        now = self._clock()
        if token is None or not token.is_good(now):
            told = "there is no token: the condition TokenIssued of the Connector says why"
            return HTTPStatus.SERVICE_UNAVAILABLE, {"error": "temporarily_unavailable", "error_description": told}
        answer = {"access_token": token.value, "token_type": "Bearer", "expires_in": int(token.expires - now)}
        return HTTPStatus.OK, answer

    def _connector(self, visitor: Visitor) -> ServiceKey | None:
        """The external connector that a certificate is for now."""
        key = self._connectors.with_uid(visitor.uid)
        body = None if key is None else self._connectors.get(key)
        if body is None:
            return None
        rotation = body["metadata"].get("annotations", {}).get(ROTATE_ANNOTATION, "")
        is_let_in = body["spec"].get("external") and digest(rotation) == visitor.rotation
        return key if is_let_in else None


def _refused(told: str) -> tuple[HTTPStatus, dict[str, Any]]:
    return HTTPStatus.FORBIDDEN, {"error": "access_denied", "error_description": told}


def visitor_of(certificate: Mapping[str, Any] | None) -> Visitor | None:
    """Whom a client's certificate names, as ``ssl.SSLSocket.getpeercert`` gives it."""
    named = (certificate or {}).get("subjectAltName", ())
    uris = [value for kind, value in named if kind == "URI"]
    return Visitor.parse(uris[0]) if len(uris) == 1 else None


async def serve(door: Door, signer: Pair, server: Pair, *, port: int = PORT) -> web.AppRunner:
    """Listen, for visitors with a certificate of ours alone; the runner is cleaned up by the caller."""

    async def token(request: web.Request) -> web.Response:
        visitor = visitor_of(request.get_extra_info("peercert"))
        form = await request.post()
        status, answer = door.answer(visitor, str(form.get("device", "")))
        metrics.DOOR.labels(status.value).inc()
        headers = {"Cache-Control": "no-store"}
        return web.json_response(answer, status=status.value, headers=headers)

    app = web.Application(client_max_size=4096)
    app.router.add_post(PATH, token)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port, ssl_context=_context(signer, server)).start()
    return runner


def _context(signer: Pair, server: Pair) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=signer.pem.decode())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    # Python's ssl reads keys from files alone.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "server.pem")
        path.touch(mode=0o600)
        path.write_bytes(server.pem + server.key_pem)
        context.load_cert_chain(path)
    return context
