"""The certificate for the host: cert-manager issues it into a Secret, and renews it.

Fields: https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateSpec.
"""

from typing import Final

from sensorthings_operator.desired import addresses, gateway
from sensorthings_operator.desired.addresses import certificate_secret_name
from sensorthings_operator.desired.metadata import Manifest, labels, metadata
from sensorthings_operator.desired.service import Service
from sensorthings_operator.desired.settings import OperatorSettings

COMPONENT: Final = "certificate"
API_VERSION: Final = "cert-manager.io/v1"
KIND: Final = "Certificate"
_PARENT: Final = "acme.cert-manager.io/http01-parentref"


def name(service: Service) -> str:
    """Name of the Certificate."""
    return service.name


def build(service: Service, _: OperatorSettings) -> list[Manifest]:
    """The Certificate; nothing where the spec asks for none."""
    certificate, host = service.spec.certificate, service.spec.host
    # The API server lets no certificate without a host pass.
    if certificate is None or host is None:
        return []
    issuer = certificate.issuer_ref
    return [
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {**metadata(service, COMPONENT, name(service)), **_solved_at(service)},
            "spec": {
                "secretName": certificate_secret_name(service),
                # cert-manager leaves the Secret when the Certificate goes: its labels tell whose it was.
                "secretTemplate": {"labels": labels(service, COMPONENT)},
                # No common name: it holds 64 characters, a host 253, and clients have long stopped to read it.
                "dnsNames": [host],
                "issuerRef": {"group": "cert-manager.io", "kind": issuer.kind, "name": issuer.name},
                "privateKey": {
                    "algorithm": "ECDSA",
                    "size": 256,
                    "encoding": "PKCS8",
                    "rotationPolicy": "Always",
                },
                "usages": ["digital signature", "server auth"],
                "revisionHistoryLimit": 1,
            },
        }
    ]


def _solved_at(service: Service) -> Manifest:
    """Where an ACME issuer's HTTP-01 challenge has to be answered, if it has a solver for the Gateway API.

    The listeners for the host are the service's own, and an issuer that many services share can't know them.
    https://cert-manager.io/docs/reference/annotations/.
    """
    routes = addresses.gateway(service)
    if routes is None:
        return {}
    parent = gateway.parent(service, routes)
    annotations = {f"{_PARENT}kind": parent["kind"], f"{_PARENT}name": parent["name"]}
    if "namespace" in parent:
        annotations[f"{_PARENT}namespace"] = parent["namespace"]
    return {"annotations": annotations}
