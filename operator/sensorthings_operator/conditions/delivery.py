"""DeliveryVerified: an Observation that is posted arrives at the subscribers of every MQTT pod."""

from enum import StrEnum
from typing import Final

from sensorthings_operator.conditions.chain import Chain, Verdict
from sensorthings_operator.conditions.observed import Observed


class DeliveryReason(StrEnum):
    """What the last check found; the check beside the passes answers with them."""

    DELIVERED = "ObservationsDelivered"
    NOT_VERIFIED = "DeliveryNotVerified"
    UNREACHABLE = "PodUnreachable"
    REFUSED = "ObservationRefused"
    MQTT_DEAF = "MQTTPodDeaf"
    HTTP_MUTE = "HTTPPodMute"


FINE_UNKNOWN: Final = frozenset({DeliveryReason.NOT_VERIFIED, DeliveryReason.UNREACHABLE})
"""Reasons that say that nobody knows: no cause to take a service for one that does not deliver."""


def _applies(observed: Observed) -> bool:
    return observed.delivery is not None


def _hibernated(observed: Observed) -> Verdict | None:
    if observed.service.spec.hibernated:
        return Verdict("Unknown", DeliveryReason.NOT_VERIFIED, "hibernated: no pod runs", expected=True)
    return None


def _answers(observed: Observed) -> Verdict:
    answer = observed.delivery
    if answer is None or answer.reason in FINE_UNKNOWN:
        told = "delivery has not been verified yet" if answer is None else answer.message
        reason = DeliveryReason.NOT_VERIFIED if answer is None else answer.reason
        return Verdict("Unknown", reason, told, expected=True)
    return Verdict("True" if answer.holds else "False", answer.reason, answer.message)


DELIVERY_VERIFIED: Final = Chain("DeliveryVerified", (_hibernated, _answers), applies=_applies)
