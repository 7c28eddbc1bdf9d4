"""What a machine of Azure's finds at its side: the service that gives its identity tokens, and a key vault.

A stand-in for both, written after Azure's documentation: it shows that the machine's scripts ask and read as they
should, not that Azure answers so. Runs as a program, in the machine's network namespace: `python -m
tests.stacks.machines.identity VAULT_ADDRESS SECRETS CERTIFICATE`, the last with its key in the same file.
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

METADATA: Final = "169.254.169.254"
"""Where every machine of Azure's asks for tokens."""
_LIFE: Final = 3600  # seconds
_ISSUER: Final = "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/"
_OF_VAULTS: Final = "https://vault.azure.net"


class _Answering(BaseHTTPRequestHandler):
    def answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        """Answer with JSON."""
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing: tokens are in the requests."""


class Tokens(_Answering):
    """Azure's instance metadata service, as far as identities go."""

    def do_GET(self) -> None:
        """A token for what is asked for, of the identity that is asked for."""
        asked = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if asked.path != "/metadata/identity/oauth2/token" or "client_id" not in given:
            self.answer(HTTPStatus.BAD_REQUEST, {"error": "invalid_request"})
            return
        if self.headers.get("Metadata", "").lower() != "true":
            self.answer(HTTPStatus.BAD_REQUEST, {"error": "bad_request_102"})
            return
        made = token(given["resource"], given["client_id"])
        lasting = {"expires_in": str(_LIFE), "expires_on": str(int(time.time()) + _LIFE)}
        about = {"token_type": "Bearer", "resource": given["resource"], "client_id": given["client_id"]}
        self.answer(HTTPStatus.OK, {"access_token": made, **lasting, **about})


class Vault(_Answering):
    """A key vault whose secrets are files of a folder; each may be read by the one identity that `reader` names."""

    secrets: ClassVar[Path]
    reader: ClassVar[str]

    def do_GET(self) -> None:
        """A secret."""
        asked = urlsplit(self.path)
        claims = _claims(self.headers.get("Authorization", ""))
        if (claims.get("aud"), claims.get("appid")) != (_OF_VAULTS, self.reader):
            self.answer(HTTPStatus.FORBIDDEN, {"error": {"code": "Forbidden"}})
            return
        secret = self.secrets / Path(asked.path).name
        if asked.path != f"/secrets/{secret.name}" or "api-version" not in asked.query or not secret.is_file():
            self.answer(HTTPStatus.NOT_FOUND, {"error": {"code": "SecretNotFound"}})
            return
        self.answer(HTTPStatus.OK, {"value": secret.read_text(), "attributes": {"enabled": True}})


def token(resource: str, identity: str) -> str:
    """An identity's JSON web token for something, with a signature that nobody here looks at."""
    now = int(time.time())
    times = {"nbf": now - 60, "iat": now - 60, "exp": now + _LIFE}
    claims = {"iss": _ISSUER, "aud": resource, "appid": identity, **times}
    return ".".join((_encoded({"alg": "RS256", "typ": "JWT", "kid": "tests"}), _encoded(claims), "c2ln"))


def _encoded(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _claims(authorization: str) -> dict[str, Any]:
    kind, _, token = authorization.partition(" ")
    if kind != "Bearer" or token.count(".") != 2:
        return {}
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(f"{token.split('.')[1]}=="))
    return claims


def main(address: str, secrets: str, certificate: str, reader: str) -> None:
    """Serve both until the process ends."""
    Vault.secrets, Vault.reader = Path(secrets), reader
    vault = ThreadingHTTPServer((address, 443), Vault)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    vault.socket = context.wrap_socket(vault.socket, server_side=True)
    threading.Thread(target=vault.serve_forever, daemon=True).start()
    ThreadingHTTPServer((METADATA, 80), Tokens).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
