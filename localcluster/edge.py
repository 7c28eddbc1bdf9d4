"""The public names as a person reaches them from the host: looked up at the cluster's loopback address, and trusted by
the cluster's own certificate authority. The add-ons ask here whether they work.
"""

from __future__ import annotations

import json
import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from localcluster.errors import LocalClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcluster.plan import Cluster

_TIMEOUT = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    location: str
    body: bytes

    def json(self) -> Any:
        """The body. Raises LocalClusterError when it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise LocalClusterError(f"An answer {self.status} is no JSON: {self.body[:200]!r}.") from None


class _Connection(HTTPSConnection):
    """Connects to an address that the host name need not resolve to; the certificate is checked for the name."""

    def __init__(self, host: str, port: int | None, address: str, trust: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=_TIMEOUT, context=trust)
        self._address = address
        self._trust = trust

    def connect(self) -> None:
        """Called by the base class before the first request."""
        plain = socket.create_connection((self._address, self.port), _TIMEOUT)
        try:
            self.sock = self._trust.wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise


def call(
    cluster: Cluster, method: str, url: str, *, body: str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One HTTPS request to one of the public names.

    Raises:
        LocalClusterError: There was no answer, or the certificate is not trusted.
    """
    parts = urlsplit(url)
    trust = ssl.create_default_context(cafile=str(cluster.authority))
    connection = _Connection(parts.hostname or "", parts.port, cluster.edge, trust)
    target = parts._replace(scheme="", netloc="").geturl() or "/"
    try:
        connection.request(method, target, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers.get("Location", ""), answer.read())
    except (OSError, HTTPException) as error:
        raise LocalClusterError(f"{method} {url} at {cluster.edge}: {type(error).__name__}: {error}.") from None
    finally:
        connection.close()
