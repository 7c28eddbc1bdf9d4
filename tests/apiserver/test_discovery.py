"""What is served, as the API server itself says: its document, its ETag, and a kind that comes and goes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from sensorthings_operator.clients.connection import from_kubeconfig
from sensorthings_operator.clients.discovery import served_kinds
from sensorthings_operator.clients.kubernetes import KubernetesClient
from sensorthings_operator.clients.resources import SERVICES, WATCHED_CHILDREN
from tests.apiserver import upstream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apiserver.conftest import Kubectl

_POD_MONITOR = ("monitoring.coreos.com/v1", "PodMonitor")
_SECONDS = 15.0


def test_what_is_served_is_known_from_one_document(kubeconfig: Path, kubectl: Kubectl, crds: str) -> None:
    del crds
    etag, document = _discovered(kubeconfig)
    assert document is not None
    served = served_kinds(document)
    ours = {(each.api_version, each.kind) for each in (*WATCHED_CHILDREN, SERVICES) if "/" in each.api_version}
    assert ours <= served
    assert _POD_MONITOR not in served
    assert _discovered(kubeconfig, etag) == (etag, None), "what is known is not sent again"

    with upstream.installed(kubectl, upstream.POD_MONITOR):
        etag, document = _changed(kubeconfig, etag)
        assert _POD_MONITOR in served_kinds(document)
    _, document = _changed(kubeconfig, etag)
    assert _POD_MONITOR not in served_kinds(document)


def _discovered(kubeconfig: Path, known: str = "") -> tuple[str, dict[str, Any] | None]:
    async def ask() -> tuple[str, dict[str, Any] | None]:
        async with KubernetesClient(from_kubeconfig(kubeconfig)) as client:
            return await client.discover(known)

    return asyncio.run(ask())


def _changed(kubeconfig: Path, known: str) -> tuple[str, dict[str, Any]]:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        etag, document = _discovered(kubeconfig, known)
        if document is not None:
            return etag, document
        time.sleep(0.2)
    message = f"the document is the same for {_SECONDS} s"
    raise AssertionError(message)
