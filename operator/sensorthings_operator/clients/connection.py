"""Where the API server is: a pod's service account, or a kubeconfig. Used when the operator starts."""

import base64
import os
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class NoClusterError(Exception):
    """Neither a service account nor a usable kubeconfig was found."""


@dataclass(frozen=True)
class Connection:
    """How the API server is reached."""

    server: str
    ca: str
    """Certificate authority, PEM."""
    token: Callable[[], str | None]
    """Called for each request: a service account's token is renewed every hour."""
    client_certificate: str | None = None
    """PEM."""
    client_key: str | None = None
    """PEM."""

    def ssl_context(self) -> ssl.SSLContext:
        """TLS towards the API server."""
        context = ssl.create_default_context(cadata=self.ca)
        if self.client_certificate is not None and self.client_key is not None:
            # ssl loads certificates from files only.
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(f"{self.client_certificate}\n{self.client_key}")
                file.flush()
                context.load_cert_chain(file.name)
        return context


def connect() -> Connection:
    """The connection of the pod's service account, or else of the kubeconfig that $KUBECONFIG names.

    Raises:
        NoClusterError: There is neither.
    """
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    if host is not None and (_SERVICE_ACCOUNT / "token").exists():
        return _in_cluster(host, os.environ.get("KUBERNETES_SERVICE_PORT", "443"))
    kubeconfig = os.environ.get("KUBECONFIG")
    if kubeconfig is None:
        msg = "no cluster to work on: run the operator in a pod with a service account, or set KUBECONFIG"
        raise NoClusterError(msg)
    return from_kubeconfig(Path(kubeconfig))


def _in_cluster(host: str, port: str) -> Connection:
    address = f"[{host}]" if ":" in host else host
    return Connection(
        server=f"https://{address}:{port}",
        ca=(_SERVICE_ACCOUNT / "ca.crt").read_text(),
        # A small file in memory that the kubelet renews: reading it each time is cheaper than being wrong.
        token=(_SERVICE_ACCOUNT / "token").read_text,
    )


def from_kubeconfig(path: Path) -> Connection:
    """The connection of a kubeconfig's current context, by client certificate or token.

    Raises:
        NoClusterError: The file has no current context, cluster or user.
    """
    config = yaml.safe_load(path.read_text())
    try:
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        return Connection(
            server=cluster["server"],
            ca=_pem(cluster, "certificate-authority", path) or "",
            token=lambda: user.get("token"),
            client_certificate=_pem(user, "client-certificate", path),
            client_key=_pem(user, "client-key", path),
        )
    except (KeyError, StopIteration, TypeError) as error:
        msg = f"{path} has no complete current context: kubectl config current-context tells which one it names"
        raise NoClusterError(msg) from error


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _pem(section: dict[str, Any], field: str, kubeconfig: Path) -> str | None:
    if f"{field}-data" in section:
        return base64.b64decode(section[f"{field}-data"]).decode()
    return (kubeconfig.parent / section[field]).read_text() if field in section else None
