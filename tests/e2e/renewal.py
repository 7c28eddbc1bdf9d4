"""A certificate that is renewed by hand, and what the ports show meanwhile. Used by tests and a benchmark."""

from __future__ import annotations

import json
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

from tests.e2e.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.kubernetes import Kubernetes


def serial(host: str, address: str, port: int, authority: Path) -> str:
    """Serial number of the certificate that a port shows, verified against a PEM file of CAs."""
    context = ssl.create_default_context(cafile=str(authority))
    with (
        socket.create_connection((address, port), 10) as plain,
        context.wrap_socket(plain, server_hostname=host) as encrypted,
    ):
        shown: dict[str, Any] = dict(encrypted.getpeercert() or {})
        return str(shown["serialNumber"])


def renew(kubernetes: Kubernetes, namespace: str, name: str) -> None:
    """As `cmctl renew` does; again where cert-manager, which still wrote of the issue before, wrote it away."""
    path = f"/apis/cert-manager.io/v1/namespaces/{namespace}"

    def requests() -> set[str]:
        return {each["metadata"]["name"] for each in kubernetes.items(f"{path}/certificaterequests")}

    before = requests()

    def asked() -> bool:
        if requests() - before:
            return True
        told = kubernetes.get(f"{path}/certificates/{name}")["status"]["conditions"]
        conditions = [*(each for each in told if each["type"] != "Issuing"), _issuing()]
        kubernetes.run(
            *("patch", "--namespace", namespace, f"certificate/{name}", "--subresource=status", "--type=merge"),
            f"--patch={json.dumps({'status': {'conditions': conditions}})}",
        )
        time.sleep(3)
        return False

    eventually("cert-manager asks for another certificate", asked)


def _issuing() -> dict[str, str]:
    return {
        "type": "Issuing",
        "status": "True",
        "reason": "ManuallyTriggered",
        "message": "renewed by hand",
        "lastTransitionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
