"""What CertificateReady and RoutesProgrammed say of objects that the spec refers to and others make."""

from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions.chain import Verdict
from sensorthings_operator.conditions.observed import Observed


class ReferenceState(StrEnum):
    """What is wrong with an object that a spec refers to; the end of a reason."""

    MISSING = "Missing"
    NOT_READY = "NotReady"


NEEDS_SOMEBODY: Final = frozenset({"IssuerMissing", "IssuerNotReady", "IngressClassMissing", "GatewayMissing"})
"""Reasons that do not go away by waiting."""


def issuer(observed: Observed) -> Verdict | None:
    """The issuer of the certificate."""
    return _wrong(observed, "Issuer", "Issuer", "spec.certificate.issuerRef") or _wrong(
        observed, "ClusterIssuer", "Issuer", "spec.certificate.issuerRef"
    )


def ingress_class(observed: Observed) -> Verdict | None:
    """The class of the Ingresses."""
    return _wrong(observed, "IngressClass", "IngressClass", "spec.exposure.ingressNginx.className")


def gateway(observed: Observed) -> Verdict | None:
    """The Gateway that the listeners are for."""
    return _wrong(observed, "Gateway", "Gateway", "spec.exposure.gateway")


def _wrong(observed: Observed, kind: str, told_as: str, path: str) -> Verdict | None:
    answer = observed.references.get(kind)
    if answer is None:
        return None
    way_out = f"make it, or name another in {path}" if answer.reason == ReferenceState.MISSING else "mend it"
    return Verdict("False", f"{told_as}{answer.reason}", f"{answer.message}: {way_out}")
