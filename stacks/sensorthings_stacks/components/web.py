"""What Keycloak's and Grafana's Ingresses share: the class, the issuer of their certificates. Platform layer."""

from __future__ import annotations

from typing import Any, Final

ISSUER: Final = "city"
"""The ClusterIssuer of all certificates. The city layer makes it: its kind is known only after this layer."""
CLASS: Final = "nginx"
"""Name of ingress-nginx's class."""
INGRESS_NAMESPACE: Final = "ingress-nginx"
ISSUED: Final = {"cert-manager.io/cluster-issuer": ISSUER}
"""By this annotation cert-manager makes the certificate of an Ingress."""


def certificate(host: str, secret: str) -> list[dict[str, Any]]:
    """The ``tls`` of an Ingress."""
    return [{"hosts": [host], "secretName": secret}]
