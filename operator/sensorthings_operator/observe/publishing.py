"""How often the entries of services in catalogues are looked at. Used by ``publishing``."""

from collections.abc import Awaitable, Callable
from typing import Final

from sensorthings_operator.clients.ckan_entries import PublishTarget
from sensorthings_operator.clients.owned import ServiceKey
from sensorthings_operator.conditions.observed import Answer
from sensorthings_operator.conditions.publishing import PublishingReason
from sensorthings_operator.observe.probes import Probes

_LONGEST_DELAY_SECONDS: Final = 300.0
_AT_ONCE: Final = 2


def publishing_probes(
    ask: Callable[[PublishTarget, Answer | None], Awaitable[Answer]],
    *,
    changed: Callable[[ServiceKey], None],
    interval_seconds: float,
) -> Probes[PublishTarget]:
    """One probe for each service that has entries somewhere, or shall have some."""
    return Probes(
        ask,
        surprised=PublishingReason.UNREACHABLE.value,
        changed=changed,
        interval_seconds=interval_seconds,
        concurrency=_AT_ONCE,
        longest_delay_seconds=_LONGEST_DELAY_SECONDS,
    )
