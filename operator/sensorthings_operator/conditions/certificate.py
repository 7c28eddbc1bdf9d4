"""CertificateReady: cert-manager has issued the certificate for the host, and it has not expired.

cert-manager's own conditions are told apart by ``observe.summaries``:
https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.CertificateCondition.
"""

from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions import references
from sensorthings_operator.conditions.chain import Chain, Verdict
from sensorthings_operator.conditions.observed import Observed
from sensorthings_operator.desired.certificate import name


class CertificateState(StrEnum):
    """What cert-manager says of a Certificate. The message of the Answer is in its own words."""

    ISSUED = "Issued"
    RENEWAL_FAILING = "RenewalFailing"
    """Issued, and valid for now."""
    UNSEEN = "Unseen"
    """cert-manager has not looked at what is asked for now."""
    ISSUING = "Issuing"
    FAILED = "Failed"
    EXPIRED = "Expired"


def _cert_manager_there(observed: Observed) -> Verdict | None:
    if "Certificate" not in observed.missing_apis:
        return None
    return Verdict(
        "False",
        "CertManagerMissing",
        "the cluster does not serve cert-manager.io/v1: install cert-manager "
        "(https://cert-manager.io/docs/installation); the certificate is asked for as soon as it is there",
    )


def _made(observed: Observed) -> Verdict | None:
    if observed.certificate is None:
        return Verdict("False", "CertificateIssuing", "the Certificate is about to be made", expected=True)
    return None


def _issued(observed: Observed) -> Verdict | None:
    answer = observed.certificate
    if answer is None or not answer.holds:
        return None
    if answer.reason == CertificateState.RENEWAL_FAILING:
        return Verdict("True", "CertificateRenewalFailing", f"issued and {answer.message}. {_remedy(observed)}")
    return Verdict("True", "CertificateIssued", f"issued for {observed.service.spec.host}, {answer.message}")


def _failed(observed: Observed) -> Verdict | None:
    answer = observed.certificate
    if answer is None or answer.reason not in (CertificateState.FAILED, CertificateState.EXPIRED):
        return None
    told = f"cert-manager says {answer.message}. {_remedy(observed)}"
    if answer.reason == CertificateState.EXPIRED:
        return Verdict("False", "CertificateExpired", told)
    return Verdict("False", "CertificateFailed", told)


def _issuing(observed: Observed) -> Verdict:
    answer = observed.certificate
    if answer is None or answer.reason == CertificateState.UNSEEN:
        told = "cert-manager has not looked at the Certificate yet; if it stays so, look whether its pods run"
    else:
        told = f"cert-manager says {answer.message}. If it stays so, look at {_requests(observed)}"
    return Verdict("False", "CertificateIssuing", told, expected=True)


def _requests(observed: Observed) -> str:
    """What tells the rest: the request and, for ACME, its Order and Challenges; and who should have answered it."""
    certificate = observed.service.spec.certificate
    issuer = "its issuer" if certificate is None else f"{certificate.issuer_ref.kind} {certificate.issuer_ref.name}"
    return f"the CertificateRequests of Certificate {name(observed.service)} and at {issuer}"


def _remedy(observed: Observed) -> str:
    return (
        f"Look at {_requests(observed)}. cert-manager waits an hour and more before it tries again; "
        f"delete Certificate {name(observed.service)} to have it tried at once"
    )


def _wanted(observed: Observed) -> bool:
    return observed.service.spec.certificate is not None


CERTIFICATE_READY: Final = Chain(
    "CertificateReady", (_cert_manager_there, _made, _issued, references.issuer, _failed, _issuing), applies=_wanted
)
