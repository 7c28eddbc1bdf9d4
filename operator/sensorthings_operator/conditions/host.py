"""HostResolved: clients that look the host up are led to where the routes are."""

from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict
from sensorthings_operator.conditions.observed import Observed


class HostReason(StrEnum):
    """What DNS says of the host; the probe beside the passes answers with them."""

    HERE = "HostPointsHere"
    NOT_ASKED = "HostNotAsked"
    UNKNOWN = "HostUnknown"
    ELSEWHERE = "HostElsewhere"


def _applies(observed: Observed) -> bool:
    return observed.service.spec.exposure.type != "None"


def _answers(observed: Observed) -> Verdict:
    answer = observed.host
    if answer is None:
        told = "the host is looked up once the routes have an address"
        return Verdict("Unknown", HostReason.NOT_ASKED, told, expected=True)
    return Verdict("True" if answer.holds else "False", answer.reason, answer.message)


HOST_RESOLVED: Final = Chain("HostResolved", (_answers,), applies=_applies, needed=False)
