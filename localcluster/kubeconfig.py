"""Writes kubeconfig files that hold their certificates, for the cluster's components and for the person at the host."""

from __future__ import annotations

import os
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.pki import Authority, Pair


def render(name: str, server: str, authority: bytes, certificate: bytes, key: bytes) -> dict[str, Any]:
    """A kubeconfig with one cluster, user and context, all of this name; the three byte strings are PEM."""

    def encoded(pem: bytes) -> str:
        return b64encode(pem).decode()

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority-data": encoded(authority)}},
        ],
        "users": [
            {
                "name": name,
                "user": {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)},
            },
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def write(path: Path, name: str, server: str, authority: Authority, pair: Pair) -> Path:
    """Write the kubeconfig, readable by its owner only, whole or not at all, and return its path."""
    content = render(
        name, server, authority.certificate.read_bytes(), pair.certificate.read_bytes(), pair.key.read_bytes()
    )
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        yaml.safe_dump(content, file, sort_keys=False)
    return draft.replace(path)
