"""The root of the ACME server's certificates, which it draws at each of its starts."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from localcluster.addons import pebble
from tests.e2e.netns import inside

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.kubectl import Kubectl


def roots(kubectl: Kubectl, netns: Path, authority: Path) -> str:
    """In PEM.

    Args:
        kubectl: Of the cluster.
        netns: In which its Services have addresses.
        authority: What signed the ACME server's own certificate.
    """
    address = kubectl.get("--namespace", pebble.NAMESPACE, "service/pebble")["spec"]["clusterIP"]
    trust = ssl.create_default_context(cafile=str(authority))
    with inside(netns):
        plain = socket.create_connection((address, 15000), 10)
    with trust.wrap_socket(plain, server_hostname="pebble.pebble.svc") as encrypted:
        encrypted.sendall(b"GET /roots/0 HTTP/1.0\r\nHost: pebble.pebble.svc\r\n\r\n")
        answer = b"".join(iter(lambda: encrypted.recv(65536), b""))
    return answer.split(b"\r\n\r\n", 1)[1].decode()
