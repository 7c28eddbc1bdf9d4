"""What ``sensorthings realm`` prints: a Secret for the operator, and the chart's value that names it. Pure."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from sensorthings_operator.api.manifests import yaml_text
from sensorthings_operator.api.realm import value_name

if TYPE_CHECKING:
    from sensorthings_operator.cli.tls import Authority


def secret_text(  # noqa: PLR0913 - one parameter is one fact
    *, url: str, realm: str, namespace: str, name: str, client_id: str, client_secret: str, authority: Authority | None
) -> str:
    """A manifest for ``kubectl apply -f -``, below a comment for people."""
    trusted = {"ca.crt": authority.pem} if authority else {}
    data = {"client-id": client_id, "client-secret": client_secret, **trusted}
    # Not stringData: `kubectl apply` would keep a ca.crt that is not wanted any more.
    encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "data": encoded,
    }
    return f"{_comment(url, realm, name)}{yaml_text(manifest)}"


def _comment(url: str, realm: str, secret: str) -> str:
    known_as = value_name(realm)
    value = yaml_text({"keycloakRealms": {known_as: {"url": url, "realm": realm, "secretName": secret}}})
    told = f"The operator's chart names this Secret; services then say auth.keycloak.realm: {known_as}\n{value}"
    return "".join(f"# {line}\n" for line in told.splitlines())
